import { assert, assertEquals } from "@std/assert";
import {
  bash,
  inDirectory,
  RecordedChild,
  runToEnd,
  type StartChild,
  touch,
  untilExists,
} from "../../support/recorded_child.ts";

const MIB = 1024 * 1024;

/** What the command writes, when it ends, and in which order this is told. */
export function outputBehaviour(name: string, start: StartChild): void {
  Deno.test(`${name}: the two streams are kept apart and in order`, async () => {
    const run = await runToEnd(start, {
      argv: bash("for i in {1..300}; do echo out $i; echo err $i >&2; done"),
    });
    const numbers = Array.from({ length: 300 }, (_, index) => index + 1);
    assertEquals(run.text("stdout"), numbers.map((number) => `out ${number}\n`).join(""));
    assertEquals(run.text("stderr"), numbers.map((number) => `err ${number}\n`).join(""));
  });

  Deno.test(`${name}: any bytes pass unchanged`, async () => {
    const octal = Array.from(
      { length: 256 },
      (_, byte) => `\\${byte.toString(8).padStart(3, "0")}`,
    );
    const run = await runToEnd(start, { argv: ["/usr/bin/printf", octal.join("")] });
    assertEquals(run.bytes("stdout"), Uint8Array.from({ length: 256 }, (_, byte) => byte));
  });

  Deno.test(`${name}: 64 MiB of output are complete`, async () => {
    const size = 64 * MIB;
    const run = await runToEnd(start, { argv: bash(`yes 0123456 | head -c ${size}`) });
    assertEquals(run.bytesTold, size);
    const expected = new TextEncoder().encode("0123456\n");
    const different = run.bytes("stdout").findIndex((byte, index) => byte !== expected[index % 8]);
    assertEquals(different, -1);
  });

  for (const code of [0, 1, 42, 255]) {
    Deno.test(`${name}: exit code ${code}`, async () => {
      assertEquals((await runToEnd(start, { argv: bash(`exit ${code}`) })).exitCode, code);
    });
  }

  for (const [signal, number] of [["HUP", 1], ["KILL", 9], ["SEGV", 11], ["TERM", 15]] as const) {
    Deno.test(`${name}: death by SIG${signal} is exit code ${128 + number}`, async () => {
      const run = await runToEnd(start, { argv: bash(`ulimit -c 0; kill -${signal} $$`) });
      assertEquals(run.exitCode, 128 + number);
    });
  }

  Deno.test(`${name}: output comes before the exit that follows it`, async () => {
    for (let round = 0; round < 20; round++) {
      const run = await runToEnd(start, {
        argv: bash("head -c 60000 /dev/zero; echo x >&2; exit 3"),
      });
      assertEquals(run.bytesTold, 60002);
      assertEquals(run.told.slice(-2), ["exited", "ended"]);
    }
  });

  Deno.test(`${name}: without output there is still an exit, then the end`, async () => {
    assertEquals((await runToEnd(start, { argv: ["true"] })).told, ["exited", "ended"]);
  });

  Deno.test(`${name}: a descendant's late output comes after the exit and before the end`, () =>
    inDirectory(async (cwd) => {
      const run = await RecordedChild.start(start, {
        argv: bash("(until [ -e go ]; do sleep 0.01; done; echo late) & echo early; exit 7"),
        cwd,
      });
      await run.exit();
      assertEquals(run.exitCode, 7);
      assertEquals(run.told, ["stdout", "exited"]);
      await touch(`${cwd}/go`);
      await run.end();
      assertEquals(run.told, ["stdout", "exited", "stdout", "ended"]);
      assertEquals(run.text(), "early\nlate\n");
    }));

  Deno.test(`${name}: a descendant that never stops writing does not hold up the exit`, async () => {
    const run = await RecordedChild.start(start, { argv: bash("yes & echo $! >&2; exit 7") });
    const pid = await run.says(/\d+/, "stderr");
    await run.exit();
    assertEquals(run.exitCode, 7);
    assert(!run.ended);
    Deno.kill(Number(pid), "SIGKILL");
    await run.end();
  });

  Deno.test(`${name}: a command that closes its output runs on, and its exit is told`, () =>
    inDirectory(async (cwd) => {
      const run = await RecordedChild.start(start, {
        argv: bash("exec >&- 2>&-; touch closed; until [ -e go ]; do sleep 0.01; done; exit 5"),
        cwd,
      });
      await untilExists(`${cwd}/closed`);
      assertEquals(run.told, []);
      await touch(`${cwd}/go`);
      await run.end();
      assertEquals(run.told, ["exited", "ended"]);
      assertEquals(run.exitCode, 5);
    }));

  Deno.test(`${name}: after abandon nothing is told, and writers lose their reader`, () =>
    inDirectory(async (cwd) => {
      const run = await RecordedChild.start(start, {
        argv: bash("(yes; touch stopped) & echo x; exit 0"),
        cwd,
      });
      await run.exit();
      run.child.abandon();
      const { told: { length }, bytesTold } = run;
      await untilExists(`${cwd}/stopped`);
      assertEquals([run.told.length, run.bytesTold], [length, bytesTold]);
    }));
}
