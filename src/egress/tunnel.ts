import { readClientHello } from "./client_hello.ts";
import type { Outside } from "./dial.ts";
import type { Host } from "./host.ts";
import { type ByteStream, type StreamReader, writeAll } from "./stream.ts";

/** Bytes that are copied at once where the system does not do it. */
const COPY_BYTES = 64 * 1024;

/**
 * Joins two connections until both directions have ended. What the command sends first is looked
 * at: where one address serves many names, TLS would otherwise reach all of them under the name of
 * one.
 *
 * @param refused told, before the connections are closed, that TLS asks for another server
 */
export async function tunnel(
  inside: { readonly stream: ByteStream; readonly reader: StreamReader },
  outside: Outside,
  host: Host,
  refused: (serverName: string) => void,
): Promise<void> {
  const close = () => {
    outside.stream.close();
    inside.stream.close();
  };
  const outward = async () => {
    const otherServer = await findOtherServer(inside.reader, host);
    if (otherServer === undefined) {
      return await passOn(inside.reader, inside.stream, outside.stream);
    }
    refused(otherServer);
    close();
  };
  try {
    await Promise.all([passOn(outside.reader, outside.stream, inside.stream), outward()]);
  } finally {
    close();
  }
}

/** The server that the first bytes ask for, if it is another than the host. */
async function findOtherServer(reader: StreamReader, host: Host): Promise<string | undefined> {
  for (;;) {
    const first = readClientHello(reader.unread);
    switch (first.kind) {
      case "notTls":
        return undefined;
      case "malformed":
        return "a server that cannot be read";
      case "clientHello":
        return differs(first.serverName, host) ? first.serverName : undefined;
      case "incomplete":
        if (await reader.more()) continue;
        // It ended before it was anything; nobody can make something of so little.
        return undefined;
    }
  }
}

/** Names in TLS are in their ASCII form already: a server compares them as they are. */
function differs(serverName: string | undefined, host: Host): boolean {
  return serverName !== undefined && serverName.toLowerCase().replace(/\.$/, "") !== host.name;
}

/** Passes on what was read and what comes, and then that there is no more. */
export async function passOn(
  reader: StreamReader,
  source: ByteStream,
  target: ByteStream,
): Promise<void> {
  await writeAll(target, reader.take(reader.unread.length));
  if (source.pipeTo !== undefined) return await source.pipeTo(target);
  const buffer = new Uint8Array(COPY_BYTES);
  for (;;) {
    const count = await source.read(buffer);
    if (count === null) break;
    await writeAll(target, buffer.subarray(0, count));
  }
  await target.closeWrite();
}
