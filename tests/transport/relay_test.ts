import { assertEquals } from "@std/assert";
import { startExecutor } from "../../src/transport/client_command.ts";
import { relay } from "../../src/transport/relay.ts";
import { settled } from "../support/patience.ts";

const encoder = new TextEncoder();

/** What a client gets that says some bytes, in pieces of so many, to an executor, and then ends. */
async function relayed(
  bytes: Uint8Array<ArrayBuffer>,
  piece: number,
  command: [string, ...string[]],
) {
  const got: Uint8Array<ArrayBuffer>[] = [];
  const said = Promise.withResolvers<void>();
  let count = 0;
  const output = new WritableStream<Uint8Array<ArrayBuffer>>({
    write(chunk) {
      got.push(chunk.slice());
      count += chunk.length;
      if (count >= bytes.length) said.resolve();
    },
  });
  const input = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async start(controller) {
      for (let at = 0; at < bytes.length; at += piece) {
        controller.enqueue(bytes.slice(at, at + piece));
      }
      await said.promise;
      controller.close();
    },
  }, { highWaterMark: Infinity });
  const reason = await settled(relay({ input, output }, startExecutor({ command })), "the end");
  said.resolve();
  return { reason: reason && { code: reason.code, message: reason.message }, got };
}

const UNIX = { ignore: Deno.build.os === "windows" };

Deno.test(
  "relay: messages of any length arrive as they were, however they are cut",
  UNIX,
  async () => {
    const lines = ["{}", '{"a":"ä\u{1f600}"}', " x ", "\ufeffx", "y".repeat(300_000) + "é"].concat(
      Array.from({ length: 20 }, (_, index) => `${index}`.repeat(index * 997)).slice(1),
    );
    const bytes = encoder.encode(lines.map((line) => `${line}\n`).join(""));
    for (const piece of [bytes.length, 65_536, 1001]) {
      const { reason, got } = await relayed(bytes, piece, ["cat"]);
      assertEquals(reason, undefined);
      const text = await new Blob(got).text();
      assertEquals(text === lines.map((line) => `${line}\n`).join(""), true, `in ${piece}`);
    }
  },
);

Deno.test("relay: a side that sends what is no UTF-8 is not passed on", UNIX, async () => {
  const code = "notAnExecutor" as const;
  const wrong = { code, message: "the client sent a message that is not UTF-8" };
  const cut = Uint8Array.of(0x7b, 0xc3, 0x0a, 0x7d, 0x0a);
  assertEquals(await relayed(cut, 1, ["cat"]), { reason: wrong, got: [] });
  // What follows in the same piece is not passed on either.
  const printf: [string, ...string[]] = ["sh", "-c", "printf '\\377\\n{}\\n'; cat"];
  assertEquals(await relayed(encoder.encode("{}\n"), 9, printf), {
    reason: { ...wrong, message: "the executor sent a message that is not UTF-8" },
    got: [],
  });
});
