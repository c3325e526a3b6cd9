import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  errorFields,
  isLogFormat,
  isLogLevel,
  LOG_FORMATS,
  LOG_LEVELS,
} from "../../src/log/log.ts";

/** What a program of its own says, as the environment is looked at once. */
async function said(env: Record<string, string>, script: string): Promise<string[]> {
  const module = new URL("../../src/log/log.ts", import.meta.url);
  const imports = `import { configureLog, log, LOG_LEVELS, logSeldom } from "${module}";`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--allow-env",
      "--allow-ffi",
      "data:text/typescript," + encodeURIComponent(imports + script),
    ],
    env,
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "");
  return new TextDecoder().decode(stderr).split("\n").slice(0, -1);
}

/** What is logged of some messages at each level. */
function logged(level: string | undefined, messages: readonly string[]): Promise<string[]> {
  return said(
    level === undefined ? {} : { REMEX_LOG: level },
    `for (const message of ${JSON.stringify(messages)}) {
      for (const level of LOG_LEVELS) log(level, message);
    }`,
  );
}

Deno.test("only what matters enough is logged", async () => {
  const cases: [level: string | undefined, levels: string[]][] = [
    [undefined, ["error", "warn"]],
    ["error", ["error"]],
    ["INFO", ["error", "warn", "info"]],
    ["debug", [...LOG_LEVELS]],
    ["nonsense", ["error", "warn"]],
  ];
  for (const [level, levels] of cases) {
    const lines = await logged(level, ["text"]);
    assertEquals(lines.map((line) => line.split(" ")[1]), levels, level);
  }
});

Deno.test("a message is one line with its time, and cannot pass for more", async () => {
  const lines = await logged("error", ["a\n2026 error b\r\n\x1b[2Jc\x9d", "ä %s %d"]);
  assertEquals(lines.map((line) => line.replace(/^\S+Z /, "")), [
    "error a 2026 error b   [2Jc ",
    "error ä %s %d",
  ]);
  for (const line of lines) assertMatch(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z error /);
});

const WITH_FIELDS = `log("warn", "happened", {
  reason: 'so "it"\\n is', method: "process/start", limit: 3, peer: "", option: "a=b",
});`;

Deno.test("fields follow the message, and stay apart", async () => {
  const [line = ""] = await said({}, WITH_FIELDS);
  assertEquals(
    line.replace(/^\S+Z /, ""),
    'warn happened reason="so \\"it\\"\\n is" method=process/start limit=3 peer="" option="a=b"',
  );
});

Deno.test("in JSON every line is an object with time, level, message and fields", async () => {
  const [line = ""] = await said({ REMEX_LOG_FORMAT: "JSON" }, WITH_FIELDS);
  const { time, ...rest } = JSON.parse(line);
  assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals(rest, {
    level: "warn",
    message: "happened",
    reason: 'so "it"\n is',
    method: "process/start",
    limit: 3,
    peer: "",
    option: "a=b",
  });
});

Deno.test("what a program decides counts more than the environment", async () => {
  const script = `configureLog({ level: "info" }); log("info", "a"); log("debug", "b");
    configureLog({ format: "text" }); log("info", "c");`;
  const lines = await said({ REMEX_LOG: "error", REMEX_LOG_FORMAT: "json" }, script);
  assertEquals(lines.map((line) => line.replace(/"?\d{4}-\S*Z"?/, "T")), [
    '{"time":T,"level":"info","message":"a"}',
    "T info c",
  ]);
});

Deno.test("what others bring about is logged once a minute, with what was left out", async () => {
  const script = `let now = 0; performance.now = () => now;
    const twice = (reason) => { logSeldom("warn", "a", { reason }); logSeldom("warn", "a", { reason }); };
    twice("x"); twice("y"); now = 59_999; twice("x"); now = 60_000; twice("x"); now = 200_000;
    twice("y");`;
  const lines = await said({}, script);
  assertEquals(lines.map((line) => line.replace(/^\S+Z /, "")), [
    "warn a reason=x",
    "warn a reason=y",
    "warn a reason=x omitted=3",
    "warn a reason=y omitted=1",
  ]);
});

Deno.test("levels and formats are told by their names", () => {
  assert(LOG_LEVELS.every(isLogLevel));
  assert(LOG_FORMATS.every(isLogFormat));
  assertEquals(["", "Error", "all", "toString"].filter(isLogLevel), []);
  assertEquals(["", "JSON", "xml", "toString"].filter(isLogFormat), []);
});

Deno.test("an unexpected error is told by its class and place, not by its message", () => {
  const secret = "cannot open '/home/secret (a:1:2)'";
  const told = errorFields(new TypeError(secret));
  assertEquals(told.error, "TypeError");
  assertMatch(told.at ?? "", /^log_test\.ts:\d+:\d+$/);
  assertEquals(errorFields(secret), { error: "string" });
  assert(!JSON.stringify([told, errorFields(secret)]).includes("secret"));
});
