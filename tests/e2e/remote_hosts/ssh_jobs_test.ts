import { assertEquals, assertMatch } from "@std/assert";
import { REMEX_BIN, runToEnd } from "../support/executor.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { SshHost, testWithSsh } from "./support/ssh_host.ts";

const DOCUMENT = new URL("../../../docs/remote-hosts.md", import.meta.url);

/** A command of the documentation, and what it prints. */
interface Example {
  readonly command: string;
  readonly output: string;
}

/** The session on a terminal that the documentation shows. */
function examples(): Example[] {
  const [, session = ""] = /```console\n(.*?)```/s.exec(Deno.readTextFileSync(DOCUMENT)) ?? [];
  return session.split(/^\$ /m).slice(1).map((text) => {
    const end = text.indexOf("\n");
    return { command: text.slice(0, end), output: text.slice(end + 1) };
  });
}

/** Ages and exact widths of columns differ from run to run. */
function comparable(text: string): string {
  return text.replaceAll(/\b\d+ (s|min|h|d)\b/g, "AGE").replaceAll(/ +/g, " ");
}

testWithSsh("jobs on a host that ssh leads to do what the documentation shows", async () => {
  await using host = await SshHost.start({ prepared: true });
  using user = new TemporaryDirectory();
  user.write("bin/ssh", `#!/bin/sh\nexec /usr/bin/${host.sshCommand} "$@"\n`, 0o755);
  Deno.symlinkSync(REMEX_BIN, `${user.path}/bin/remex`);
  const script = "#!/bin/sh\necho tests begin\nsleep 0.2\necho all tests pass\nexit 3\n";
  Deno.writeTextFileSync(`${host.home}/night.sh`, script, { mode: 0o755 });
  const env = { PATH: `${user.path}/bin:/usr/bin:/bin`, HOME: user.path };
  const all = examples();
  assertEquals(all.length, 4);
  for (const { command, output } of all) {
    const { stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-c", command],
      clearEnv: true,
      env,
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(comparable(said), comparable(output), command);
  }
});

testWithSsh(
  "a job is its executor's alone: gone with it, also where its program is gone, too",
  async () => {
    await using host = await SshHost.start({ prepared: true });
    using user = new TemporaryDirectory();
    const env = { PATH: "/usr/bin:/bin", HOME: user.path };
    const remex = (...args: string[]) => runToEnd(args, "", { env });
    const program = `${host.home}/.cache/remex/${host.cache[0]}`;
    const detach = ["exec", "--detach", "--name", "night", ...host.options];
    const started = await remex(...detach, "--", "sleep", "3600");
    assertEquals(started, { code: 0, stdout: "night\n", stderr: "" });
    Deno.renameSync(program, `${host.home}/elsewhere`);
    // As long as it runs it is reached, whatever has become of its program.
    assertEquals(await remex("logs", "night"), { code: 0, stdout: "", stderr: "" });
    host.killExecutors();
    await eventually(() => host.executors().length === 0, "the executor to be gone");
    const gone = await remex("logs", "night");
    assertEquals(gone.code, 255);
    assertMatch(gone.stderr, /^remex: night is gone: the executor on there was .*\n$/);
    Deno.renameSync(`${host.home}/elsewhere`, program);
    assertMatch((await remex("jobs")).stdout, /\nnight +there +gone +/);
    assertEquals(await remex("rm", "night"), { code: 0, stdout: "", stderr: "" });
  },
);
