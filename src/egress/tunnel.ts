import { readClientHello } from "./client_hello.ts";
import type { Outside } from "./dial.ts";
import { type Host, HostError, parseHost } from "./host.ts";
import { type ByteStream, type StreamReader, writeAll } from "./stream.ts";

/** Bytes that are copied at once where the system does not do it. */
const COPY_BYTES = 64 * 1024;

/** How a tunnel ended. */
export type TunnelEnd =
  | { readonly kind: "over" }
  /** TLS in it asked for another server than the one that was allowed. */
  | { readonly kind: "serverNameDiffers"; readonly serverName: string };

/**
 * Joins two connections until both directions have ended. What the command sends first is looked
 * at: where one address serves many names, TLS would otherwise reach all of them under the name of
 * one.
 */
export async function tunnel(
  inside: { readonly stream: ByteStream; readonly reader: StreamReader },
  outside: Outside,
  host: Host,
): Promise<TunnelEnd> {
  const inward = passOn(outside.reader, outside.stream, inside.stream);
  const outward = (async () => {
    const end = await inspect(inside.reader, host);
    if (end !== undefined) return end;
    await passOn(inside.reader, inside.stream, outside.stream);
  })();
  try {
    const [end] = await Promise.all([outward.then(stopOn(inside.stream, outside.stream)), inward]);
    return end ?? { kind: "over" };
  } catch (error) {
    const end = await outward.catch(() => undefined);
    if (end !== undefined) return end;
    throw error;
  } finally {
    outside.stream.close();
    inside.stream.close();
  }
}

/** A tunnel that is refused is closed on both sides before the other direction has ended. */
function stopOn(...streams: readonly ByteStream[]) {
  return (end: TunnelEnd | undefined): TunnelEnd | undefined => {
    if (end !== undefined) { for (const stream of streams) stream.close(); }
    return end;
  };
}

/** Undefined if what comes first may pass. */
async function inspect(reader: StreamReader, host: Host): Promise<TunnelEnd | undefined> {
  for (;;) {
    const first = readClientHello(reader.unread);
    switch (first.kind) {
      case "notTls":
        return undefined;
      case "malformed":
        return { kind: "serverNameDiffers", serverName: "nothing that can be read" };
      case "clientHello":
        return differs(first.serverName, host)
          ? { kind: "serverNameDiffers", serverName: first.serverName ?? "" }
          : undefined;
      case "incomplete":
        if (await reader.more()) continue;
        // It ended before it was anything; nobody can make something of so little.
        return undefined;
    }
  }
}

function differs(serverName: string | undefined, host: Host): boolean {
  if (serverName === undefined) return false;
  try {
    return parseHost(serverName).name !== host.name;
  } catch (error) {
    if (error instanceof HostError) return true;
    throw error;
  }
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
