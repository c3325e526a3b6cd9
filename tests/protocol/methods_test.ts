import { assert, assertEquals } from "@std/assert";
import {
  isMethod,
  isNotification,
  type Method,
  methods,
  notifications,
} from "../../src/protocol/methods.ts";
import { PathUri } from "../../src/protocol/path_uri.ts";

/** The members of a method's parameters: right and wrong values, and what null and absent mean. */
interface Members {
  /** A right value of each. */
  readonly required: Readonly<Record<string, unknown>>;
  /** A right value of each, and what it is when it is absent or null. */
  readonly optional?: Readonly<Record<string, readonly [right: unknown, absent: unknown]>>;
  /** Wrong values besides those that are wrong for their type. */
  readonly wrong?: Readonly<Record<string, readonly unknown[]>>;
}

const path = "file:///a%20b";
const sandbox = [{ permissions: { type: "disabled" } }, undefined] as const;
const WRONG_PATHS = ["", "a", "/a", "http://a/", "file:///a?b", "file:///a%00"];
const WRONG_NUMBERS = [-1, 1.5, 2 ** 65];
const attributes = { permissions: [0o1644, undefined], modifiedAtMs: [-1, undefined] } as const;
const WRONG_PERMISSIONS = [-1, 0.5, 0o4755, 0o2755, 2 ** 31];
const WRONG_BASE64 = ["a", "aGk", "aGk==", "aGk=\n", "aGl=", "_-8=", "!!!!", "é", "===="];

const METHODS: Readonly<Record<Method, Members>> = {
  "initialize": {
    required: { clientName: "" },
    optional: { resumeSessionId: ["a", undefined] },
  },
  "session/end": { required: {} },
  "environment/info": { required: {} },
  "environment/status": { required: {} },
  "process/start": {
    required: {
      processId: "",
      argv: [""],
      cwd: path,
      env: { "": "", "A=B": "c" },
      tty: false,
    },
    optional: {
      envPolicy: [
        { inherit: "core", ignoreDefaultExcludes: true, exclude: [], set: {}, includeOnly: [] },
        undefined,
      ],
      terminalSize: [{ rows: 1, cols: 65535 }, undefined],
      pipeStdin: [true, false],
      shellSnapshot: [{ scopeId: "a", shell: { name: "b", path: "c" } }, undefined],
      arg0: ["", undefined],
      sandbox,
      enforceManagedNetwork: [true, false],
      managedNetwork: [{ loopbackPorts: [1, 65535] }, undefined],
      metadata: [{ a: [] }, undefined],
    },
    wrong: {
      argv: [[], "a", [1], ["a", null]],
      cwd: WRONG_PATHS,
      env: [[], { A: 1 }, { A: null }],
      envPolicy: [
        {},
        { inherit: "some", ignoreDefaultExcludes: true, exclude: [], set: {}, includeOnly: [] },
        { inherit: "all", ignoreDefaultExcludes: true, exclude: "A", set: {}, includeOnly: [] },
        { inherit: "all", ignoreDefaultExcludes: null, exclude: [], set: {}, includeOnly: [] },
        { inherit: "all", ignoreDefaultExcludes: true, exclude: [], set: [], includeOnly: [] },
      ],
      terminalSize: [{ rows: 0, cols: 1 }, { rows: 1, cols: 65536 }, { rows: 1 }],
      managedNetwork: [{ loopbackPorts: [0] }, { loopbackPorts: [65536] }, {
        loopbackPorts: ["1"],
      }],
    },
  },
  "process/read": {
    required: { processId: "p" },
    optional: { afterSeq: [2 ** 64, 0], maxBytes: [0, undefined], waitMs: [2 ** 64, 0] },
    wrong: { afterSeq: WRONG_NUMBERS, maxBytes: WRONG_NUMBERS, waitMs: WRONG_NUMBERS },
  },
  "process/write": {
    required: { processId: "p", chunk: "", writeId: "w" },
    wrong: { chunk: WRONG_BASE64, writeId: [""] },
  },
  "process/closeStdin": { required: { processId: "p" } },
  "process/signal": {
    required: { processId: "p", signal: "interrupt" },
    wrong: { signal: ["SIGINT", "Interrupt", "kill", ""] },
  },
  "process/terminate": { required: { processId: "p" } },
  "process/resize": {
    required: { processId: "p", rows: 1, cols: 65535 },
    wrong: { rows: [0, 65536, 1.5], cols: [0, 65536, 1.5] },
  },
  "fs/readFile": { required: { path }, optional: { sandbox }, wrong: { path: WRONG_PATHS } },
  "fs/writeFile": {
    required: { path, dataBase64: "" },
    optional: { ...attributes, sandbox },
    wrong: { path: WRONG_PATHS, permissions: WRONG_PERMISSIONS, modifiedAtMs: [0.5, 2 ** 53] },
  },
  "fs/createDirectory": { required: { path }, optional: { recursive: [false, true], sandbox } },
  "fs/getMetadata": { required: { path }, optional: { sandbox } },
  "fs/canonicalize": { required: { path }, optional: { sandbox } },
  "fs/readDirectory": { required: { path }, optional: { sandbox } },
  "fs/walk": {
    required: {
      path,
      options: {
        maxDepth: 2 ** 64,
        maxDirectories: 0,
        maxEntries: 2 ** 53,
        followDirectorySymlinks: false,
      },
    },
    optional: { sandbox },
    wrong: {
      options: [
        {},
        { maxDepth: -1, maxDirectories: 1, maxEntries: 1, followDirectorySymlinks: true },
        { maxDepth: 1, maxDirectories: 1, maxEntries: null, followDirectorySymlinks: true },
        { maxDepth: 1, maxDirectories: 1, maxEntries: 1, followDirectorySymlinks: 1 },
      ],
    },
  },
  "fs/remove": {
    required: { path },
    optional: { recursive: [false, true], force: [false, true], sandbox },
  },
  "fs/copy": {
    required: { sourcePath: path, destinationPath: path, recursive: false },
    optional: { sandbox },
    wrong: { sourcePath: WRONG_PATHS, destinationPath: WRONG_PATHS },
  },
  "fs/open": {
    required: { handleId: "", path },
    optional: { mode: ["replace", "read"], resumeKey: ["k", undefined], sandbox },
    wrong: { mode: ["", "write"] },
  },
  "fs/readBlock": {
    required: { handleId: "h", offset: 0, len: 1 },
    wrong: { offset: [-1, 0.5, 2 ** 53], len: [-1, 0.5] },
  },
  "fs/writeBlock": {
    required: { handleId: "h", offset: 0, chunk: "aGk=" },
    wrong: { offset: [-1, 0.5, 2 ** 53], chunk: WRONG_BASE64 },
  },
  "fs/close": {
    required: { handleId: "" },
    optional: { ...attributes, discard: [true, false] },
    wrong: { permissions: WRONG_PERMISSIONS },
  },
  "fs/stat": { required: { path }, optional: { followLinks: [false, true], sandbox } },
  "fs/list": { required: { path }, optional: { after: ["a", undefined], sandbox } },
  "fs/setAttributes": {
    required: { path },
    optional: { ...attributes, sandbox },
    wrong: { path: WRONG_PATHS, permissions: WRONG_PERMISSIONS, modifiedAtMs: [0.5] },
  },
  "fs/symlink": {
    required: { path, targetBase64: "aGk=" },
    optional: { sandbox },
    wrong: { path: WRONG_PATHS },
  },
  "environmentConfig/read": {
    required: { cwd: path, configPaths: [["a", "b"]], requirementsPaths: [] },
    wrong: { cwd: WRONG_PATHS, configPaths: [[[]], ["a"], [[1]]], requirementsPaths: [[[]]] },
  },
  "fs/watchMissing": {
    required: { watchId: 0, missing: ["file:///a"] },
    optional: { present: ["file:///b", undefined] },
    wrong: { watchId: [-1, 0.5, "1"], missing: ["a", [1], ["relative"]] },
  },
  "http/request": {
    required: { method: "", url: "", requestId: "" },
    optional: {
      headers: [[{ name: "a", value: "" }], []],
      bodyBase64: ["aGk=", undefined],
      timeoutMs: [0, undefined],
      redirectPolicy: ["stop", "follow"],
      streamResponse: [true, false],
    },
    wrong: {
      headers: [
        [{ name: "a" }],
        [{ name: "a", value: null }],
        [["a", "b"]],
        [{ name: "a", value: "", valueEnvVar: 1 }],
      ],
      bodyBase64: WRONG_BASE64,
      timeoutMs: WRONG_NUMBERS,
      redirectPolicy: ["", "Follow"],
    },
  },
  "tcp/connect": {
    required: { connectionId: "", port: 65535 },
    wrong: { port: [0, 65536, 1.5] },
  },
  "tcp/read": { required: { connectionId: "" } },
  "tcp/write": {
    required: { connectionId: "", chunk: "aGk=" },
    wrong: { chunk: WRONG_BASE64 },
  },
  "tcp/closeWrite": { required: { connectionId: "" } },
  "tcp/close": { required: { connectionId: "" } },
};

/** The members that what was parsed has something wrong with; undefined when all is right. */
function wrongMembers(method: Method, params: unknown): PropertyKey[] | undefined {
  const parsed = methods[method].params.safeParse(params);
  return parsed.success ? undefined : parsed.error.issues.map(({ path }) => path[0] ?? "");
}

/** Values of every JSON type but the one that a value has. */
function ofOtherTypes(value: unknown): unknown[] {
  const kind = (of: unknown) => Array.isArray(of) ? "array" : typeof of;
  return ["a", 7, true, [[]], { "\0": 0 }].filter((other) => kind(other) !== kind(value));
}

for (const [name, { required, optional = {}, wrong = {} }] of Object.entries(METHODS)) {
  if (!isMethod(name)) throw new Error(`${name} is no method`);
  const given = Object.fromEntries(Object.entries(optional).map(([key, [value]]) => [key, value]));
  const full = { ...required, ...given };

  Deno.test(`${name} takes what it requires, and more than it knows`, () => {
    assertEquals(wrongMembers(name, required), undefined);
    assertEquals(wrongMembers(name, { ...full, other: 1, toString: 2 }), undefined);
  });

  Deno.test(`${name}: an optional member that is null is like one that is absent`, () => {
    const nothing = Object.fromEntries(Object.keys(optional).map((key) => [key, null]));
    for (const params of [required, { ...required, ...nothing }]) {
      const parsed = Object(methods[name].params.parse(params));
      for (const [key, [, absent]] of Object.entries(optional)) {
        assertEquals(parsed[key], absent, key);
      }
    }
  });

  Deno.test(`${name}: what is missing, null or wrong is refused and named`, () => {
    for (const key of Object.keys(required)) {
      const { [key]: _, ...others } = full;
      assertEquals(wrongMembers(name, others), [key], `no ${key}`);
      assertEquals(wrongMembers(name, { ...full, [key]: null }), [key], `${key}: null`);
    }
    for (const [key, right] of Object.entries(full)) {
      for (const value of [...ofOtherTypes(right), ...wrong[key] ?? []]) {
        const members = wrongMembers(name, { ...full, [key]: value });
        assertEquals(new Set(members), new Set([key]), `${key}: ${JSON.stringify(value)}`);
      }
    }
  });

  if (Object.keys(required).length > 0) {
    Deno.test(`${name}: parameters that are no object are refused`, () => {
      for (const params of [undefined, null, 5, "a", true, [], Object.values(full)]) {
        assertEquals(wrongMembers(name, params), [""], JSON.stringify(params));
      }
    });
  }
}

Deno.test("environment/info does not look at its parameters", () => {
  for (const params of [undefined, null, 5, [], {}, { a: 1 }]) {
    assertEquals(wrongMembers("environment/info", params), undefined);
  }
});

Deno.test("paths and bytes are parsed", () => {
  const { cwd } = methods["process/start"].params.parse(METHODS["process/start"].required);
  assertEquals([cwd instanceof PathUri, String(cwd)], [true, path]);
  const { chunk } = methods["process/write"].params.parse({
    processId: "p",
    chunk: "aGk=",
    writeId: "w",
  });
  assertEquals(chunk, new TextEncoder().encode("hi"));
});

Deno.test("variables may have names that mean something in JavaScript", () => {
  const env = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c","1":"d"}');
  const params = { ...METHODS["process/start"].required, env };
  const parsed = methods["process/start"].params.parse(params);
  assertEquals(Object.entries(parsed.env), Object.entries(env));
});

Deno.test("methods and notifications are told by names of their own", () => {
  for (const name of Object.keys(methods)) assertEquals(isMethod(name), true);
  for (const name of Object.keys(notifications)) assertEquals(isNotification(name), true);
  for (const name of ["", "toString", "__proto__", "initialized", "Process/start"]) {
    assertEquals([isMethod(name), isNotification(name)], [false, false]);
  }
});

Deno.test("notifications are read as they are written", () => {
  const cases = [
    ["process/output", { processId: "p", seq: 1, stream: "pty", chunk: "aGk=" }],
    ["process/exited", { processId: "p", seq: 2, exitCode: 137, sandboxDenied: false }],
    ["process/exited", { processId: "p", seq: 2, exitCode: -1 }],
    ["process/closed", { processId: "p", seq: 3, other: 1 }],
    ["http/request/bodyDelta", {
      requestId: "r",
      seq: 1,
      deltaBase64: "",
      done: true,
      error: null,
    }],
  ] as const;
  assert(notifications["fs/missingChanged"].safeParse({ watchId: 1 }).success);
  for (const [name, params] of cases) {
    assertEquals(notifications[name].safeParse(params).success, true, name);
    assertEquals(notifications[name].safeParse({ ...params, seq: -1 }).success, false, name);
  }
});
