/// <reference lib="deno.worker" />
import { dropCapabilities } from "../../os/capabilities.ts";
import { ErrorCode, RpcError } from "../../protocol/errors.ts";
import { type Answer, type FromWorker, JobState, type ToWorker } from "./job.ts";
import { JobPerformer } from "./perform_job.ts";

type JobMessage = Extract<ToWorker, { kind: "job" }>;

/** How long the next job waits for one that has been begun, in milliseconds. */
const TURN_MS = 50;

// The thread on which sandboxed file requests are done; see file_worker.ts.
await dropCapabilities();

const performer = new JobPerformer();
/** Those that are not done yet. */
const jobs = new Map<number, AbortController>();
let turn = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "abort") return jobs.get(data.id)?.abort();
  const controller = new AbortController();
  jobs.set(data.id, controller);
  turn = turn.then(() => take(data, controller.signal));
};
tell({ kind: "ready" });

function tell(message: FromWorker): void {
  self.postMessage(message);
}

/**
 * Does a job unless it has been withdrawn. Settles when it is done or has taken long: the next may
 * hold this thread up, and with it whatever has been begun and is not done.
 */
function take(message: JobMessage, signal: AbortSignal): Promise<void> {
  const { promise: turnOver, resolve: endTurn } = Promise.withResolvers<void>();
  const end = () => {
    jobs.delete(message.id);
    endTurn();
  };
  if (new JobState(message.state).begin()) {
    const long = setTimeout(endTurn, TURN_MS);
    void work(message, signal).then(tell).finally(() => {
      clearTimeout(long);
      end();
    });
  } else end();
  return turnOver;
}

async function work({ id, job, files }: JobMessage, signal: AbortSignal): Promise<Answer> {
  try {
    return { kind: "result", id, result: await performer.perform(job, files, signal) };
  } catch (error) {
    const code = error instanceof RpcError ? error.code : ErrorCode.Internal;
    const message = error instanceof Error ? error.message : String(error);
    return { kind: "error", id, code, message };
  }
}
