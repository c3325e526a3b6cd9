import { assert, assertEquals, assertMatch } from "@std/assert";
import { ended, remex, REMEX_BIN, runToEnd } from "../support/executor.ts";
import { SshHost, testWithSsh } from "./support/ssh_host.ts";

const MIB = 1024 * 1024;

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

/** Less than the base64 of the file: a connection ends in the middle of it, in either direction. */
const CUT_BYTES = 12 * MIB;

testWithSsh("cp: HOST:PATH, relative to the home there, and ~", async () => {
  await using host = await SshHost.start({ prepared: true });
  const file = host.directory.write("file", "content", 0o640);
  const ssh = ["cp", "--ssh-command", host.sshCommand];
  for (const to of ["there:copy", "there:~/other", `ssh://there${host.home}/third`]) {
    const run = await runToEnd([...ssh, file, to]);
    assertEquals(run, { code: 0, stdout: "", stderr: "" });
  }
  const output = await runToEnd([...ssh, "there:copy", "-"]);
  assertEquals(output, { code: 0, stdout: "content", stderr: "" });
  const named = ["cp", ...host.options, ":other", `${host.directory.path}/back`];
  assertEquals(await runToEnd(named), { code: 0, stdout: "", stderr: "" });
  for (const name of ["copy", "other", "third"]) {
    assertEquals((Deno.statSync(`${host.home}/${name}`).mode ?? 0) & 0o777, 0o640);
  }
  // Both sides on the host.
  const both = await runToEnd([...ssh, "there:copy", "there:fourth"]);
  assertEquals(both, { code: 0, stdout: "", stderr: "" });
  assertEquals(Deno.readTextFileSync(`${host.home}/fourth`), "content");
});

testWithSsh(
  "cp: the connection breaks in the middle while a file goes there, comes back, and is piped",
  async () => {
    await using host = await SshHost.start({ prepared: true });
    const { path } = host.directory;
    for (const name of ["from", "back"]) Deno.mkdirSync(`${path}/${name}`);
    const large = `${path}/from/large`;
    const dd = `dd if=/dev/urandom of='${large}' bs=1M count=16 2>/dev/null`;
    new Deno.Command("sh", { args: ["-c", dd] }).outputSync();
    Deno.mkdirSync(`${host.home}/to`);
    Deno.copyFileSync(large, `${host.home}/large`);
    const limit = `stdbuf -o0 head -c ${CUT_BYTES}`;
    const cut = `${limit} | ${host.sshCommand} "$@" | ${limit}`;
    const ssh = ["cp", "--ssh-command", `sh '${host.directory.write("cut-ssh", cut)}'`];
    const ways: [args: string[], input: string | undefined][] = [
      [[...ssh, large, "there:to/"], undefined],
      [[...ssh, "there:large", `${path}/back`], undefined],
      [[...ssh, "-", "there:to/piped"], large],
    ];
    // Most of the time is spent waiting for the next connection.
    await Promise.all(ways.map(async ([args, input]) => {
      const child = remex(args, { stderr: "piped" });
      const said = new Response(child.stderr).text();
      const piping = input === undefined
        ? child.stdin.close()
        : Deno.openSync(input).readable.pipeTo(child.stdin);
      const { code } = await ended(child);
      await Promise.all([piping, child.stdout.cancel()]);
      const lines = (await said).split("\n").filter((line) => line !== "");
      assertEquals(code, 0, lines.join("\n"));
      for (const line of lines) assertMatch(line, /^remex: .*reconnecting$/);
      // Base64 of the file passes through no fewer connections.
      const connections = Math.ceil(16 * MIB * 4 / 3 / CUT_BYTES);
      assert(lines.length >= connections - 1, `${lines.length} cuts`);
    }));
    assertEquals(namesIn(`${host.home}/to`), ["large", "piped"]);
    assertEquals(namesIn(`${path}/back`), ["large"]);
    for (const copy of [`${host.home}/to/large`, `${host.home}/to/piped`, `${path}/back/large`]) {
      assert(new Deno.Command("cmp", { args: [large, copy] }).outputSync().success, copy);
    }
  },
);

/** The session on a terminal that the documentation shows about files. */
function documentedSession(): { readonly command: string; readonly output: string }[] {
  const page = Deno.readTextFileSync(new URL("../../../docs/remote-hosts.md", import.meta.url));
  const [, session = ""] = /\n## Files\n.*?```console\n(.*?)```/s.exec(page) ?? [];
  return session.split(/^\$ /m).slice(1).map((text) => {
    const end = text.indexOf("\n");
    return { command: text.slice(0, end), output: text.slice(end + 1) };
  });
}

testWithSsh("cp: what the documentation shows", async () => {
  await using host = await SshHost.start({ prepared: true });
  const { directory } = host;
  directory.write("bin/ssh", `#!/bin/sh\nexec /usr/bin/${host.sshCommand} "$@"\n`, 0o755);
  Deno.symlinkSync(REMEX_BIN, `${directory.path}/bin/remex`);
  directory.write("work/notes.txt", "remember the milk\n");
  directory.write("work/project/readme", "made of small parts\n");
  const session = documentedSession();
  assert(session.length >= 8);
  for (const { command, output } of session) {
    const { stdout, stderr, code } = await new Deno.Command("/bin/sh", {
      args: ["-c", command],
      clearEnv: true,
      env: { PATH: `${directory.path}/bin:/usr/bin:/bin`, HOME: directory.path },
      cwd: `${directory.path}/work`,
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals({ code, said }, { code: 0, said: output }, command);
  }
});

testWithSsh("cp: what ssh says of a host that cannot be reached", async () => {
  await using host = await SshHost.start({ prepared: true });
  const run = await runToEnd([
    ...["cp", "--ssh-command", `${host.sshCommand} -o Port=1`],
    ...["/etc/hostname", "there:copy"],
  ]);
  assertEquals({ code: run.code, stdout: run.stdout }, { code: 255, stdout: "" });
  assertMatch(run.stderr, /remex: .*ssh ended with exit code 255\n$/);
});
