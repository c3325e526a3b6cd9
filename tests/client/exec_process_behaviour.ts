import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { ErrorCode, type ExecProcess, RpcError, type StartParams } from "../../src/client/mod.ts";
import { settled } from "../support/patience.ts";
import { bytes, command, Followed, shell } from "../support/followed.ts";

export type Start = (params: StartParams) => Promise<ExecProcess>;

/** A test with a way of starting processes that is there for its duration. */
export type WithStart = (test: (start: Start) => Promise<void>) => () => Promise<void>;

/** Registers the tests that every implementation of `ExecProcess` has to pass. */
export function execProcessBehaviour(name: string, withStart: WithStart): void {
  const test = (what: string, action: (start: Start) => Promise<void>) =>
    Deno.test({
      name: `${name}: ${what}`,
      fn: withStart(action),
      // What serves all processes of a program lives as long as the program.
      sanitizeOps: false,
      sanitizeResources: false,
    });

  test("events are numbered from 1 without gaps, closed is the last", async (start) => {
    const process = await start(shell("echo out; echo err >&2; exit 7"));
    const followed = new Followed(process);
    await followed.end();
    assertEquals(followed.text("stdout"), "out\n");
    assertEquals(followed.text("stderr"), "err\n");
    assertEquals(followed.kinds, ["output", "exited", "closed"]);
    assertEquals(
      followed.events.map((event) => event.kind === "failed" ? 0 : event.seq),
      followed.events.map((_, index) => index + 1),
    );
    assertEquals(await process.completion, { exitCode: 7, sandboxDenied: false });
  });

  test("output of a descendant comes after the exit", async (start) => {
    const process = await start(
      command(["bash", "-c", "exec 3<&0; (read <&3; sleep 0.1; echo late) & exit 4"], {
        pipeStdin: true,
      }),
    );
    const followed = new Followed(process);
    await followed.end();
    assertEquals(followed.text(), "late\n");
    assertEquals(followed.exitCode, 4);
    assertEquals(followed.kinds, ["exited", "output", "closed"]);
  });

  test("completion needs nobody to take the events", async (start) => {
    const process = await start(shell("head -c 300000 /dev/zero; exit 3"));
    assertEquals((await settled(process.completion, "completion")).exitCode, 3);
  });

  test("completion tells that the time was up", async (start) => {
    const process = await start(command(["sleep", "3600"], { timeoutMs: 50 }));
    const completion = await settled(process.completion, "completion");
    assertEquals(completion, { exitCode: 143, sandboxDenied: false, timedOut: true });
  });

  test("a consumer that stops early holds nothing up", async (start) => {
    const process = await start(shell("head -c 3000000 /dev/zero; exit 3"));
    for await (const event of process) {
      assertEquals(event.kind, "output");
      break;
    }
    assertEquals((await settled(process.completion, "completion")).exitCode, 3);
  });

  test("a slow consumer misses nothing", async (start) => {
    const process = await start(shell("seq 1 100000; exit 2"));
    await settled(process.completion, "completion");
    const followed = new Followed(process);
    await followed.end();
    const expected = Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join("");
    assertEquals(followed.failure, undefined);
    assert(followed.text() === expected, "every line once and in order");
    assertEquals(followed.exitCode, 2);
  });

  test("input goes in, and its end", async (start) => {
    const process = await start(shell("cat; echo over", { pipeStdin: true }));
    const followed = new Followed(process);
    assertEquals(await process.write(bytes("one\n")), "accepted");
    assertEquals(await process.write(bytes("two\n")), "accepted");
    await process.closeStdin();
    await followed.end();
    assertEquals(followed.text(), "one\ntwo\nover\n");
    assertEquals(await process.write(bytes("x")), "stdinClosed");
  });

  test("many writes at once arrive in their order", async (start) => {
    const process = await start(command(["cat"], { pipeStdin: true }));
    const followed = new Followed(process);
    const lines = Array.from({ length: 500 }, (_, index) => `line ${index}\n`);
    const writes = lines.map((line) => process.write(bytes(line)));
    const end = process.closeStdin();
    assert((await Promise.all(writes)).every((status) => status === "accepted"));
    await end;
    await followed.end();
    assertEquals(followed.text(), lines.join(""));
  });

  test("without a pipe the input is at its end", async (start) => {
    const process = await start(shell("cat; echo over; exec sleep 60"));
    const followed = new Followed(process);
    await followed.says(/over/);
    assertEquals(await process.write(bytes("x")), "stdinClosed");
    await process.terminate();
    await followed.end();
  });

  test("an interrupt reaches the command's handler", async (start) => {
    const process = await start(
      shell("trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done"),
    );
    const followed = new Followed(process);
    await followed.says(/ready/);
    await process.signal("interrupt");
    await followed.end();
    assertEquals(followed.text(), "ready\ncaught\n");
    assertEquals(followed.exitCode, 9);
  });

  test("an interrupt ends a command without a handler", async (start) => {
    const process = await start(shell("echo ready; exec sleep 60"));
    const followed = new Followed(process);
    await followed.says(/ready/);
    await process.signal("interrupt");
    await followed.end();
    assertEquals(followed.exitCode, 130);
    await process.signal("interrupt");
  });

  test("terminate kills, once", async (start) => {
    const process = await start(shell("trap '' INT TERM; echo ready; while :; do sleep 1; done"));
    const followed = new Followed(process);
    await followed.says(/ready/);
    assertEquals(await process.terminate(), true);
    await followed.end();
    assertEquals(followed.exitCode, 137);
    assertEquals(await process.terminate(), false);
  });

  test("retained output can be read, and waited for", async (start) => {
    const process = await start(shell("echo first; read x; echo $x", { pipeStdin: true }));
    const followed = new Followed(process);
    await followed.says(/first/);
    const before = await process.read();
    assertEquals(before.chunks.map(({ chunk }) => new TextDecoder().decode(chunk)), ["first\n"]);
    assertEquals([before.exited, before.closed, before.exitCode], [false, false, null]);
    const next = process.read({ afterSeq: before.nextSeq - 1, waitMs: 60_000 });
    await process.write(bytes("second\n"));
    const after = await settled(next, "the read");
    assertEquals(new TextDecoder().decode(after.chunks[0]?.chunk), "second\n");
    await followed.end();
    const last = await process.read({ afterSeq: after.nextSeq - 1 });
    assertEquals([last.exited, last.closed, last.exitCode], [true, true, 0]);
  });

  test("on a terminal output is one stream and the size can change", async (start) => {
    const process = await start(
      command(
        [
          "bash",
          "-c",
          "trap 'stty size' WINCH; stty size; while read line; do echo got $line; done",
        ],
        { tty: true, terminalSize: { rows: 30, cols: 100 } },
      ),
    );
    const followed = new Followed(process);
    await followed.says(/30 100/, "pty");
    await process.resize({ rows: 40, cols: 120 });
    await process.write(bytes("hello\n"));
    await followed.says(/got hello/, "pty");
    await followed.says(/40 120/, "pty");
    await assertRejects(() => process.closeStdin(), RpcError);
    await process.write(Uint8Array.of(4));
    await followed.end();
    assertEquals(followed.exitCode, 0);
    assertEquals(followed.text("stdout"), "");
  });

  test("Ctrl-C on a terminal interrupts", async (start) => {
    const process = await start(shell("echo ready; exec sleep 60", { tty: true }));
    const followed = new Followed(process);
    await followed.says(/ready/, "pty");
    await process.write(Uint8Array.of(3));
    await followed.end();
    assertEquals(followed.exitCode, 130);
  });

  test("the environment is the one asked for", async (start) => {
    const process = await start(command(["/usr/bin/env"], { env: { A: "1", B: "two words" } }));
    const followed = new Followed(process);
    await followed.end();
    assertEquals(followed.text(), "A=1\nB=two words\n");
  });

  test("processes made without a name get different ones", async (start) => {
    const [first, second] = await Promise.all([start(shell("exit")), start(shell("exit"))]);
    assertNotEquals(first.processId, second.processId);
    await Promise.all([first.completion, second.completion]);
  });

  for (
    const [what, params, code] of [
      ["a program that is not there", command(["/nonexistent"]), ErrorCode.Internal],
      ["a directory that is not there", shell("", { cwd: "file:///nope" }), ErrorCode.Internal],
      ["an empty command line", command([]), ErrorCode.InvalidParams],
      ["a foreign directory", shell("", { cwd: "file:///C:/" }), ErrorCode.InvalidParams],
      ["no path URI", shell("", { cwd: "/tmp" }), ErrorCode.InvalidParams],
    ] as const
  ) {
    test(`${what} is refused with ${code}`, async (start) => {
      const error = await assertRejects(() => start(params), RpcError);
      assertEquals(error.code, code);
    });
  }
}
