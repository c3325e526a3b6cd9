import { assert, assertEquals } from "@std/assert";
import { settled } from "../../support/patience.ts";
import {
  bash,
  inDirectory,
  PIPED,
  RecordedChild,
  runToEnd,
  type StartChild,
  touch,
  untilExists,
} from "../../support/recorded_child.ts";

const MIB = 1024 * 1024;

/** What the command reads. */
export function inputBehaviour(name: string, start: StartChild): void {
  Deno.test(`${name}: empty input is at its end`, async () => {
    const run = await runToEnd(start, { argv: bash("cat; echo $?") });
    assertEquals(run.text(), "0\n");
    assertEquals(await run.write("x"), "closed");
  });

  Deno.test(`${name}: input arrives in the order of the writes`, async () => {
    const run = await RecordedChild.start(start, { argv: ["head", "-n", "1000"], stdio: PIPED });
    const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}\n`);
    const outcomes = await Promise.all(lines.map((line) => run.write(line)));
    assert(outcomes.every((outcome) => outcome === "written"));
    await run.end();
    assertEquals(run.text(), lines.join(""));
  });

  Deno.test(`${name}: a write of nothing is written`, async () => {
    const run = await RecordedChild.start(start, { argv: ["cat"], stdio: PIPED });
    assertEquals(await run.write(""), "written");
    run.child.kill();
    await run.end();
  });

  Deno.test(`${name}: 8 MiB go through cat and come back`, async () => {
    const run = await RecordedChild.start(start, { argv: ["cat"], stdio: PIPED });
    const sent = new Uint8Array(8 * MIB);
    for (let offset = 0; offset < sent.length; offset += 65536) {
      crypto.getRandomValues(sent.subarray(offset, offset + 65536));
    }
    assertEquals(await settled(run.child.write(sent), "the write"), "written");
    await run.hears(sent.length);
    assertEquals(await digest(run.bytes("stdout")), await digest(sent));
    run.child.kill();
    await run.end();
  });

  Deno.test(`${name}: closeInput ends the input behind what waits to be written`, async () => {
    const run = await RecordedChild.start(start, { argv: ["cat"], stdio: PIPED });
    const writes = [run.child.write(new Uint8Array(MIB)), run.write("last")];
    run.child.closeInput();
    assertEquals(await run.write("too late"), "closed");
    assertEquals(await settled(Promise.all(writes), "the writes"), ["written", "written"]);
    run.child.closeInput();
    await run.end();
    assertEquals([run.bytesTold, run.exitCode], [MIB + 4, 0]);
  });

  Deno.test(`${name}: closeInput before any write ends the input`, async () => {
    const run = await RecordedChild.start(start, { argv: ["cat"], stdio: PIPED });
    run.child.closeInput();
    await run.end();
    assertEquals(run.exitCode, 0);
  });

  Deno.test(`${name}: a write settles when the command has read enough, not before`, () =>
    inDirectory(async (cwd) => {
      const run = await RecordedChild.start(start, {
        argv: bash(`touch ready; until [ -e go ]; do sleep 0.01; done; head -c ${MIB} | wc -c`),
        cwd,
        stdio: PIPED,
      });
      let outcome: string | undefined;
      const write = run.child.write(new Uint8Array(MIB)).then((end) => outcome = end);
      await untilExists(`${cwd}/ready`);
      assertEquals(outcome, undefined);
      await touch(`${cwd}/go`);
      assertEquals(await settled(write, "the write"), "written");
      await run.end();
      assertEquals(run.text().trim(), String(MIB));
    }));

  Deno.test(`${name}: a write that waits is closed by the exit`, () =>
    inDirectory(async (cwd) => {
      const run = await RecordedChild.start(start, {
        argv: bash("until [ -e go ]; do sleep 0.01; done"),
        cwd,
        stdio: PIPED,
      });
      const writes = [run.child.write(new Uint8Array(MIB)), run.write("behind it")];
      await touch(`${cwd}/go`);
      assertEquals(await settled(Promise.all(writes), "the writes"), ["closed", "closed"]);
      await run.end();
      assertEquals(await run.write("x"), "closed");
    }));

  Deno.test(`${name}: a write after the exit is closed though a descendant could read`, () =>
    inDirectory(async (cwd) => {
      const run = await RecordedChild.start(start, {
        argv: bash("exec 3<&0; (until [ -e go ]; do sleep 0.01; done; cat <&3) & exit 0"),
        cwd,
        stdio: PIPED,
      });
      await run.exit();
      assertEquals(await run.write("x"), "closed");
      await touch(`${cwd}/go`);
      await run.end();
      assertEquals(run.text(), "");
    }));

  Deno.test(`${name}: a write is closed once the command has closed its input`, () =>
    inDirectory(async (cwd) => {
      const run = await RecordedChild.start(start, {
        argv: bash("exec <&-; touch closed; until [ -e go ]; do sleep 0.01; done"),
        cwd,
        stdio: PIPED,
      });
      await untilExists(`${cwd}/closed`);
      assertEquals(await settled(run.write("x"), "the write"), "closed");
      assertEquals(await settled(run.write("x"), "the write"), "closed");
      await touch(`${cwd}/go`);
      await run.end();
      assertEquals(run.exitCode, 0);
    }));
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
