import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import { workspaceWrite } from "../context.ts";
import { testScene } from "./scene.ts";
import { run, type RunOptions } from "./sandboxed_run.ts";

const ODD = "é\u{1f600} a\tb\n'\"$(x)`\\";

function inside(argv: readonly string[], options: RunOptions) {
  return run(argv, { entries: workspaceWrite, ...options });
}

testScene("arguments arrive as they are", "", async ({ workspace, user }) => {
  const argv = ["/usr/bin/printf", "%s\\0", "", ODD, "--bind", "-", "--"];
  const { stdout } = await inside(argv, { cwd: workspace, user });
  assertEquals(stdout, argv.slice(2).map((text) => `${text}\0`).join(""));
});

for (
  const [what, env] of [
    ["empty", {}],
    ["odd", { "A B": ODD, EMPTY: "", LD_PRELOAD: "", "\u00e9": "1", _: "x" }],
    ["with another PWD", { PWD: "/elsewhere", OLDPWD: "/x" }],
    ["that could stray into the wrapper", { PATH: "/bin", BWRAP: "1", HOME: "", SHLVL: "7" }],
  ] as const
) {
  testScene(`an environment that is ${what} arrives as it is`, "", async ({ workspace, user }) => {
    const { stdout, stderr } = await inside(["/usr/bin/env", "-0"], { cwd: workspace, user, env });
    const expected = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    assertEquals(stdout.split("\0").slice(0, -1).sort(), expected.sort(), stderr);
  });
}

testScene("PWD that is right stays", "", async ({ workspace, user }) => {
  const env = { PWD: await Deno.realPath(workspace) };
  const { stdout } = await inside(["/usr/bin/env"], { cwd: workspace, user, env });
  assertEquals(stdout, `PWD=${env.PWD}\n`);
});

testScene(
  "the working directory is the one asked for, whatever its name",
  "mkdir 'ws/a b\u00e9\"'",
  async (scene) => {
    const cwd = `${scene.workspace}/a b\u00e9"`;
    const { stdout } = await inside(["/bin/pwd", "-P"], { cwd, user: scene.user, env: {} });
    assertEquals(stdout, `${await Deno.realPath(cwd)}\n`);
  },
);

testScene("a program is looked up in the command's own PATH", "mkdir ws/bin", async (scene) => {
  await scene.host("printf '#!/bin/sh\\necho mine' > ws/bin/tool; chmod 755 ws/bin/tool");
  const options = { cwd: scene.workspace, user: scene.user };
  const found = await inside(["tool"], { ...options, env: { PATH: `${scene.workspace}/bin` } });
  assertEquals(found.stdout, "mine\n");
  const relative = await inside(["./bin/tool"], { ...options, env: {} });
  assertEquals(relative.stdout, "mine\n");
});

for (
  const env of [{ PATH: "/usr/bin:/bin" }, {
    PATH: "/usr/bin:/bin",
    PWD: "/x",
    LC_ALL: "xx_YY.UTF-8",
  }]
) {
  testScene(`another name reaches the command, PWD ${env.PWD}`, "", async ({ workspace, user }) => {
    const argv = ["cat", "/proc/self/cmdline", "/proc/self/environ"];
    const { stdout, stderr } = await inside(argv, { cwd: workspace, user, env, arg0: ODD });
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`).sort();
    const [name, file, other, ...environment] = stdout.split("\0").slice(0, -1);
    assertEquals([name, file, other, stderr], [ODD, argv[1], argv[2], ""]);
    assertEquals(environment.sort(), variables);
  });
}

testScene("exit codes and deaths by signals come through", "", async ({ workspace, user }) => {
  for (
    const [script, code] of [["exit 0", 0], ["exit 213", 213], ["kill -9 $$", 137], [
      "kill -15 $$",
      143,
    ]] as const
  ) {
    const result = await inside(["/bin/sh", "-c", script], { cwd: workspace, user });
    assertEquals([result.exitCode, result.reportedExitCode], [code, code]);
  }
});

testScene("no descriptors but the standard ones", "", async ({ workspace, user }) => {
  // The directory that is being listed is open itself, under one more number.
  const argv = [
    "/bin/sh",
    "-c",
    'for fd in $(ls /proc/self/fd); do [ "$fd" -gt 3 ] && echo $fd; done; true',
  ];
  const { stdout } = await inside(argv, { cwd: workspace, user });
  assertEquals(stdout.split("\n").filter((fd) => ["4", "5", "6", "7", "8", "9"].includes(fd)), []);
});

testScene(
  "a program that is not there is refused in the system's words",
  "",
  async ({ workspace }) => {
    for (
      const [argv, message] of [
        [["no-such-program"], /no-such-program: No such file or directory/],
        [["./missing"], /\.\/missing: No such file or directory/],
        [["/etc/passwd"], /\/etc\/passwd: Permission denied/],
        [["/etc"], /\/etc: No such file|Permission denied/],
      ] as const
    ) {
      const error = await assertRejects(() => inside(argv, { cwd: workspace }), RpcError);
      assertEquals(error.code, -32603);
      assertMatch(error.message, message);
    }
  },
);
