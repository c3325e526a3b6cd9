import type { Configuration } from "../../src/config/configuration.ts";
import { enforceRequirements, sandboxBounds } from "../../src/config/enforce.ts";
import { ConfigurationError } from "../../src/config/origin.ts";
import { parseRequirements } from "../../src/config/requirements.ts";
import { inDirectory } from "../support/recorded_child.ts";
import { fromEnvironment } from "./support.ts";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";

const FILE = "/etc/remex/requirements.jsonc";

const demanding = (demands: unknown) => parseRequirements(JSON.stringify(demands), FILE);

async function enforced(
  demands: unknown,
  variables: Readonly<Record<string, string>>,
): Promise<Configuration> {
  return enforceRequirements(fromEnvironment(variables), await demanding(demands));
}

async function refused(
  demands: unknown,
  variables: Readonly<Record<string, string>>,
  message: string,
): Promise<void> {
  const requirements = await demanding(demands);
  const error = assertThrows(
    () => enforceRequirements(fromEnvironment(variables), requirements),
    ConfigurationError,
    message,
  );
  assertEquals(error.message.startsWith(`${FILE}:1: `), true, error.message);
}

Deno.test("an executor listens only where it may", async () => {
  const allowedListen = ["stdio", "unix:/run/a", "loopback", "ws://10.0.0.1:*", "ws://[::]:80"];
  const allowed = [
    ...["stdio", "stdio://", "unix:/run/a", "unix:/run/../run/a", "ws://127.0.0.2:9"],
    ...["ws://localhost:0", "ws://[::1]:1", "ws://10.0.0.1:1", "ws://[::]:80"],
  ];
  for (const listen of allowed) await enforced({ allowedListen }, { REMEX_LISTEN: listen });
  await enforced({ allowedListen }, {});
  for (const listen of ["unix:/run/b", "ws://0.0.0.0:1", "ws://10.0.0.2:1", "ws://[::]:81"]) {
    const message = `allowedListen allows stdio, unix:/run/a, loopback, ws://10.0.0.1:* and ` +
      `ws://[::]:80, but REMEX_LISTEN is ${listen} (environment)`;
    await refused({ allowedListen }, { REMEX_LISTEN: listen }, message);
  }
  await refused(
    { allowedListen: [] },
    {},
    "allows nothing, but --listen is ws://127.0.0.1:0 (built",
  );
  await enforced({ allowedListen: ["unix"] }, { REMEX_LISTEN: "unix:/anywhere" });
  await refused({ allowedListen: ["unix"] }, { REMEX_LISTEN: "stdio" }, "allows unix, but");
});

Deno.test("where authentication is demanded nothing is open without", async () => {
  const tokens = { REMEX_WS_AUTH: "capability-token", REMEX_WS_TOKEN_FILE: "/t" };
  for (const REMEX_LISTEN of ["ws://127.0.0.1:0", "unix:/run/a", "ws://0.0.0.0:1"]) {
    await enforced({ requireAuthentication: "always" }, { REMEX_LISTEN, ...tokens });
    await refused(
      { requireAuthentication: "always" },
      { REMEX_LISTEN, REMEX_INSECURE_NO_AUTH: "true" },
      "requireAuthentication is always, but --ws-auth is none (built in); give --ws-auth",
    );
  }
  await enforced({ requireAuthentication: "always" }, { REMEX_LISTEN: "stdio" });
  await enforced({ requireAuthentication: "remote" }, {});
  await refused(
    { requireAuthentication: "remote" },
    { REMEX_LISTEN: "ws://0.0.0.0:1", REMEX_INSECURE_NO_AUTH: "true" },
    "requireAuthentication is remote, but REMEX_INSECURE_NO_AUTH is true (environment)",
  );
});

Deno.test("where encryption is demanded others get no plain connection", async () => {
  const remote = { REMEX_LISTEN: "ws://0.0.0.0:1" };
  await enforced({ requireTls: true }, { ...remote, REMEX_TLS_CERT: "c", REMEX_TLS_KEY: "k" });
  await enforced({ requireTls: true }, {});
  await enforced({ requireTls: false }, remote);
  await refused(
    { requireTls: true },
    remote,
    "requireTls requires encryption, but REMEX_LISTEN is",
  );
});

Deno.test("numbers stay within their bounds, and what nobody decided is lowered", async () => {
  const maximum = { maxProcesses: 10, grace: 0.5, retainBytes: 300_000 };
  const configuration = await enforced({ maximum }, { REMEX_MAX_PROCESSES: "10" });
  assertEquals(
    [
      configuration.get("maxProcesses"),
      configuration.get("grace"),
      configuration.get("maxSessions"),
    ],
    [10, 0.5, 10_000],
  );
  assertEquals(configuration.get("retainBytes"), 300_000);
  assertEquals(configuration.origin("grace"), { layer: "requirements", file: FILE, line: 1 });
  await refused(
    { maximum },
    { REMEX_MAX_PROCESSES: "11" },
    "maximum allows 10, but REMEX_MAX_PROCESSES is 11 (environment)",
  );
});

Deno.test("clients get sessions for no longer than a session may wait anyway, unless that is said", async () => {
  const bounded = await enforced({ maximum: { sessionRetention: 60 } }, {});
  assertEquals(bounded.get("maxSessionRetention"), 60);
  const maximum = { sessionRetention: 60, maxSessionRetention: 3600 };
  assertEquals((await enforced({ maximum }, {})).get("maxSessionRetention"), 3600);
  await refused(
    { maximum: { sessionRetention: 60 } },
    { REMEX_MAX_SESSION_RETENTION: "61" },
    "maximum allows 60, but REMEX_MAX_SESSION_RETENTION is 61 (environment)",
  );
});

Deno.test("a file that cannot be understood demands nothing and starts nothing", async () => {
  const cases: [demands: unknown, message: string][] = [
    [{ requireSandboxes: true }, "unknown key `requireSandboxes`; was `requireSandbox` meant?"],
    [{ requireSandbox: "yes" }, '`requireSandbox` must be true or false, not "yes"'],
    [{ allowedListen: "loopback" }, "`allowedListen` must be a list, each stdio, unix,"],
    [{ allowedListen: ["anywhere"] }, 'not ["anywhere"]'],
    [{ allowedListen: ["ws://*:80"] }, 'not ["ws://*:80"]'],
    [{ allowedWorkspaceRoots: ["here"] }, "must be a list, each an absolute path"],
    [{ allowedNetwork: "some" }, "must be none, proxy, managed or any"],
    [{ requireAuthentication: true }, "must be remote or always"],
    [{ maximum: 5 }, "`maximum` must be an object"],
    [{ maximum: { maxProcess: 5 } }, "unknown key `maxProcess`; was `maxProcesses` meant?"],
    [{ maximum: { listen: 5 } }, "unknown key `listen`"],
    [{ maximum: { maxProcesses: 0 } }, "`maxProcesses` must be a number from 1"],
    [{ maximum: { connectTimeout: 1 } }, "unknown key `connectTimeout`"],
  ];
  for (const [demands, message] of cases) {
    const error = await assertRejects(() => demanding(demands), ConfigurationError, message);
    assertEquals(error.message.startsWith(`${FILE}:1: `), true, error.message);
  }
});

Deno.test("demands on sandboxes are told to those who make them", () =>
  inDirectory(async (directory) => {
    Deno.symlinkSync(directory, `${directory}/link`);
    const real = Deno.realPathSync(directory);
    const bounds = async (demands: unknown) => sandboxBounds(await demanding(demands));
    assertEquals(await bounds({ requireSandbox: false, allowedNetwork: "any" }), undefined);
    assertEquals(await bounds({ requireSandbox: true }), {
      restrictedBy: "requireSandbox",
      writableRoots: undefined,
      network: "any",
    });
    assertEquals(await bounds({ allowedWorkspaceRoots: [`${directory}/link/`, "/no/such"] }), {
      restrictedBy: "allowedWorkspaceRoots",
      writableRoots: [real, "/no/such"],
      network: "any",
    });
    assertEquals(await bounds({ allowedNetwork: "managed" }), {
      restrictedBy: undefined,
      writableRoots: undefined,
      network: "managed",
    });
  }));

Deno.test("ports are not forwarded where that is forbidden", async () => {
  const demands = { forbidPortForwarding: true };
  assertEquals((await enforced({}, {})).get("forbidPortForwarding"), false);
  assertEquals((await enforced(demands, {})).get("forbidPortForwarding"), true);
  await refused(
    demands,
    { REMEX_FORBID_PORT_FORWARDING: "false" },
    "forbidPortForwarding is true, but REMEX_FORBID_PORT_FORWARDING is false (environment)",
  );
});

Deno.test("one mechanism of the sandbox is demanded", async () => {
  const demands = { sandboxMechanism: "landlock" };
  assertEquals((await enforced(demands, {})).get("sandboxMechanism"), "landlock");
  await enforced(demands, { REMEX_SANDBOX_MECHANISM: "landlock" });
  await refused(
    demands,
    { REMEX_SANDBOX_MECHANISM: "auto" },
    "sandboxMechanism is landlock, but REMEX_SANDBOX_MECHANISM is auto (environment)",
  );
});
