import { assertEquals } from "@std/assert";
import { base64 } from "../support/base64.ts";
import { command, shell } from "../support/commands.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { LoadClient } from "./support/load_client.ts";
import { resourcesOf } from "./support/resources.ts";

const CONNECTIONS = 200;
const ROUNDS = 3;
const OUTPUT_BYTES = 20_000;

/** A bit of everything, under names that every client uses: sessions keep them apart. */
async function work(client: LoadClient, number: number, directory: string): Promise<void> {
  const { ledger } = client;
  for (let round = 0; round < ROUNDS; round++) {
    const name = `${number}.${round}`;
    const [talker, echo, sleeper, file] = ["talker", "echo", "sleeper"]
      .map((kind) => `${kind} ${round}`).concat(`file://${directory}/${name}`);
    const script = `echo ${name}; head -c ${OUTPUT_BYTES} /dev/zero >&2; exit ${number % 100}`;
    await Promise.all([
      client.start(shell(String(talker), script)),
      client.start(command(String(echo), ["cat"], { pipeStdin: true })),
      client.start(command(String(sleeper), ["sleep", "1000"])),
      client.call("fs/writeFile", { path: file, dataBase64: base64(name) }),
    ]);
    await client.call("process/write", { processId: echo, chunk: base64(name), writeId: "1" });
    await client.call("process/closeStdin", { processId: echo });
    await client.call("process/terminate", { processId: sleeper });
    const { dataBase64 } = await client.call("fs/readFile", { path: file });
    assertEquals(dataBase64, base64(name));
    await Promise.all([talker, echo, sleeper].map((id) => client.closed(String(id))));
    const results = [talker, echo, sleeper].map((id) => {
      const { output, exitCode } = ledger.account(String(id));
      return [output.replaceAll("\0", ""), output.length, exitCode];
    });
    assertEquals(results, [
      [`${name}\n`, OUTPUT_BYTES + name.length + 1, number % 100],
      [name, name.length, 0],
      ["", 0, 137],
    ]);
  }
  assertEquals([ledger.violations, ledger.open], [[], []]);
}

Deno.test("two hundred connections work at the same time", async () => {
  using directory = new TemporaryDirectory();
  await using executor = await ListeningExecutor.start();
  const open = () => LoadClient.open(executor.url);
  using first = await open();
  await work(first, 0, directory.path);
  await eventually(() => resourcesOf(executor.pid).children === 1, "the watchdog alone");
  const before = resourcesOf(executor.pid);

  using clients = new DisposableStack();
  await Promise.all(Array.from({ length: CONNECTIONS }, async (_, index) => {
    const client = clients.use(await open());
    await work(client, index + 1, directory.path);
  }));
  await eventually(
    () => resourcesOf(executor.pid).descriptors <= before.descriptors + CONNECTIONS,
    "a descriptor a connection and no more",
  );
  clients.dispose();
  await eventually(() => {
    const { descriptors, children } = resourcesOf(executor.pid);
    return descriptors <= before.descriptors && children === before.children;
  }, "the connections' descriptors back");
});
