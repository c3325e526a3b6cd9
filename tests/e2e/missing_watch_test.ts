import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { testBoth } from "./support/both_transports.ts";
import { command, run } from "./support/commands.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

testBoth("a client is told when a path that was missing is there", async ({ open }) => {
  using directory = new TemporaryDirectory();
  await using client = await open();
  const path = join(directory.path, "made", "later");
  const params = {
    watchId: 1,
    missing: [pathToFileURL(path).href],
    present: pathToFileURL(directory.path).href,
  };
  const answer = await client.request("fs/watchMissing", params);
  assertEquals(answer.result, { watching: true });
  await run(client, command("p", ["mkdir", "-p", path]));
  const isNotice = ({ method }: { method?: unknown }) => method === "fs/missingChanged";
  const { message } = await client.inbox.next(isNotice, "the notice");
  assertEquals(message, { method: "fs/missingChanged", params: { watchId: 1 } });
  const again = await client.request("fs/watchMissing", { ...params, watchId: 2 });
  assertEquals(again.result, { watching: false });
});
