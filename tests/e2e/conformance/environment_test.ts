import { assertEquals } from "@std/assert";
import { testBoth } from "../support/both_transports.ts";
import { command, run, stdoutOf } from "../support/commands.ts";
import type { Message } from "../support/inbox.ts";
import type { RawClient } from "../support/raw_client.ts";

/** What the executor itself has. */
const EXECUTORS = {
  PATH: "/usr/bin:/bin",
  HOME: "/home",
  LANG: "C.UTF-8",
  LC_ALL: "C.UTF-8",
  LC_CTYPE: "C.UTF-8",
  LC_MESSAGES: "C",
  LOGNAME: "me",
  USER: "me",
  USERNAME: "me",
  SHELL: "/bin/sh",
  TEMP: "/t",
  TMP: "/t",
  tmpdir: "/t",
  TERM: "dumb",
  TZ: "UTC",
  MONKEY_X: "1",
  Tokenizer: "1",
  MY_SECRET: "1",
  PASSWORD: "1",
  A1: "1",
  A22: "1",
  "B[1]": "1",
};

const CORE = [
  "HOME",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "LOGNAME",
  "PATH",
  "SHELL",
  "TEMP",
  "TMP",
  "USER",
  "USERNAME",
  "tmpdir",
];

/** The executor's log level, which the tests set. */
const LOG = "REMEX_LOG";
const ALL = [...Object.keys(EXECUTORS), LOG];
const SECRETS = ["MONKEY_X", "Tokenizer", "MY_SECRET"];

function all(...without: string[]): string[] {
  return ALL.filter((name) => ![...SECRETS, ...without].includes(name));
}

const POLICY: Message = {
  inherit: "all",
  ignoreDefaultExcludes: false,
  exclude: [],
  set: {},
  includeOnly: [],
};

/** Changes to a policy that inherits everything, the command's own variables, what it then has. */
const POLICIES: readonly (readonly [policy: Message, env: Message, names: string[]])[] = [
  [{}, {}, all()],
  [{ ignoreDefaultExcludes: true }, {}, ALL],
  [{ inherit: "core" }, {}, CORE],
  [{ inherit: "none" }, {}, []],
  [{ inherit: "none" }, { A: "1" }, ["A"]],

  [{ exclude: ["home"] }, {}, all("HOME")],
  [{ exclude: ["A?"] }, {}, all("A1")],
  [{ exclude: ["a*"] }, {}, all("A1", "A22")],
  [{ exclude: ["*E"] }, {}, all("HOME", "LC_CTYPE", "LOGNAME", "USERNAME")],
  [{ exclude: ["L*_*"] }, {}, all("LC_ALL", "LC_CTYPE", "LC_MESSAGES")],
  [{ exclude: ["**"] }, {}, []],
  [{ exclude: ["B[1]"] }, {}, all("B[1]")],
  [
    { exclude: ["[HP]*", "{HOME,PATH}", "\\*", "H.ME", "^HOME$", "(PATH)", "", "OM", "HOME "] },
    {},
    all(),
  ],

  [{ set: { A_KEY: "1", NEW: "1" } }, {}, [...all(), "A_KEY", "NEW"]],
  [{ set: { NEW: "1" }, exclude: ["NEW"] }, {}, [...all(), "NEW"]],
  [{ includeOnly: ["HOME"] }, {}, ["HOME"]],
  [{ includeOnly: ["HOME", "new*"], set: { NEW: "1", OTHER: "1" } }, {}, ["HOME", "NEW"]],
  [{ includeOnly: ["*"], exclude: ["*"] }, {}, []],
  [{ includeOnly: [""] }, {}, []],
  [{ includeOnly: ["NOTHING"] }, {}, []],
  [{ includeOnly: ["MY_SECRET"] }, {}, []],
  [{ includeOnly: ["MY_SECRET"], ignoreDefaultExcludes: true }, {}, ["MY_SECRET"]],
  [{ includeOnly: ["HOME"] }, { MY_SECRET: "2" }, ["HOME", "MY_SECRET"]],
];

testBoth("envPolicy builds the environment", async ({ open }, t) => {
  await using client = await open();
  for (const [index, [changes, env, names]] of POLICIES.entries()) {
    await t.step(JSON.stringify([changes, env]), async () => {
      const envPolicy = { ...POLICY, ...changes };
      const environment = await environmentOf(client, `p${index}`, { env, envPolicy });
      assertEquals(environment.map((entry) => entry.split("=")[0]).sort(), [...names].sort());
    });
  }
}, { env: EXECUTORS });

testBoth("later steps of envPolicy win", async ({ open }) => {
  await using client = await open();
  const envPolicy = { ...POLICY, set: { USER: "set", HOME: "set" }, includeOnly: ["USER", "HOME"] };
  assertEquals(
    await environmentOf(client, "p", { env: { HOME: "own" }, envPolicy }),
    ["HOME=own", "USER=set"],
  );
}, { env: EXECUTORS });

/** Environments that a command gets as they are. */
const EXACT: readonly (readonly [env: Message, entries: string[]])[] = [
  [{}, []],
  [{ A: "1", B: "" }, ["A=1", "B="]],
  [{ "": "x" }, ["=x"]],
  [{ "A=B": "x" }, ["A=B=x"]],
  [{ "=C": "x" }, ["=C=x"]],
  [{ "a b": "c d\n", "ü": "\u{1f600}" }, ["a b=c d\n", "ü=\u{1f600}"]],
  [{ ["__proto__"]: "x", constructor: "y" }, ["__proto__=x", "constructor=y"]],
];

testBoth("without envPolicy env is the whole environment", async ({ open }, t) => {
  await using client = await open();
  for (const [index, [env, entries]] of EXACT.entries()) {
    await t.step(JSON.stringify(env), async () => {
      assertEquals(await environmentOf(client, `p${index}`, { env }), entries);
    });
  }
});

testBoth("a terminal adds nothing to the environment", async ({ open }) => {
  await using client = await open();
  const { pty } = await run(
    client,
    command("p", ["/bin/cat", "/proc/self/environ"], { env: { A: "1" }, tty: true }),
  );
  assertEquals(pty, "A=1\0");
});

/** The environment that a command finds, as sorted entries. */
async function environmentOf(
  client: RawClient,
  processId: string,
  more: Message,
): Promise<string[]> {
  const params = command(processId, ["/bin/cat", "/proc/self/environ"], more);
  return (await stdoutOf(client, params)).split("\0").filter((entry) => entry !== "").sort();
}
