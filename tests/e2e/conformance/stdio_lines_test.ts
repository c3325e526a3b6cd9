import { assertEquals, assertObjectMatch } from "@std/assert";
import { runToEnd } from "../support/executor.ts";
import { shell, start, waitForOutput } from "../support/commands.ts";
import { isAlive } from "../support/files.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { eventually } from "../../support/patience.ts";
import { connectStdio } from "../support/stdio_client.ts";

const INITIALIZE = '{"id":1,"method":"initialize","params":{"clientName":"x"}}';
const INITIALIZED = '{"method":"initialized"}';
const TERMINATE = '{"id":2,"method":"process/terminate","params":{"processId":"p"}}';
const SPOKEN = [INITIALIZE, INITIALIZED, TERMINATE];

/** What a client says until it closes its end, and the ids that are answered. */
const CONVERSATIONS: Readonly<Record<string, [input: string, ids: unknown[]]>> = {
  "nothing": ["", []],
  "blank lines": ["\n \n\t\n\r\n", []],
  "lines": [`${SPOKEN.join("\n")}\n`, [1, 2]],
  "lines that end in CR LF": [`${SPOKEN.join("\r\n")}\r\n`, [1, 2]],
  "lines with blanks around them": [`\n\n \t${SPOKEN.join(" \t\n\n \t")}\n\n`, [1, 2]],
  "a last line without an end": [SPOKEN.join("\n"), [1, 2]],
  "no JSON": [`hello\n${INITIALIZE}\n`, [-1, 1]],
  "two objects on a line": [`${INITIALIZE} ${INITIALIZED}\n${INITIALIZE}\n`, [-1, 1]],
  "an object over two lines": [`{"id":1,\n"method":"x"}\n${INITIALIZE}\n`, [-1, -1, 1]],
};

Deno.test("stdio: conversations that end with the input", async (t) => {
  for (const [name, [input, ids]] of Object.entries(CONVERSATIONS)) {
    await t.step(name, async () => {
      const { code, stdout, stderr } = await runToEnd(["serve", "--listen", "stdio"], input);
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      const lines = stdout.split("\n");
      assertEquals(lines.pop(), "");
      assertEquals(lines.map((line) => idOf(JSON.parse(line))), ids);
    });
  }
});

Deno.test("stdio: a line of 60 MiB is read, one of 64 MiB and more is refused", async () => {
  await using client = connectStdio();
  await client.initialize();
  const blank = " ".repeat(1024 * 1024);
  client.send(`${blank.repeat(60)}{"id":1,"method":"environment/info"}`);
  assertObjectMatch(await client.answer(1), { result: {} });
  client.send(`${blank.repeat(64)}{"id":1,"method":"environment/info"}`);
  assertObjectMatch(await client.answer(-1), { error: { code: -32600 } });
  assertObjectMatch(await client.request("environment/info"), { result: {} });
});

Deno.test("stdio: the end of the input ends all commands", async () => {
  const client = connectStdio();
  await client.initialize();
  await start(client, shell("p", "setsid sleep 1000 & echo $! $$; exec sleep 1000"));
  const { params } = await client.event("p");
  const chunk = isRecord(params) ? String(params.chunk) : "";
  const pids = new TextDecoder().decode(Uint8Array.fromBase64(chunk)).trim().split(" ");
  assertEquals(pids.length, 2);
  await client.close();
  assertEquals((await client.ended).code, 0);
  for (const pid of pids) await eventually(() => !isAlive(pid), `the end of ${pid}`);
});

Deno.test("stdio: a command's output does not get between the lines", async () => {
  await using client = connectStdio();
  await client.initialize();
  await start(
    client,
    shell("p", "echo out; echo err >&2; echo direct > /dev/stderr; read line", {
      pipeStdin: true,
    }),
  );
  await waitForOutput(client, "p", "direct");
  assertObjectMatch(await client.request("environment/info"), { result: {} });
});

function idOf(message: unknown): unknown {
  const record: Message = isRecord(message) ? message : {};
  return record.id;
}
