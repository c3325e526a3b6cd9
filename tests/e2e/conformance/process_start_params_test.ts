import { assertEquals, assertObjectMatch } from "@std/assert";
import { testBoth } from "../support/both_transports.ts";
import { command, run, shell } from "../support/commands.ts";
import type { Message } from "../support/inbox.ts";

const POLICY: Message = {
  inherit: "none",
  ignoreDefaultExcludes: false,
  exclude: [],
  set: {},
  includeOnly: [],
};

const SANDBOX: Message = { permissions: { type: "disabled" }, windowsSandboxLevel: "disabled" };

function without(members: Message, name: string): Message {
  return Object.fromEntries(Object.entries(members).filter(([member]) => member !== name));
}

/** Members that make the parameters of a valid `process/start` invalid. */
const WRONG: readonly Message[] = [
  { processId: 5 },
  { processId: null },
  { argv: [] },
  { argv: "ls" },
  { argv: [1] },
  { argv: null },
  { cwd: 5 },
  { cwd: null },
  { env: null },
  { env: [] },
  { env: "A=B" },
  { env: { A: 1 } },
  { env: { A: null } },
  { tty: null },
  { tty: 0 },
  { tty: "false" },
  { pipeStdin: 1 },
  { pipeStdin: "true" },
  { arg0: 5 },
  { sandbox: "x" },
  { sandbox: {} },
  { sandbox: without(SANDBOX, "permissions") },
  { sandbox: { ...SANDBOX, permissions: { type: "nonsense" } } },
  { sandbox: { ...SANDBOX, permissions: null } },
  { sandbox: { ...SANDBOX, cwd: "nonsense" } },
  { enforceManagedNetwork: "x" },
  { managedNetwork: "x" },
  { envPolicy: "all" },
  { envPolicy: {} },
  { envPolicy: { ...POLICY, inherit: "some" } },
  { envPolicy: { ...POLICY, exclude: "A" } },
  { envPolicy: { ...POLICY, exclude: [1] } },
  { envPolicy: { ...POLICY, set: { A: 1 } } },
  { envPolicy: { ...POLICY, includeOnly: null } },
  { envPolicy: { ...POLICY, ignoreDefaultExcludes: "no" } },
  ...Object.keys(POLICY).map((member) => ({ envPolicy: without(POLICY, member) })),
];

testBoth("process/start with a wrong member is answered -32602", async ({ open }, t) => {
  await using client = await open();
  for (const wrong of WRONG) {
    await t.step(JSON.stringify(wrong), async () => {
      const answer = await client.request("process/start", { ...shell("p", "true"), ...wrong });
      assertObjectMatch(answer, { error: { code: -32602 } });
    });
  }
  await t.step("and the id is free", async () => {
    assertEquals((await run(client, shell("p", "true"))).exitCode, 0);
  });
});

testBoth("process/start without a required member is answered -32602", async ({ open }, t) => {
  await using client = await open();
  for (const params of [undefined, null, {}, 5, "x"]) {
    await t.step(JSON.stringify(params) ?? "none", async () => {
      const answer = await client.request("process/start", params);
      assertObjectMatch(answer, { error: { code: -32602 } });
    });
  }
  for (const member of ["processId", "argv", "cwd", "env", "tty"]) {
    await t.step(`without ${member}`, async () => {
      const answer = await client.request("process/start", without(shell("p", "true"), member));
      assertObjectMatch(answer, { error: { code: -32602 } });
    });
  }
});

/** Members that change nothing about a command. */
const HARMLESS: readonly Message[] = [
  { pipeStdin: false },
  { pipeStdin: null },
  { arg0: null },
  { envPolicy: null },
  { envPolicy: POLICY },
  { envPolicy: { ...POLICY, foo: 1 } },
  { sandbox: null },
  { sandbox: SANDBOX },
  { sandbox: { ...SANDBOX, permissions: { type: "external", network: "enabled" } } },
  {
    sandbox: {
      ...SANDBOX,
      permissions: { type: "managed", file_system: { type: "unrestricted" }, network: "enabled" },
    },
  },
  { enforceManagedNetwork: false },
  { enforceManagedNetwork: null },
  { managedNetwork: null },
  { metadata: null },
  { metadata: { a: [1, { b: null }] } },
  { foo: { bar: 1 } },
];

testBoth("process/start takes members that may be absent", async ({ open }, t) => {
  await using client = await open();
  for (const [index, harmless] of HARMLESS.entries()) {
    await t.step(JSON.stringify(harmless), async () => {
      const processId = `p${index}`;
      const answer = await client.request("process/start", shell(processId, "echo hi", harmless));
      assertEquals(answer.result, { processId, sandboxType: "none" });
      assertEquals((await client.events(processId)).map(({ method }) => method), [
        "process/output",
        "process/exited",
        "process/closed",
      ]);
    });
  }
});

testBoth("any text names a process", async ({ open }, t) => {
  await using client = await open();
  for (const processId of ["", "a b", "é\u0000\u{1f600}", "x".repeat(10_000)]) {
    await t.step(JSON.stringify(processId).slice(0, 20), async () => {
      assertEquals((await run(client, shell(processId, "exit 3"))).exitCode, 3);
    });
  }
});

testBoth("of members that stand twice the last one counts", async ({ open }) => {
  await using client = await open();
  const params = JSON.stringify(command("first", ["/bin/true"])).slice(0, -1);
  client.send(`{"id":1,"method":"process/start","params":${params},"processId":"second"}}`);
  assertObjectMatch(await client.answer(1), { result: { processId: "second" } });
  await client.events("second");
});
