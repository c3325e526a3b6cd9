import { ended, type LaunchOptions, remex } from "./executor.ts";
import { Inbox } from "./inbox.ts";
import { RawClient } from "./raw_client.ts";

/** Starts an executor of its own and talks to it over its standard input and output. */
export function connectStdio(options: LaunchOptions = {}): RawClient {
  const inbox = new Inbox();
  const child = remex(["serve", "--listen", "stdio", "--grace", "0"], options);
  const input = child.stdin.getWriter();
  const encoder = new TextEncoder();
  const over = readLines(child.stdout, inbox)
    .then(() => ended(child))
    .then(({ code }) => inbox.end({ code, reason: "" }));
  return new RawClient({
    kind: "stdio",
    // A write to a program that has ended fails, and `ended` tells of it.
    send: (text) => void input.write(encoder.encode(`${text}\n`)).catch(() => {}),
    close: async () => {
      await input.close().catch(() => {});
      await over;
    },
  }, inbox);
}

async function readLines(stream: ReadableStream<Uint8Array>, inbox: Inbox): Promise<void> {
  // Joined once a line, however long it is.
  let parts: string[] = [];
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const [first = "", ...others] = part.split("\n");
    parts.push(first);
    for (const begin of others) {
      inbox.receive(parts.join(""));
      parts = [begin];
    }
  }
}
