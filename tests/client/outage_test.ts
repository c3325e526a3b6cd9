import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ConnectionError, ExecServerClient, ProcessError } from "../../src/client/mod.ts";
import { FaultyPath } from "../support/faulty_path.ts";
import { numbered } from "../e2e/recovery/support/work.ts";
import { MarkedProcesses } from "../support/marked_processes.ts";
import { settled } from "../support/patience.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { untilExists } from "../support/recorded_child.ts";
import { command, Followed } from "../support/followed.ts";
import { ServedExecutor } from "../support/served_executor.ts";

/** A path that can be closed for a while. */
class Gate {
  open = true;
  readonly path: FaultyPath;

  constructor(url: string) {
    this.path = new FaultyPath(
      url,
      () =>
        this.open ? {} : {
          faults: [{ direction: "toServer", unit: 0, kind: { kind: "cut", where: "before" } }],
        },
    );
  }

  close(): void {
    this.open = false;
    this.path.cutAll();
  }
}

function test(name: string, fn: () => Promise<void>): void {
  // What serves all processes of a program lives as long as the program.
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

const LINES = 700_000;

/** Says one line, and millions of bytes once there is a file `go`; then makes a file `done`. */
const TALK = `echo ready; until [ -e go ]; do sleep 0.01; done; seq 1 ${LINES}; touch done; exit 4`;

/** Lets a process write during an outage far more than what fits into its pipe. */
async function duringOutage(retainedBytes: number): Promise<Followed> {
  using directory = new TemporaryDirectory();
  await using executor = await ServedExecutor.start({ retainedBytes });
  const gate = new Gate(executor.url);
  await using _path = gate.path;
  await using client = await ExecServerClient.connect(gate.path.url, {
    retryDelayMs: 10,
    maxBufferedBytes: 64 * 1024 * 1024,
  });
  const process = await client.start(
    command(["sh", "-c", TALK], { cwd: `file://${directory.path}` }),
  );
  const followed = new Followed(process);
  await followed.says(/ready/);
  gate.close();
  await Deno.writeTextFile(`${directory.path}/go`, "");
  await untilExists(`${directory.path}/done`);
  gate.open = true;
  await followed.end();
  return followed;
}

test("an outage under heavy output ends in a gap where little is retained", async () => {
  const followed = await duringOutage(1024 * 1024);
  assertInstanceOf(followed.failure, ProcessError);
  assertEquals(followed.failure.code, "outputLost");
});

test("an outage under heavy output loses nothing where enough is retained", async () => {
  const followed = await duringOutage(32 * 1024 * 1024);
  assertEquals(followed.failure, undefined);
  assertEquals(followed.exitCode, 4);
  assert(followed.text() === `ready\n${numbered(1, LINES)}`, "every line once and in order");
});

test("nothing runs on when a client does not come back", async () => {
  await using executor = await ServedExecutor.start({ detachedLifeMs: 300 });
  const gate = new Gate(executor.url);
  await using _path = gate.path;
  await using marked = new MarkedProcesses();
  await using client = await ExecServerClient.connect(gate.path.url, { retryDelayMs: 10 });
  const process = await client.start(command(["sleep", marked.duration]));
  await marked.reach(1);
  gate.close();
  await marked.reach(0);
  gate.open = true;
  const error = await assertRejects(
    () => settled(process.completion, "the end of the session"),
    ConnectionError,
  );
  assertEquals(error.code, "sessionExpired");
});
