import { assertEquals } from "@std/assert";
import { LineSplitter, StdioTransport } from "../../src/transport/stdio_transport.ts";
import { SATURATED_BYTES } from "../../src/transport/transport.ts";
import { RecordedObserver } from "../support/recorded_observer.ts";
import { utf8Text } from "../../src/transport/utf8.ts";

const SHUTDOWN = { kind: "shutdown", message: "" } as const;

/** A pair of streams with the test at the other end. */
class OtherSide {
  readonly written: string[] = [];
  readonly input: ReadableStream<Uint8Array>;
  readonly output: WritableStream<Uint8Array>;
  /** What a write waits for; replaced by tests of a slow reader. */
  reads: Promise<void> = Promise.resolve();
  #input: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor() {
    this.input = new ReadableStream({
      start: (controller) => {
        this.#input = controller;
      },
    });
    this.output = new WritableStream({
      write: async (chunk) => {
        await this.reads;
        this.written.push(new TextDecoder().decode(chunk));
      },
    });
  }

  say(text: string | Uint8Array): void {
    this.#input?.enqueue(typeof text === "string" ? new TextEncoder().encode(text) : text);
  }

  hangUp(): void {
    this.#input?.close();
  }

  fail(): void {
    this.#input?.error(new Error("broken"));
  }
}

function setUp(): { transport: StdioTransport; side: OtherSide; observer: RecordedObserver } {
  const [side, observer] = [new OtherSide(), new RecordedObserver()];
  const transport = new StdioTransport(side.input, side.output);
  transport.open(observer);
  return { transport, side, observer };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("every line is a message, the last one too without its end", async () => {
  const { transport, side, observer } = setUp();
  side.say('{"a"');
  side.say(':1}\n\n{"b":2}\r\nlast');
  side.hangUp();
  await observer.over;
  assertEquals(observer.told, ['{"a":1}', '{"b":2}\r', "last", "[closed]"]);
  assertEquals(transport.over, true);
});

Deno.test("every message is a line", async () => {
  const { transport, side } = setUp();
  transport.send('{"a":1}');
  transport.send('{"b":"ä"}');
  transport.close(SHUTDOWN);
  await transport.flushed();
  assertEquals(side.written.join(""), '{"a":1}\n{"b":"ä"}\n');
  side.hangUp();
});

Deno.test("what is no text is told of", async () => {
  const { side, observer } = setUp();
  side.say(Uint8Array.of(0xff, 0x0a));
  side.say("a\n");
  side.hangUp();
  await observer.over;
  assertEquals(observer.told, ["[a line that is not UTF-8]", "a", "[closed]"]);
});

Deno.test("a broken input ends the connection like one that is at its end", async () => {
  const { side, observer } = setUp();
  side.say("a\n");
  await turn();
  side.fail();
  await observer.over;
  assertEquals(observer.told, ["a", "[closed]"]);
});

Deno.test("the end is told once and last, and nothing is sent after it", async () => {
  const { transport, side, observer } = setUp();
  transport.close(SHUTDOWN);
  transport.close(SHUTDOWN);
  transport.send("late");
  side.say("late\n");
  side.hangUp();
  await transport.flushed();
  await turn();
  assertEquals([observer.told, side.written], [["[closed]"], []]);
});

Deno.test("what came with the line that closed the connection is not delivered", async () => {
  const { transport, side, observer } = setUp();
  const deliver = observer.message.bind(observer);
  observer.message = (frame) => {
    deliver(frame);
    if (frame === "close") transport.close({ kind: "protocolError", message: "" });
  };
  side.say("first\nclose\nlate\n");
  side.hangUp();
  await turn();
  assertEquals(observer.told, ["first", "close", "[closed]"]);
});

Deno.test("the connection ends when the other side reads no more", async () => {
  const { transport, side, observer } = setUp();
  side.reads = Promise.reject(new Error("broken pipe"));
  transport.send("a");
  await observer.over;
  transport.send("b");
  await transport.flushed();
  assertEquals(side.written, []);
  side.hangUp();
});

Deno.test("a slow reader saturates it, and is told of when it has caught up by half", async () => {
  const { transport, side, observer } = setUp();
  const slow = Promise.withResolvers<void>();
  side.reads = slow.promise;
  const half = "x".repeat(SATURATED_BYTES / 2 - 1);
  transport.send(half);
  transport.send(half);
  assertEquals(transport.saturated, false);
  transport.send("");
  assertEquals(transport.saturated, true);
  await turn();
  assertEquals(observer.told, []);
  slow.resolve();
  await turn();
  assertEquals([observer.told, transport.saturated], [["[drained]"], false]);
  transport.send("more");
  await turn();
  assertEquals(observer.told, ["[drained]"]);
  side.hangUp();
  await observer.over;
});

Deno.test("nobody waits for a connection that has ended", async () => {
  const { transport, side, observer } = setUp();
  const slow = Promise.withResolvers<void>();
  side.reads = slow.promise;
  transport.send("x".repeat(SATURATED_BYTES));
  assertEquals(transport.saturated, true);
  transport.close(SHUTDOWN);
  assertEquals(transport.saturated, false);
  slow.resolve();
  await transport.flushed();
  side.hangUp();
  await turn();
  assertEquals(observer.told, ["[closed]"]);
});

Deno.test("an output that fails without failing the write ends the connection", async () => {
  const observer = new RecordedObserver();
  // As the runtime's own stream for standard output does it.
  const output = new WritableStream<Uint8Array>({
    write: (_chunk, controller) => controller.error(new Error("nobody reads")),
  });
  const transport = new StdioTransport(new ReadableStream(), output);
  transport.open(observer);
  transport.send("{}");
  await observer.over;
  assertEquals([observer.told, transport.over], [["[closed]"], true]);
});

/** What a splitter tells of chunks: lines, or reasons in brackets. */
function split(chunks: readonly Uint8Array[], limit = 1000): string[] {
  const told: string[] = [];
  const splitter = new LineSplitter(limit, {
    line: (bytes) => told.push(utf8Text(bytes) ?? "[not UTF-8]"),
    unreadable: (reason) => told.push(`[${reason}]`),
  });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return told;
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("lines are told without their ends, blank ones not at all", () => {
  const cases: [text: string, lines: string[]][] = [
    ["", []],
    ["a", ["a"]],
    ["a\n", ["a"]],
    ["a\nb", ["a", "b"]],
    ["\n\na\n \t\r\n\nb\n\n", ["a", "b"]],
    ["a\r\n b \n", ["a\r", " b "]],
    ["a\rb\u2028c\n", ["a\rb\u2028c"]],
    ["\ufeffa\n", ["\ufeffa"]],
    ["\0\n", ["\0"]],
    ["\u00a0\u2028\ufeff\n\u00a0a\n", ["\u00a0a"]],
  ];
  for (const [text, lines] of cases) assertEquals(split([bytes(text)]), lines, text);
});

Deno.test("lines are the same however the stream is cut", () => {
  const whole = bytes('{"a":"ä"}\n\u{1f600}\r\n\nlast');
  const expected = split([whole]);
  assertEquals(expected.length, 3);
  for (let cut = 0; cut <= whole.length; cut++) {
    assertEquals(split([whole.subarray(0, cut), whole.subarray(cut)]), expected, `at ${cut}`);
  }
  assertEquals(split(Array.from(whole, (byte) => Uint8Array.of(byte))), expected);
});

Deno.test("a chunk may be used again once it was pushed", () => {
  const told: string[] = [];
  const splitter = new LineSplitter(10, {
    line: (bytes) => told.push(utf8Text(bytes) ?? ""),
    unreadable: (reason) => told.push(reason),
  });
  const chunk = bytes("ab");
  splitter.push(chunk);
  chunk.set(bytes("c\n"));
  splitter.push(chunk);
  assertEquals(told, ["abc"]);
});

Deno.test("a line that is too long or not UTF-8 is told of, and the next is read", () => {
  const tooLong = (length: number) => `[a line of ${length} bytes, the limit is 4]`;
  const cases: [chunks: Uint8Array[], told: string[]][] = [
    [[bytes("abcd\nabcde\nx\n")], ["abcd", tooLong(5), "x"]],
    [[bytes("ab"), bytes("cde"), bytes("fgh"), bytes("\nx")], [tooLong(8), "x"]],
    [[bytes("äöü\nä\n")], [tooLong(6), "ä"]],
    [[bytes("abcde")], [tooLong(5)]],
    [[Uint8Array.of(0xff, 0x0a), bytes("x")], ["[not UTF-8]", "x"]],
    [[bytes("ä").subarray(0, 1)], ["[not UTF-8]"]],
    [[Uint8Array.of(0xed, 0xa0, 0x80)], ["[not UTF-8]"]],
  ];
  for (const [chunks, told] of cases) assertEquals(split(chunks, 4), told);
});
