/** The behaviour that every `ExecProcess` has, of the npm package's. Its argument is a URL. */
import { once } from "node:events";
import net from "node:net";
import process from "node:process";
import { ExecServerClient } from "../../../src/client/mod.ts";
import { execProcessBehaviour } from "../../client/exec_process_behaviour.ts";
import { registerTest, runTests } from "./test_runner.ts";

const [, , url = ""] = process.argv;
for (const slowConsumer of ["fetchAgain", "wait"] as const) {
  execProcessBehaviour(slowConsumer, (test) => async () => {
    const client = await ExecServerClient.connect(url, {
      slowConsumer,
      maxBufferedBytes: slowConsumer === "wait" ? 1024 * 1024 : 64 * 1024,
    });
    await test((params) => client.start(params));
    await client.close();
  });
}
registerTest({
  name: "a port of the executor's machine",
  fn: async () => {
    const server = net.createServer((connection) => connection.pipe(connection));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    await using client = await ExecServerClient.connect(url);
    const connection = await client.connectTcp(address.port);
    await connection.write(new TextEncoder().encode("there and back"));
    await connection.closeWrite();
    let said = "";
    const decoder = new TextDecoder();
    for (let part = await connection.read(); part !== null; part = await connection.read()) {
      said += decoder.decode(part, { stream: true });
    }
    connection.close();
    server.close();
    if (said !== "there and back") throw new Error(said);
  },
});
await runTests();
