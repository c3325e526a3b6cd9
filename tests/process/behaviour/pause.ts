import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { eventually } from "../../support/patience.ts";
import {
  bash,
  EMPTY,
  inDirectory,
  isAlive,
  RecordedChild,
  runToEnd,
  type StartChild,
  TERMINAL,
  touch,
  untilExists,
} from "../../support/recorded_child.ts";

const MIB = 1024 * 1024;
/** More than pipes and buffers on the way hold. */
const HELD_AT_MOST = MIB;

/** Back pressure: a paused child waits, and nothing is lost. */
export function pauseBehaviour(name: string, start: StartChild): void {
  for (const stdio of [EMPTY, TERMINAL]) {
    Deno.test(`${name}: a paused child waits for its full ${stdio.kind}`, async () => {
      const size = 4 * MIB;
      const run = await RecordedChild.start(start, {
        argv: ["head", "-c", String(size), "/dev/zero"],
        stdio,
      });
      run.child.pause();
      await untilBlockedWriting(run.child.pid);
      assert(run.bytesTold < HELD_AT_MOST, `${run.bytesTold} bytes`);
      assertEquals(run.exitCode, undefined);
      run.child.resume();
      await run.end();
      assertEquals([run.bytesTold, run.exitCode], [size, 0]);
    });

    Deno.test(`${name}: an exit during a pause is told after it, with all output (${stdio.kind})`, () =>
      inDirectory(async (cwd) => {
        const run = await RecordedChild.start(start, {
          argv: bash("until [ -e go ]; do sleep 0.01; done; printf %3000s x; exit 4"),
          cwd,
          stdio,
        });
        run.child.pause();
        await touch(`${cwd}/go`);
        await eventually(() => !isAlive(run.child.pid), "the child's death");
        assertEquals(run.exitCode, undefined);
        await eventually(() => !run.child.requestEnd(), "the end to be known");
        run.child.resume();
        await run.end();
        assertEquals([run.bytesTold, run.exitCode], [3000, 4]);
        assertEquals(run.told.slice(-2), ["exited", "ended"]);
      }));
  }

  Deno.test(`${name}: a pause from within the output holds for what follows`, async () => {
    let paused = false;
    let toldInPause = 0;
    const run = await RecordedChild.start(start, {
      argv: bash("head -c 200000 /dev/zero; head -c 20000 /dev/zero >&2; exit 6"),
      onTold: (_told, run) => {
        if (paused) toldInPause++;
        if (run.exitCode !== undefined) return;
        paused = true;
        run.child.pause();
        setTimeout(() => {
          paused = false;
          run.child.resume();
        });
      },
    });
    await run.end();
    assertEquals(toldInPause, 0);
    assertEquals([run.bytesTold, run.exitCode], [220000, 6]);
    assertEquals(run.told.slice(-2), ["exited", "ended"]);
  });

  Deno.test(`${name}: pausing and resuming again and again loses nothing`, async () => {
    const run = await RecordedChild.start(start, {
      argv: bash(`yes 0123456 | head -c ${8 * MIB}`),
    });
    for (let round = 0; !run.ended; round++) {
      run.child.pause();
      run.child.pause();
      await delay(1);
      run.child.resume();
      await delay(round % 3);
    }
    assertEquals(run.text().replaceAll("0123456\n", ""), "");
    assertEquals(run.bytesTold, 8 * MIB);
  });

  Deno.test(`${name}: a descendant's output waits for the end of a pause too`, () =>
    inDirectory(async (cwd) => {
      const run = await RecordedChild.start(start, {
        argv: bash("(until [ -e go ]; do sleep 0.01; done; echo late; touch written) & exit 0"),
        cwd,
      });
      await run.exit();
      run.child.pause();
      await touch(`${cwd}/go`);
      await untilExists(`${cwd}/written`);
      assertEquals(run.told, ["exited"]);
      run.child.resume();
      await run.end();
      assertEquals(run.told, ["exited", "stdout", "ended"]);
    }));

  Deno.test(`${name}: abandon from within the output is final`, async () => {
    const run = await RecordedChild.start(start, {
      argv: bash("head -c 200000 /dev/zero; exit 0"),
      onTold: (_told, run) => run.child.abandon(),
    });
    await eventually(() => run.told.length > 0 && !isAlive(run.child.pid), "the child's death");
    const other = await runToEnd(start, { argv: ["true"] });
    assertEquals([run.told, other.told], [["stdout"], ["exited", "ended"]]);
  });
}

/** Waits until the process hangs in write(2) (proc_pid_syscall(5), proc_pid_wchan(5)). */
async function untilBlockedWriting(pid: number): Promise<void> {
  await eventually(async () => {
    const wchan = await Deno.readTextFile(`/proc/${pid}/wchan`);
    return /pipe_write|n_tty_write|wait_woken|sock_alloc|unix_stream/.test(wchan);
  }, "a full pipe");
}
