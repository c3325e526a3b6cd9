import { assertEquals, assertObjectMatch } from "@std/assert";
import { testBoth } from "../support/both_transports.ts";
import { command, stdoutOf } from "../support/commands.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/** Path URIs that are malformed, or no path of this host. */
const REFUSED = [
  "file:///C:/x",
  "file:///c:",
  "file:///C|/x",
  "file:C:/x",
  "file://server/share",
  "file://127.0.0.1/tmp",
  "file:///%00/bad/path/L3RtcA",
  "tmp",
  "/tmp",
  "",
  "http://x/tmp",
  "C:\\x",
  "mailto:x",
  "file:///tmp?x",
  "file:///tmp?",
  "file:///tmp#x",
  "file:///tmp#",
  "file://u:p@h/tmp",
  "file://u@localhost/tmp",
  "file://h:1/tmp",
  "file:///tmp/%00",
  "file:///a%00b",
  "file:///%00",
  "file:///%00/bad/path/",
  "file:///%00/bad/path/L3RtcA==",
  "file:///%00/bad/path/!!!",
];

testBoth("a malformed or foreign cwd is answered -32602", async ({ open }, t) => {
  await using client = await open();
  for (const cwd of REFUSED) {
    await t.step(JSON.stringify(cwd), async () => {
      const answer = await client.request("process/start", {
        ...command("p", ["/no/such/program"]),
        cwd,
      });
      assertObjectMatch(answer, { error: { code: -32602 } });
    });
  }
});

for (const tty of [false, true]) {
  testBoth(`a cwd that is no directory is answered -32603, tty ${tty}`, async ({ open }, t) => {
    using directory = new TemporaryDirectory();
    directory.write("file", "", 0o644);
    await using client = await open();
    const refused = [
      "file:///no/such/directory",
      `file://${directory.path}/file`,
      "file:///C%3A/x",
      "file:///tmp/%zz",
      // A path with a NUL in it, in the form that keeps any path whole.
      "file:///%00/bad/path/L3RtcAAvYQ",
    ];
    for (const cwd of refused) {
      await t.step(cwd.replace(directory.path, ""), async () => {
        const answer = await client.request("process/start", {
          ...command("p", ["/bin/pwd"]),
          cwd,
          tty,
        });
        assertObjectMatch(answer, { error: { code: -32603 } });
      });
    }
  });
}

testBoth("a cwd is a path URI in any of its spellings", async ({ open }, t) => {
  using directory = new TemporaryDirectory();
  const { path } = directory;
  directory.write("sub dir/file", "", 0o644);
  directory.write("%zz/file", "", 0o644);
  await using client = await open();
  const spellings: Readonly<Record<string, string>> = {
    [`file://${path}`]: path,
    [`file://${path}/`]: path,
    [`file:${path}`]: path,
    [`FILE://${path}`]: path,
    [`file://localhost${path}`]: path,
    [`  file://${path}`]: path,
    [`file:${path.slice(1)}`]: path,
    [`file://${path}/sub%20dir`]: `${path}/sub dir`,
    [`file://${path}/sub dir`]: `${path}/sub dir`,
    [`file://${path}/sub dir/..`]: path,
    [`file://${path}/sub dir/%2e%2e`]: path,
    [`file://${path}%2Fsub%20dir`]: `${path}/sub dir`,
    [`file://${path}\\sub dir`]: `${path}/sub dir`,
    [`file:///${path}//sub dir`]: `${path}/sub dir`,
    [`file://${path}/%zz`]: `${path}/%zz`,
    "file://": "/",
    "file:///": "/",
  };
  for (const [index, [cwd, native]] of Object.entries(spellings).entries()) {
    await t.step(cwd.replace(path.slice(1), "…"), async () => {
      const processId = `p${index}`;
      assertEquals(
        await stdoutOf(client, { ...command(processId, ["/bin/pwd", "-P"]), cwd }),
        `${native}\n`,
      );
    });
  }
});
