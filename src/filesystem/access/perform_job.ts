import type { Descriptor } from "../../os/descriptor.ts";
import { PathUri } from "../../protocol/path_uri.ts";
import { toRpcError } from "../io_error.ts";
import { Open, openAt } from "../../os/open_at.ts";
import { hostPath } from "../named.ts";
import { notRegular } from "../open.ts";
import { operationsOn } from "../operations.ts";
import type { Paths } from "../paths.ts";
import { stageBeside, storeStaged } from "../staged_file.ts";
import { AnchoredPaths } from "./anchored_paths.ts";
import type { Job } from "./job.ts";
import type { Judge } from "./judge.ts";

/**
 * Does a job as a judge allows.
 *
 * @throws {RpcError}
 */
export function performJob(job: Job, judge: Judge, signal: AbortSignal): Promise<unknown> {
  const paths = new AnchoredPaths(judge);
  const operations = operationsOn(paths);
  const sandbox = undefined;
  switch (job.method) {
    case "fs/open":
      return openDescriptor(job.path, paths);
    case "fs/stage":
      return answering(() => stageBeside(hostPath(uri(job.path)), paths));
    case "fs/store":
      return answering(() => storeStaged(hostPath(uri(job.path)), paths, job.content));
    case "fs/copy": {
      const [sourcePath, destinationPath] = [uri(job.sourcePath), uri(job.destinationPath)];
      return operations[job.method]({ ...job, sourcePath, destinationPath, sandbox }, signal);
    }
    case "fs/writeFile":
      return operations[job.method]({ ...job, path: uri(job.path), sandbox }, signal);
    case "fs/createDirectory":
      return operations[job.method]({ ...job, path: uri(job.path), sandbox }, signal);
    case "fs/walk":
      return operations[job.method]({ ...job, path: uri(job.path), sandbox }, signal);
    case "fs/remove":
      return operations[job.method]({ ...job, path: uri(job.path), sandbox }, signal);
    default:
      return operations[job.method]({ path: uri(job.path), sandbox }, signal);
  }
}

function uri(text: string): PathUri {
  return PathUri.parse(text);
}

/** Opens a regular file for reading. */
function openDescriptor(path: string, paths: Paths): Promise<Descriptor> {
  return answering(async () => {
    const native = hostPath(uri(path));
    using place = paths.object(native, "read");
    if (!(await place.stat()).isFile) throw notRegular(native);
    return openAt(-1, place.path, Open.NonBlocking);
  });
}

async function answering<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    throw toRpcError(error);
  }
}
