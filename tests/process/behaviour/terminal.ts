import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  bash,
  inDirectory,
  PLAIN_ENV,
  RecordedChild,
  runToEnd,
  type StartChild,
  TERMINAL,
  touch,
} from "../../support/recorded_child.ts";

/** Commands on a pseudo-terminal. */
export function terminalBehaviour(name: string, start: StartChild): void {
  const terminal = (script: string, more: { cwd?: string; env?: Record<string, string> } = {}) =>
    RecordedChild.start(start, { argv: bash(script), stdio: TERMINAL, ...more });
  const toEnd = async (script: string) => {
    const run = await terminal(script);
    await run.end();
    return run;
  };

  Deno.test(`${name}: a terminal is on all three descriptors and controls the command`, async () => {
    const run = await toEnd("tty; tty <&1; tty <&2; ps -o tty= -p $$; echo x >/dev/tty");
    const [first = "", ...others] = run.text("pty").split("\r\n");
    assertMatch(first, /^\/dev\//);
    assertEquals(others, [first, first, first.replace("/dev/", ""), "x", ""]);
    assertEquals(run.told, ["pty", "exited", "ended"]);
  });

  Deno.test(`${name}: a command on a terminal finds what it was given`, () =>
    inDirectory(async (cwd) => {
      const given = { argv: bash('printf \'%s|\' "$0" "$@"; pwd -P', "ü", "a b", ""), cwd };
      const run = await runToEnd(start, { ...given, stdio: TERMINAL });
      assertEquals(run.text("pty"), `ü|a b||${cwd}\r\n`);
      const named = ["bash", "-c", 'printf %s "$0"'];
      const renamed = await runToEnd(start, { argv: named, arg0: "-other", stdio: TERMINAL });
      assertEquals(renamed.text("pty"), "-other");
      const env = { A: "ü", B: "" };
      const exact = await runToEnd(start, { argv: ["/usr/bin/env"], env, stdio: TERMINAL });
      assertEquals(exact.text("pty"), "A=ü\r\nB=\r\n");
    }));

  Deno.test(`${name}: the terminal has the size asked for, and tells of a new one`, async () => {
    const run = await RecordedChild.start(start, {
      argv: bash("trap 'stty size; exit 8' WINCH; stty size; while :; do sleep 0.02; done"),
      stdio: { kind: "pty", size: { rows: 31, cols: 97 } },
    });
    await run.says(/31 97/, "pty");
    run.child.resize({ rows: 12, cols: 345 });
    await run.end();
    assertEquals([run.text("pty"), run.exitCode], ["31 97\r\n12 345\r\n", 8]);
  });

  Deno.test(`${name}: what is typed is echoed and read, and Ctrl-D ends it`, async () => {
    const run = await terminal("cat; echo end");
    assertEquals(await run.write("typed\n"), "written");
    await run.says(/typed\r\ntyped\r\n/, "pty");
    await run.write("\x04");
    await run.end();
    assertEquals(run.text("pty"), "typed\r\ntyped\r\nend\r\n");
  });

  Deno.test(`${name}: Ctrl-C interrupts what runs in the foreground`, async () => {
    const run = await terminal(
      "trap 'echo got it; exit 3' INT; echo ready; while :; do sleep 0.1; done",
    );
    await run.says(/ready/, "pty");
    await run.write("\x03");
    await run.end();
    assertMatch(run.text("pty"), /got it/);
    assertEquals(run.exitCode, 3);
  });

  Deno.test(`${name}: an interrupt reaches the command on a terminal`, async () => {
    const run = await terminal(
      "trap 'echo got it; exit 3' INT; echo ready; while :; do sleep 0.1; done",
    );
    await run.says(/ready/, "pty");
    run.child.interrupt();
    await run.end();
    assertEquals(run.text("pty"), "ready\r\ngot it\r\n");
  });

  Deno.test(`${name}: an interactive shell has job control`, async () => {
    const run = await RecordedChild.start(start, {
      argv: ["bash", "--norc", "--noprofile", "-i"],
      env: { ...PLAIN_ENV, PS1: "> ", TERM: "dumb" },
      stdio: TERMINAL,
    });
    await run.says(/> $/, "pty");
    await run.write("sleep 600\n");
    await run.says(/sleep 600\r\n$/, "pty");
    await run.write("\x1a");
    await run.says(/Stopped/, "pty");
    await run.write("fg\n");
    await run.says(/fg\r\nsleep 600\r\n$/, "pty");
    await run.write("\x03");
    await run.says(/\^C\r\n> $/, "pty");
    await run.write("exit 5\n");
    await run.end();
    assert(!/no job control/.test(run.text("pty")));
    assertEquals(run.exitCode, 5);
  });

  Deno.test(`${name}: a terminal's output is complete however soon the command exits`, async () => {
    for (const size of [1, 4095, 4096, 12000, 65536, 1048576]) {
      for (let round = 0; round < 5; round++) {
        const run = await toEnd(`head -c ${size} /dev/zero | tr '\\0' x; exit 2`);
        assertEquals([run.bytesTold, run.exitCode], [size, 2]);
        // The exit may be told first, the end only when all has been.
        assertEquals(run.told.toSorted(), ["ended", "exited", "pty"]);
        assertEquals(run.told.at(-1), "ended");
      }
    }
  });

  Deno.test(`${name}: a terminal's exit is told while a descendant holds it open`, () =>
    inDirectory(async (cwd) => {
      const run = await terminal(
        "trap '' HUP; (until [ -e go ]; do sleep 0.01; done; echo late) & printf %9000s x; exit 7",
        { cwd },
      );
      await run.exit();
      assertEquals([run.told, run.bytesTold, run.exitCode], [["pty", "exited"], 9000, 7]);
      await touch(`${cwd}/go`);
      await run.end();
      assertMatch(run.text("pty"), /xlate\r\n$/);
      assertEquals(run.told, ["pty", "exited", "pty", "ended"]);
    }));

  Deno.test(`${name}: a command on a terminal dies by its signal, and by kill`, async () => {
    assertEquals((await toEnd("kill -TERM $$")).exitCode, 143);
    const run = await terminal("echo ready; sleep 600");
    await run.says(/ready/, "pty");
    run.child.kill();
    await run.end();
    assertEquals(run.exitCode, 137);
    assertEquals(await run.write("x"), "closed");
  });

  Deno.test(`${name}: two terminals are two`, async () => {
    const [one, other] = await Promise.all([toEnd("tty; sleep 0.1"), toEnd("tty; sleep 0.1")]);
    assertNotEquals(one.text("pty"), other.text("pty"));
  });

  Deno.test(`${name}: closeInput leaves a terminal as it is`, async () => {
    const run = await terminal("read line; echo $line");
    run.child.closeInput();
    assertEquals(await run.write("typed\n"), "written");
    await run.end();
    assertEquals(run.text("pty"), "typed\r\ntyped\r\n");
  });

  Deno.test(`${name}: a large paste arrives whole`, async () => {
    const run = await terminal("stty raw -echo; echo ready; head -c 300000 | sha256sum; exit 0");
    await run.says(/ready/, "pty");
    const text = Array.from({ length: 30000 }, (_, index) => String(index).padStart(9) + "\n").join(
      "",
    );
    assertEquals(await run.write(text), "written");
    await run.end();
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    assertMatch(run.text("pty"), new RegExp(new Uint8Array(digest).toHex()));
  });
}
