import { assertEquals, assertObjectMatch } from "@std/assert";
import { pathToFileURL } from "node:url";
import { testBoth } from "../support/both_transports.ts";
import { command, run, shell, stdoutOf } from "../support/commands.ts";
import type { Message } from "../support/inbox.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/** Programs that cannot be started. */
const UNSTARTABLE: Readonly<Record<string, Message>> = {
  "no name": { argv: [""] },
  "an unknown name": { argv: ["no-such-program"] },
  "an unknown path": { argv: ["/no/such/program"] },
  "a directory": { argv: ["/usr"] },
  "a file that is not executable": { argv: ["./data"] },
  "a file that is not executable, found by name": { argv: ["data"], env: { PATH: "." } },
  "a script whose interpreter is missing": { argv: ["./orphan"] },
  "a script without an interpreter": { argv: ["./plain"] },
  "an executable of no format": { argv: ["./broken"] },
  "a name that stands only in cwd": { argv: ["hello"] },
  "an empty PATH entry's neighbour": { argv: ["true"], env: { PATH: "/no/such" } },
  "a PATH that is empty": { argv: ["true"], env: { PATH: "" } },
  "a name with NUL": { argv: ["/bin/true\0"] },
  "an argument with NUL": { argv: ["/bin/true", "a\0b"] },
  "an arg0 with NUL": { argv: ["/bin/true"], arg0: "a\0b" },
  "a variable's name with NUL": { argv: ["/bin/true"], env: { "A\0": "b" } },
  "a variable with NUL": { argv: ["/bin/true"], env: { A: "b\0" } },
  "an argument that is too long": { argv: ["/bin/true", "x".repeat(200_000)] },
};

for (const tty of [false, true]) {
  testBoth(`what cannot be started is answered -32603, tty ${tty}`, async ({ open }, t) => {
    using directory = programs();
    await using client = await open();
    for (const [name, params] of Object.entries(UNSTARTABLE)) {
      await t.step(name, async () => {
        const cwd = pathToFileURL(directory.path).href;
        const answer = await client.request("process/start", {
          ...command("p", []),
          cwd,
          tty,
          ...params,
        });
        assertObjectMatch(answer, { error: { code: -32603 } });
        assertObjectMatch(await client.request("process/read", { processId: "p" }), {
          error: { code: -32600 },
        });
      });
    }
    await t.step("and the id is free", async () => {
      assertEquals((await run(client, shell("p", "exit 3", { tty }))).exitCode, 3);
    });
  });
}

/** Where programs are found, and what they say. */
const FOUND: Readonly<Record<string, Message>> = {
  "a path from cwd": { argv: ["./bin/hello"] },
  "a path from cwd without a dot": { argv: ["bin/hello"] },
  "by name in a relative PATH entry": { argv: ["hello"], env: { PATH: "/no/such:bin" } },
  "past a file that is not executable": { argv: ["hello"], env: { PATH: "unusable:bin" } },
  "past a directory of that name": { argv: ["hello"], env: { PATH: "shadow:bin" } },
  "in the PATH of the policy": {
    argv: ["hello"],
    env: {},
    envPolicy: {
      inherit: "none",
      ignoreDefaultExcludes: false,
      exclude: [],
      set: { PATH: "bin" },
      includeOnly: [],
    },
  },
  "without any PATH where the system looks": { argv: ["echo", "hello"], env: {} },
};

testBoth("programs are looked up in the command's PATH and cwd", async ({ open }, t) => {
  using directory = programs();
  await using client = await open();
  const cwd = pathToFileURL(directory.path).href;
  for (const [index, [name, params]] of Object.entries(FOUND).entries()) {
    await t.step(name, async () => {
      const processId = `p${index}`;
      assertEquals(
        await stdoutOf(client, { ...command(processId, []), cwd, ...params }),
        "hello\n",
      );
    });
  }
});

testBoth("the executor's own PATH is not looked at", async ({ open }) => {
  await using client = await open();
  const answer = await client.request("process/start", {
    ...command("p", ["true"]),
    env: { PATH: "/no/such" },
  });
  assertObjectMatch(answer, { error: { code: -32603 } });
});

testBoth("a command sees arg0 as its name", async ({ open }, t) => {
  await using client = await open();
  const NAME = "tr '\\0' '\\n' < /proc/$$/cmdline | head -n 1";
  for (const [index, arg0] of ["custom-zero", "", "/no/such"].entries()) {
    for (const tty of [false, true]) {
      await t.step(`${JSON.stringify(arg0)}, tty ${tty}`, async () => {
        const processId = `${index} ${tty}`;
        const { stdout, pty } = await run(client, shell(processId, NAME, { arg0, tty }));
        assertEquals((tty ? pty : stdout).trimEnd(), arg0);
      });
    }
  }
});

testBoth("an id that is in use is answered -32600", async ({ open }) => {
  await using client = await open();
  const duplicate = { error: { code: -32600, message: "process p already exists" } };
  const again = (argv: string[]) => client.request("process/start", command("p", argv));
  await client.request("process/start", shell("p", "read line", { pipeStdin: true }));
  assertObjectMatch(await again(["/bin/true"]), duplicate);
  assertObjectMatch(await again(["/no/such/program"]), duplicate);
  await client.request("process/terminate", { processId: "p" });
  await client.events("p");
  assertObjectMatch(await again(["/bin/true"]), duplicate);
});

/** A directory of things that can be started, and of things that cannot. */
function programs(): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  directory.write("bin/hello", "#!/bin/sh\necho hello\n", 0o755);
  directory.write("hello", "#!/bin/sh\necho wrong\n", 0o755);
  directory.write("unusable/hello", "#!/bin/sh\necho wrong\n", 0o644);
  directory.write("shadow/hello/file", "", 0o644);
  directory.write("data", "text\n", 0o644);
  directory.write("orphan", "#!/no/such/interpreter\n", 0o755);
  directory.write("plain", "echo plain\n", 0o755);
  directory.write("broken", "\x7fELF broken\n", 0o755);
  return directory;
}
