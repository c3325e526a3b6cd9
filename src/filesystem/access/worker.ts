/// <reference lib="deno.worker" />
import { dropCapabilities } from "../../os/capabilities.ts";
import { ErrorCode, RpcError } from "../../protocol/errors.ts";
import { type Answer, type FromWorker, JobState, type ToWorker } from "./job.ts";
import { JobPerformer } from "./perform_job.ts";

// The thread on which sandboxed file requests are done; see file_worker.ts.
const powerless = dropCapabilities();

const performer = new JobPerformer();
const running = new Map<number, AbortController>();

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "abort") running.get(data.id)?.abort();
  else if (new JobState(data.state).begin()) work(data).then(tell);
};
tell({ kind: "ready" });

function tell(message: FromWorker): void {
  self.postMessage(message);
}

async function work({ id, job, files }: Extract<ToWorker, { kind: "job" }>): Promise<Answer> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    await powerless;
    return {
      kind: "result",
      id,
      result: await performer.perform(job, files, controller.signal),
    };
  } catch (error) {
    const code = error instanceof RpcError ? error.code : ErrorCode.Internal;
    const message = error instanceof Error ? error.message : String(error);
    return { kind: "error", id, code, message };
  } finally {
    running.delete(id);
  }
}
