import { assertEquals, assertObjectMatch } from "@std/assert";
import { command, run, shell, start } from "../e2e/support/commands.ts";
import { connectWebSocket } from "../e2e/support/websocket_client.ts";
import { enclosedIn } from "../e2e/sandbox/support/sandboxed.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** What a client did, in words and ids that must never get out. */
export interface BusyDay {
  /** Part of every command, path, id, URL and environment value that was used. */
  readonly mark: string;
  /** Ids that the executor gave. */
  readonly sessionIds: readonly string[];
}

/** The trace that the busy day's `process/start` belongs to. */
export const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/**
 * Does a little of everything with an executor: two connections of which one resumes a session, a
 * command that exits, one that fails, one in a sandbox if that can be, one that is terminated, one
 * that cannot be started, one that runs on, files, HTTP, nonsense.
 */
export async function busyDay(url: string, mark: string, sandboxed: boolean): Promise<BusyDay> {
  using directory = new TemporaryDirectory();
  const workspace = `${directory.path}/${mark}`;
  Deno.mkdirSync(workspace);
  const more = { env: { PATH: "/usr/bin:/bin", NAME: mark }, cwd: `file://${workspace}` };

  const first = await connectWebSocket(url);
  const sessionId = await first.initialize();
  const exits = shell(`${mark}-exits`, `cat; echo ${mark} >&2; exit 3`, {
    ...more,
    pipeStdin: true,
  });
  first.send(JSON.stringify({
    id: mark,
    method: "process/start",
    params: exits,
    trace: { traceparent: TRACEPARENT, tracestate: `vendor=${mark}` },
  }));
  await first.answer(mark);
  const input = { processId: exits.processId, chunk: btoa(mark), writeId: mark };
  await first.request("process/write", input);
  await first.request("process/closeStdin", { processId: exits.processId });
  await first.events(`${mark}-exits`);
  await first.close();

  const second = await connectWebSocket(url);
  assertEquals(await second.initialize(sessionId), sessionId);
  if (sandboxed) {
    const enclosed = command(`${mark}-enclosed`, ["cat", `/${mark}`], more);
    assertEquals((await run(second, { ...enclosed, ...enclosedIn(workspace) })).exitCode, 1);
  }
  await start(second, shell(`${mark}-terminated`, `sleep 1000; ${mark}`, more));
  await second.request("process/terminate", { processId: `${mark}-terminated` });
  await second.events(`${mark}-terminated`);
  const refused = await second.request("process/start", command("r", [`/no/${mark}`], more));
  assertObjectMatch(refused, { error: { code: -32603 } });
  await second.request("process/read", { processId: `${mark}-unknown` });
  await second.request("process/start", { argv: mark });
  await second.request(`unknown/${mark}`, { mark });
  second.send(`{"${mark}"`);
  await second.answer(-1);
  const path = `file://${workspace}/${mark}`;
  await second.request("fs/writeFile", { path, dataBase64: btoa(mark) });
  await second.request("fs/readFile", { path });
  await second.request("fs/readFile", { path: `${path}-missing` });
  await second.request("http/request", {
    method: "GET",
    url: `http://127.0.0.1:1/${mark}?${mark}`,
    headers: [{ name: "x-mark", value: mark }],
    requestId: mark,
  });
  await start(second, shell(`${mark}-runs-on`, `exec sleep 1000 # ${mark}`, more));
  second.notify(`unknown/${mark}`);
  await second.ended;
  return { mark, sessionIds: [sessionId] };
}
