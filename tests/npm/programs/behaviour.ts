/** The behaviour that every `ExecProcess` has, of the npm package's. Its argument is a URL. */
import process from "node:process";
import { ExecServerClient } from "../../../src/client/mod.ts";
import { execProcessBehaviour } from "../../client/exec_process_behaviour.ts";
import { runTests } from "./test_runner.ts";

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
await runTests();
