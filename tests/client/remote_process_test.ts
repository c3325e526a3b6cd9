import { ExecServerClient } from "../../src/client/mod.ts";
import { execProcessBehaviour } from "./exec_process_behaviour.ts";
import { ServedExecutor } from "../support/served_executor.ts";

for (const slowConsumer of ["fetchAgain", "wait"] as const) {
  execProcessBehaviour(`remote process, ${slowConsumer}`, (test) => async () => {
    await using executor = await ServedExecutor.start();
    await using client = await ExecServerClient.connect(executor.url, {
      slowConsumer,
      maxBufferedBytes: slowConsumer === "wait" ? 1024 * 1024 : 64 * 1024,
    });
    await test((params) => client.start(params));
  });
}
