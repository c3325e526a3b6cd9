import type { Descriptor } from "../../os/descriptor.ts";
import { Open, openAt } from "../../os/open_at.ts";
import { methods } from "../../protocol/methods.ts";
import type { PathUri } from "../../protocol/path_uri.ts";
import { deniedGlob } from "../../sandbox/policy/denied_glob.ts";
import { toRpcError } from "../io_error.ts";
import { hostPath } from "../named.ts";
import { notRegular } from "../open.ts";
import { performFileMethod } from "../operations.ts";
import type { Paths } from "../paths.ts";
import { discardResumable, resumeBeside, stageBeside, storeStaged } from "../staged_file.ts";
import { PolicyPaths } from "./policy_paths.ts";
import { handleJobs, type Job, type JobFiles } from "./job.ts";
import { AccessPolicy } from "./access_policy.ts";

/** Does jobs within what is granted for each. */
export class JobPerformer {
  /** The last one is kept, for most jobs are granted the same. */
  #last: { readonly files: string; readonly policy: AccessPolicy } | undefined;

  /**
   * Does a job. Gives what its method gives.
   *
   * @param files what is granted, {@linkcode JobFiles} as JSON
   * @throws {RpcError}
   */
  perform({ method, params }: Job, files: string, signal: AbortSignal): Promise<unknown> {
    const paths = new PolicyPaths(this.#policyFor(files));
    switch (method) {
      case "fs/open":
        return openDescriptor(handleJobs[method].parse(params).path, paths);
      case "fs/stage": {
        const { path } = handleJobs[method].parse(params);
        return answering(() => stageBeside(hostPath(path), paths));
      }
      case "fs/resume": {
        const { path, key } = handleJobs[method].parse(params);
        return answering(() => resumeBeside(hostPath(path), paths, key));
      }
      case "fs/discard": {
        const { path, key } = handleJobs[method].parse(params);
        return answering(() => discardResumable(hostPath(path), paths, key));
      }
      case "fs/store": {
        const { path, content, attributes, key } = handleJobs[method].parse(params);
        return answering(() => storeStaged(hostPath(path), paths, content, attributes, key));
      }
      default:
        return performFileMethod(method, methods[method].params.parse(params), signal, paths);
    }
  }

  #policyFor(files: string): AccessPolicy {
    if (this.#last?.files === files) return this.#last.policy;
    const granted: JobFiles = JSON.parse(files);
    const deniedGlobs = granted.deniedGlobs.map(({ pattern, base, names }) =>
      deniedGlob(pattern, base, names)
    );
    const policy = new AccessPolicy({ kind: "granted", ...granted, deniedGlobs });
    this.#last = { files, policy };
    return policy;
  }
}

/** Opens a regular file for reading. */
function openDescriptor(path: PathUri, paths: Paths): Promise<Descriptor> {
  return answering(async () => {
    const native = hostPath(path);
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
