import { assertEquals, assertThrows } from "@std/assert";
import { ConfigurationError } from "../../src/config/origin.ts";
import { environmentLayer } from "../../src/config/environment_layer.ts";
import { variableOf } from "../../src/config/settings.ts";

Deno.test("variables are named after settings", () => {
  assertEquals(variableOf("maxSessions"), "REMEX_MAX_SESSIONS");
  assertEquals(variableOf("wsTokenSha256"), "REMEX_WS_TOKEN_SHA256");
  assertEquals(variableOf("log"), "REMEX_LOG");
});

Deno.test("every kind of value is read from a variable", () => {
  const { layer, unknown } = environmentLayer({
    REMEX_LISTEN: "unix:/run/a b",
    REMEX_MAX_SESSIONS: "7",
    REMEX_GRACE: ".5",
    REMEX_EXIT_ON_STDIN_CLOSE: "true",
    REMEX_LOG: "INFO",
    PATH: "/bin",
    remex_grace: "1",
  });
  assertEquals(unknown, []);
  assertEquals([...layer].map(([name, { value }]) => [name, value]), [
    ["listen", "unix:/run/a b"],
    ["maxSessions", 7],
    ["grace", 0.5],
    ["exitOnStdinClose", true],
    ["log", "info"],
  ]);
  assertEquals(layer.get("grace")?.origin, { layer: "environment", variable: "REMEX_GRACE" });
});

Deno.test("a wrong value is refused with its variable, a digest without its value", () => {
  const cases: [variable: string, text: string, message: string][] = [
    ["REMEX_MAX_SESSIONS", "many", "REMEX_MAX_SESSIONS: `many` is not a number from 1 to 1000000"],
    ["REMEX_MAX_SESSIONS", "", "REMEX_MAX_SESSIONS: `` is not a number"],
    ["REMEX_EXIT_ON_STDIN_CLOSE", "1", "`1` is not true or false"],
    ["REMEX_LOG", "loud", "`loud` is not error, warn, info or debug"],
    ["REMEX_LISTEN", "tcp:1", "`tcp:1` is not ws://HOST:PORT, unix:PATH or stdio"],
    ["REMEX_WS_TOKEN_FILE", " ", "REMEX_WS_TOKEN_FILE: ` ` is not a path"],
    ["REMEX_WS_TOKEN_SHA256", "geheim", "REMEX_WS_TOKEN_SHA256: its value is not a SHA-256"],
  ];
  for (const [variable, text, message] of cases) {
    assertThrows(() => environmentLayer({ [variable]: text }), ConfigurationError, message);
  }
});

Deno.test("a variable that is nearly a setting's is refused, another one is told", () => {
  const cases = { REMEX_LISTNE: "LISTEN", REMEX_LOGS: "LOG", REMEX_MAXSESSIONS: "MAX_SESSIONS" };
  for (const [variable, meant] of Object.entries(cases)) {
    const message = `${variable} in the environment is no setting; was REMEX_${meant} meant?`;
    assertThrows(() => environmentLayer({ [variable]: "1" }), ConfigurationError, message);
  }
  const { layer, unknown } = environmentLayer({ REMEX_BIN: "a", REMEX_TEST_SEEDS: "1" });
  assertEquals([layer.size, unknown], [0, ["REMEX_BIN", "REMEX_TEST_SEEDS"]]);
});

Deno.test("what Kubernetes tells of a service is none of ours", () => {
  for (const service of ["REMEX", "REMEX_LOG", "REMEX_LISTEN"]) {
    const { layer, unknown } = environmentLayer({
      [`${service}_SERVICE_HOST`]: "10.0.0.11",
      [`${service}_SERVICE_PORT`]: "6379",
      [`${service}_SERVICE_PORT_HTTP`]: "6379",
      [`${service}_PORT`]: "tcp://10.0.0.11:6379",
      [`${service}_PORT_6379_TCP`]: "tcp://10.0.0.11:6379",
      [`${service}_PORT_6379_TCP_PROTO`]: "tcp",
      [`${service}_PORT_6379_TCP_PORT`]: "6379",
      [`${service}_PORT_6379_TCP_ADDR`]: "10.0.0.11",
    });
    assertEquals([layer.size, unknown], [0, []]);
  }
});
