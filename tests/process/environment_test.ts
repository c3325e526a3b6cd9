import { assertEquals } from "@std/assert";
import { commandEnvironment } from "../../src/process/environment.ts";
import type { EnvironmentPolicy } from "../../src/protocol/process.ts";

const executors = {
  HOME: "/home/a",
  Path: "/bin",
  TERM: "dumb",
  API_KEY: "k",
  monkey: "m",
  Client_Secret: "s",
  tokenizer: "t",
  PASSWORD: "p",
};

const nothing: EnvironmentPolicy = {
  inherit: "none",
  ignoreDefaultExcludes: false,
  exclude: [],
  set: {},
  includeOnly: [],
};

/** The names in what a policy makes of the executor's environment. */
function names(
  policy: Partial<EnvironmentPolicy>,
  from: Readonly<Record<string, string>> = executors,
): string[] {
  return Object.keys(commandEnvironment({}, { ...nothing, ...policy }, from)).sort();
}

/** An object with a member of that name, which `{ __proto__: … }` in source text would not have. */
function withProto(value: string): Record<string, string> {
  return Object.fromEntries([["__proto__", value]]);
}

Deno.test("without a policy a command has its own variables alone", () => {
  assertEquals(commandEnvironment({ A: "1" }, undefined, executors), { A: "1" });
  assertEquals(commandEnvironment({}, undefined, executors), {});
});

Deno.test("a policy inherits all, the core variables or none", () => {
  assertEquals(names({ inherit: "all", ignoreDefaultExcludes: true }), [
    "API_KEY",
    "Client_Secret",
    "HOME",
    "PASSWORD",
    "Path",
    "TERM",
    "monkey",
    "tokenizer",
  ]);
  assertEquals(names({ inherit: "core" }), ["HOME", "Path"]);
  assertEquals(names({ inherit: "none" }), []);
});

Deno.test("the core variables are told by their names in any case", () => {
  const core = [
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USER",
    "USERNAME",
    "home",
    "Path",
    "tmpDir",
  ];
  const others = ["TERM", "TZ", "PWD", "LC_MESSAGES", "LANGUAGE", "PATHEXT", "XHOME", ""];
  const from = Object.fromEntries([...core, ...others].map((name) => [name, ""]));
  assertEquals(names({ inherit: "core" }, from), core.toSorted());
});

Deno.test("names that may hold secrets are left out unless the policy says otherwise", () => {
  assertEquals(names({ inherit: "all" }), ["HOME", "PASSWORD", "Path", "TERM"]);
});

Deno.test("excludes come before what is set, and includes after it", () => {
  const all = { inherit: "all", ignoreDefaultExcludes: true } as const;
  const cases: [policy: Partial<EnvironmentPolicy>, expected: string[]][] = [
    [{ inherit: "core", exclude: ["h?me"] }, ["Path"]],
    [{ inherit: "core", exclude: ["*"] }, []],
    [{ inherit: "core", exclude: ["*"], set: { MY_KEY: "k", HOME: "/" } }, ["HOME", "MY_KEY"]],
    [{ ...all, includeOnly: ["*k*y"] }, ["API_KEY", "monkey"]],
    [{ ...all, exclude: ["API*"], includeOnly: ["*key*", "TERM"] }, ["TERM", "monkey"]],
    [{ set: { A: "1", B: "2" }, includeOnly: ["b"] }, ["B"]],
    [{ ...all, includeOnly: [""] }, []],
    [{ ...all, includeOnly: ["nothing"] }, []],
  ];
  for (const [policy, expected] of cases) assertEquals(names(policy), expected);
});

Deno.test("what is set replaces what was inherited, and a command's own variables both", () => {
  const policy: EnvironmentPolicy = {
    ...nothing,
    inherit: "all",
    set: { HOME: "/set", TERM: "set" },
    includeOnly: ["HOME", "TERM", "Path"],
  };
  const own = { TERM: "own", A_TOKEN: "t" };
  assertEquals(commandEnvironment(own, policy, executors), {
    HOME: "/set",
    Path: "/bin",
    TERM: "own",
    A_TOKEN: "t",
  });
});

Deno.test("names that mean something in JavaScript are names like others", () => {
  const policy: EnvironmentPolicy = {
    ...nothing,
    inherit: "all",
    set: { constructor: "c" },
    includeOnly: ["*o*"],
  };
  const made = commandEnvironment(withProto("own"), policy, withProto("inherited"));
  assertEquals(Object.entries(made), [["__proto__", "own"], ["constructor", "c"]]);
  assertEquals(Object.entries(commandEnvironment({}, policy, withProto("inherited"))), [
    ["__proto__", "inherited"],
    ["constructor", "c"],
  ]);
});
