import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RpcError } from "../../../src/protocol/errors.ts";
import { path, special } from "../context.ts";
import { testLandlock } from "./landlock_scene.ts";

const ODD = "é\u{1f600} a\tb\n'\"$(x)`\\";
const READ_ALL = [special("root", "read")];

testLandlock("arguments, name and environment arrive as they are", "", async (scene) => {
  const env = { "A B": ODD, EMPTY: "", PWD: "/elsewhere", PATH: "/usr/bin", LD_PRELOAD: "" };
  const { stdout, stderr } = await scene.run(
    ["cat", "/proc/self/cmdline", "/proc/self/environ"],
    { entries: READ_ALL, env, arg0: ODD },
  );
  const [name, ...rest] = stdout.split("\0").slice(0, -1);
  assertEquals([name, stderr], [ODD, ""]);
  assertEquals(rest.slice(0, 2), ["/proc/self/cmdline", "/proc/self/environ"]);
  assertEquals(rest.slice(2), Object.entries(env).map(([name, value]) => `${name}=${value}`));
});

testLandlock(
  "the working directory is the one asked for",
  "mkdir 'ws/a \u00e9\"'",
  async (scene) => {
    const cwd = `${scene.workspace}/a \u00e9"`;
    const { stdout } = await scene.run(["/bin/pwd", "-P"], { entries: READ_ALL, cwd, env: {} });
    assertEquals(stdout, `${await Deno.realPath(cwd)}\n`);
  },
);

testLandlock("exit codes and deaths by signals come through", "", async ({ script }) => {
  assertEquals((await script("exit 213", { entries: READ_ALL })).exitCode, 213);
  const broken = await script("yes | head -n 1", { entries: READ_ALL });
  assertEquals([broken.stdout, broken.stderr], ["y\n", ""]);
  assertEquals((await script("kill -9 $$", { entries: READ_ALL })).exitCode, 137);
});

testLandlock("what cannot be executed is told", "", async (scene) => {
  await scene.host("printf '\\177ELF nothing' > ws/broken; chmod 755 ws/broken");
  const error = await assertRejects(
    () => scene.run(["./broken"], { entries: READ_ALL }),
    RpcError,
  );
  assertMatch(error.message, /\.\/broken: .* \(os error \d+\)$/);
});

testLandlock("files can be granted one by one", "echo a > ws/a; echo b > ws/b", async (scene) => {
  const { workspace } = scene;
  const entries = [
    special("minimal", "read"),
    path(`${workspace}/a`, "write"),
    path(`${workspace}/missing`, "read"),
  ];
  const { stdout, exitCode } = await scene.script("cat a b; echo x > a; cat a; ls", { entries });
  assertEquals([stdout, exitCode], ["a\nx\n", 2]);
});

testLandlock("programs that must not be read are not started", "", async (scene) => {
  await assertRejects(
    () => scene.run(["/bin/true"], { entries: [path(scene.workspace, "read")] }),
    RpcError,
    "does not let the command read it",
  );
});

testLandlock("tools work", "", async (scene) => {
  const { stdout, stderr } = await scene.script(
    "bash -c 'set -m; sleep 600 & kill %1; wait %1; echo $?' 2>/dev/null; echo x | (cat; cat) | wc -l; " +
      "python3 -c 'import ssl, ctypes; print(1)'",
    { entries: READ_ALL },
  );
  assertEquals([stdout, stderr], ["143\n1\n1\n", ""]);
});
