import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import { workspaceWrite } from "../context.ts";
import type { RunOptions } from "./landlocked_run.ts";
import { type Scene, testScene } from "./scene.ts";

const ODD = "é\u{1f600} a\tb\n'\"$(x)`\\";

function inside(scene: Scene, argv: readonly string[], options: Partial<RunOptions> = {}) {
  return scene.run(argv, { entries: workspaceWrite, ...options });
}

testScene("arguments arrive as they are", "", async (scene) => {
  const argv = ["/usr/bin/printf", "%s\\0", "", ODD, "--bind", "-", "--"];
  const { stdout } = await inside(scene, argv);
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
  testScene(`an environment that is ${what} arrives as it is`, "", async (scene) => {
    const { stdout, stderr } = await inside(scene, ["/usr/bin/env", "-0"], { env });
    const expected = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    assertEquals(stdout.split("\0").slice(0, -1).sort(), expected.sort(), stderr);
  });
}

testScene("PWD that is right stays", "", async (scene) => {
  const env = { PWD: await Deno.realPath(scene.workspace) };
  const { stdout } = await inside(scene, ["/usr/bin/env"], { env });
  assertEquals(stdout, `PWD=${env.PWD}\n`);
});

testScene(
  "the working directory is the one asked for, whatever its name",
  "mkdir 'ws/a b\u00e9\"'",
  async (scene) => {
    const cwd = `${scene.workspace}/a b\u00e9"`;
    const { stdout } = await inside(scene, ["/bin/pwd", "-P"], { cwd, env: {} });
    assertEquals(stdout, `${await Deno.realPath(cwd)}\n`);
  },
);

testScene("a program is looked up in the command's own PATH", "mkdir ws/bin", async (scene) => {
  await scene.host("printf '#!/bin/sh\\necho mine' > ws/bin/tool; chmod 755 ws/bin/tool");
  const found = await inside(scene, ["tool"], { env: { PATH: `${scene.workspace}/bin` } });
  assertEquals(found.stdout, "mine\n");
  const relative = await inside(scene, ["./bin/tool"], { env: {} });
  assertEquals(relative.stdout, "mine\n");
});

for (
  const env of [{ PATH: "/usr/bin:/bin" }, {
    PATH: "/usr/bin:/bin",
    PWD: "/x",
    LC_ALL: "xx_YY.UTF-8",
  }]
) {
  testScene(`another name reaches the command, PWD ${env.PWD}`, "", async (scene) => {
    const argv = ["cat", "/proc/self/cmdline", "/proc/self/environ"];
    const { stdout, stderr } = await inside(scene, argv, { env, arg0: ODD });
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`).sort();
    const [name, file, other, ...environment] = stdout.split("\0").slice(0, -1);
    assertEquals([name, file, other, stderr], [ODD, argv[1], argv[2], ""]);
    assertEquals(environment.sort(), variables);
  });
}

testScene("exit codes and deaths by signals come through", "", async (scene) => {
  for (
    const [script, code] of [["exit 0", 0], ["exit 213", 213], ["kill -9 $$", 137], [
      "kill -15 $$",
      143,
    ]] as const
  ) {
    const result = await inside(scene, ["/bin/sh", "-c", script]);
    assertEquals(result.exitCode, code);
  }
});

testScene("no descriptors but the standard ones", "", async (scene) => {
  // The directory that is being listed is open itself, under one more number.
  const argv = [
    "/bin/sh",
    "-c",
    'for fd in $(ls /proc/self/fd); do [ "$fd" -gt 3 ] && echo $fd; done; true',
  ];
  const { stdout } = await inside(scene, argv);
  assertEquals(stdout.split("\n").filter((fd) => ["4", "5", "6", "7", "8", "9"].includes(fd)), []);
});

testScene(
  "a program that is not there is refused in the system's words",
  "",
  async (scene) => {
    for (
      const [argv, message] of [
        [["no-such-program"], /no-such-program: No such file or directory/],
        [["./missing"], /\.\/missing: No such file or directory/],
        [["/etc/passwd"], /\/etc\/passwd: Permission denied/],
        [["/etc"], /\/etc: No such file|Permission denied/],
      ] as const
    ) {
      const error = await assertRejects(() => inside(scene, argv), RpcError);
      assertEquals(error.code, -32603);
      assertMatch(error.message, message);
    }
  },
);
