import { assert, assertEquals } from "@std/assert";
import { eventually } from "../../support/patience.ts";
import {
  bash,
  isAlive,
  RecordedChild,
  runToEnd,
  type StartChild,
  TERMINAL,
} from "../../support/recorded_child.ts";

/** What reaches the command's process group, and who dies with it. */
export function signalBehaviour(name: string, start: StartChild): void {
  // A shell handles a signal after the program that it waits for, which may be too young to die of it.
  for (const [action, signal] of [["interrupt", "INT"], ["requestEnd", "TERM"]] as const) {
    Deno.test(`${name}: ${action} reaches the command's handler`, async () => {
      const run = await RecordedChild.start(start, {
        argv: bash(`trap 'echo got ${signal}; exit 9' ${signal}
          echo ready; while :; do sleep 0.1; done`),
      });
      await run.says(/ready/);
      run.child[action]();
      await run.end();
      assertEquals([run.text(), run.exitCode], [`ready\ngot ${signal}\n`, 9]);
    });

    Deno.test(`${name}: ${action} reaches the whole group, and kills where nobody handles it`, async () => {
      const run = await RecordedChild.start(start, {
        argv: [
          "sh",
          "-c",
          `sh -c 'trap "echo inner; exit" ${signal}; echo ready; while :; do sleep 0.1; done'`,
        ],
      });
      await run.says(/ready/);
      run.child[action]();
      await run.end();
      assertEquals(run.text(), "ready\ninner\n");
      assert(
        run.exitCode === (signal === "INT" ? 130 : 143) || run.exitCode === 0,
        `${run.exitCode}`,
      );
    });
  }

  for (
    const [where, prefix] of [["in the group", ""], ["that left the group", "setsid "]] as const
  ) {
    Deno.test(`${name}: kill takes descendants ${where}`, async () => {
      const run = await RecordedChild.start(start, {
        argv: bash(`${prefix}bash -c '${prefix}sleep 600 & echo $!; wait' & echo $!; wait`),
      });
      await run.says(/\d+\n\d+\n/);
      const pids = run.text().trim().split("\n").map(Number);
      run.child.kill();
      await run.end();
      assertEquals(run.exitCode, 137);
      await eventually(() => !pids.some(isAlive), "the descendants' death");
    });
  }

  Deno.test(`${name}: kill takes all of a command that goes on starting others`, async () => {
    const marker = crypto.randomUUID();
    const run = await RecordedChild.start(start, {
      argv: bash(
        "for i in {1..500}; do setsid bash -c 'echo x; exec sleep 600' $0 & done; wait",
        marker,
      ),
      env: { PATH: "/usr/bin:/bin", MARKER: marker },
    });
    await run.says(/(x\n){3}/);
    run.child.kill();
    await run.exit();
    assertEquals(run.exitCode, 137);
    await eventually(() => !aliveWith(marker), "the descendants' death");
    await run.end();
  });

  Deno.test(`${name}: kill also ends a stopped command`, async () => {
    const run = await RecordedChild.start(start, { argv: bash("echo ready; kill -STOP $$") });
    await run.says(/ready/);
    run.child.kill();
    await run.end();
    assertEquals(run.exitCode, 137);
  });

  Deno.test(`${name}: signals after the end do nothing`, async () => {
    for (const stdio of [undefined, TERMINAL]) {
      const run = await runToEnd(start, { argv: ["true"], ...stdio && { stdio } });
      run.child.interrupt();
      run.child.requestEnd();
      run.child.kill();
      run.child.resize({ rows: 1, cols: 1 });
      run.child.pause();
      run.child.resume();
      run.child.abandon();
      assertEquals(run.told, ["exited", "ended"]);
    }
  });
}

/** Whether a process with this text in its environment is there. */
function aliveWith(marker: string): boolean {
  return Array.from(Deno.readDirSync("/proc"), (entry) => Number(entry.name))
    .filter((pid) => pid > 0 && isAlive(pid))
    .some((pid) => {
      try {
        return Deno.readTextFileSync(`/proc/${pid}/environ`).includes(marker);
      } catch {
        return false;
      }
    });
}
