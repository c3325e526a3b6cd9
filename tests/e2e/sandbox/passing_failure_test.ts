import { assertEquals, assertStringIncludes } from "@std/assert";
import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import { LoggingExecutor } from "../../support/logging_executor.ts";
import { shell } from "../support/commands.ts";
import { isRecord } from "../support/inbox.ts";
import { eventually } from "../../support/patience.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { connectWebSocket } from "../support/websocket_client.ts";
import { enclosedIn } from "./support/sandboxed.ts";

/** bubblewrap on a machine that has no room for another process until a file is there. */
const SCARCE = `#!/bin/sh
[ -e "$(dirname "$0")/room" ] && exec /usr/bin/bwrap "$@"
echo "bwrap: Creating new namespace failed: Resource temporarily unavailable" >&2
exit 1
`;

Deno.test({
  name: "sandbox: a failure that passes does not take bubblewrap away for good",
  ignore: !canRunBubblewrap,
  fn: async () => {
    using directory = new TemporaryDirectory();
    directory.write("bin/bwrap", SCARCE, 0o755);
    const workspace = `${directory.path}/ws`;
    Deno.mkdirSync(workspace);
    const env = { PATH: `${directory.path}/bin:/usr/bin:/bin`, HOME: "/" };
    await using executor = await LoggingExecutor.start(env);
    await using client = await connectWebSocket(executor.url);
    await client.initialize();
    let started = 0;
    const start = () => {
      const params = shell(`p${++started}`, "touch here", enclosedIn(workspace));
      return client.request("process/start", params);
    };
    const refused = await start();
    assertEquals(isRecord(refused.error) && refused.error.code, -32603);
    assertStringIncludes(JSON.stringify(refused), "Resource temporarily unavailable");
    directory.write("bin/room", "", 0o644);
    await eventually(async () => isRecord((await start()).result), "a sandbox");
    await client.events(`p${started}`);
    assertEquals(Deno.statSync(`${workspace}/here`).isFile, true);
    await eventually(
      () => executor.logged("bubblewrap can be used now").length === 1,
      "a line about the change",
    );
    const [lost] = executor.logged("bubblewrap cannot be used; it is tried again later");
    assertEquals(lost?.level, "warn");
  },
});
