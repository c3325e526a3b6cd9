import { assertEquals } from "@std/assert";
import { finalStage } from "../../../src/sandbox/linux/final_stage.ts";
import type { CommandToSandbox } from "../../../src/sandbox/mechanism.ts";

const TOOLS = { env: "/usr/bin/env", perl: "/usr/bin/perl", setsid: "/usr/bin/setsid" };
const OLD = { pwd: "/ws", canSetArg0: false };
const NEW = { pwd: "/ws", canSetArg0: true };

function command(changes: Partial<CommandToSandbox>): CommandToSandbox {
  return { argv: ["cmd", "-x"], cwd: "/ws", env: { PWD: "/ws" }, terminal: false, ...changes };
}

/** The programs that run before the command, and the name that bubblewrap gives. */
function stages(
  changes: Partial<CommandToSandbox>,
  habits = OLD,
  tools: Partial<typeof TOOLS> = TOOLS,
) {
  const stage = finalStage(command(changes), habits, tools);
  if (stage.kind === "refused") return stage.reason;
  return [...stage.argv, ...stage.arg0 === undefined ? [] : [`as ${stage.arg0}`]];
}

Deno.test("a command that is right as it is runs as it is", () => {
  assertEquals(stages({}), ["cmd", "-x"]);
  assertEquals(stages({ arg0: "cmd" }), ["cmd", "-x"]);
});

Deno.test("PWD is put back, or taken away", () => {
  assertEquals(stages({ env: {} }), ["/usr/bin/env", "-u", "PWD", "cmd", "-x"]);
  assertEquals(stages({ env: { PWD: "/other" } }), ["/usr/bin/env", "PWD=/other", "cmd", "-x"]);
});

Deno.test("a shell finds out PWD itself, unless it was told another", () => {
  for (const shell of ["sh", "/bin/bash", "/usr/bin/zsh"]) {
    const argv = [shell, "-c", "true"];
    assertEquals(stages({ argv, env: {} }), argv);
    assertEquals(stages({ argv, env: { PWD: "/link" } })[1], "PWD=/link");
  }
  assertEquals(stages({ argv: ["fish"], env: {} })[0], "/usr/bin/env");
  assertEquals(stages({ argv: ["/bin/sh/other"], env: {} })[0], "/usr/bin/env");
});

Deno.test("a new bubblewrap gives the name itself, as long as nothing comes between", () => {
  assertEquals(stages({ arg0: "name" }, NEW), ["cmd", "-x", "as name"]);
  assertEquals(stages({ arg0: "name", terminal: true }, NEW).includes("as name"), false);
  assertEquals(stages({ arg0: "name", env: {} }, NEW).includes("as name"), false);
});

Deno.test("perl gives a name where bubblewrap cannot", () => {
  const stage = stages({ arg0: "name", env: {} });
  assertEquals(
    [stage[0], ...stage.slice(-6)],
    ["/usr/bin/perl", "", "", "name", "cmd", "-x"].toSpliced(1, 0, "--"),
  );
});

Deno.test("perl is not used where its own variables are set", () => {
  assertEquals(
    stages({ arg0: "name", env: { PERL5OPT: "-Mx" } }),
    "giving a sandboxed command another name (arg0) needs bubblewrap 0.9 or newer, or perl",
  );
});

Deno.test("env would take a name with `=` for a variable", () => {
  assertEquals(stages({ argv: ["a=b"], env: {} })[0], "/usr/bin/perl");
});

Deno.test("on a terminal the command becomes the leader of a session of its own", () => {
  assertEquals(stages({ terminal: true }), ["/usr/bin/setsid", "--ctty", "--", "cmd", "-x"]);
  assertEquals(stages({ terminal: true }, OLD, {}), ["cmd", "-x"]);
});

Deno.test("what cannot be done exactly is refused", () => {
  assertEquals(
    stages({ env: {} }, OLD, {}),
    "keeping PWD as it was asked for needs env(1) or perl inside the sandbox",
  );
});
