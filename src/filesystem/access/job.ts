import type { Params } from "../../protocol/methods.ts";
import type { DeniedGlob } from "../../sandbox/policy/bound_policy.ts";
import type { StagedContent } from "../store_file.ts";
import type { GrantedFiles } from "./judge.ts";

/** Something to be done with files, in a form that goes from thread to thread. Paths are URIs. */
export type Job =
  | {
    readonly method: "fs/readFile" | "fs/getMetadata" | "fs/canonicalize" | "fs/readDirectory";
    readonly path: string;
  }
  /** Answered with a descriptor, which is then the asker's. */
  | { readonly method: "fs/open"; readonly path: string }
  /** Answered with a descriptor, which is then the asker's, or none; see `stageBeside`. */
  | { readonly method: "fs/stage"; readonly path: string }
  | { readonly method: "fs/store"; readonly path: string; readonly content: StagedContent }
  | { readonly method: "fs/writeFile"; readonly path: string; readonly dataBase64: string }
  | { readonly method: "fs/createDirectory"; readonly path: string; readonly recursive: boolean }
  | {
    readonly method: "fs/walk";
    readonly path: string;
    readonly options: Params<"fs/walk">["options"];
  }
  | {
    readonly method: "fs/remove";
    readonly path: string;
    readonly recursive: boolean;
    readonly force: boolean;
  }
  | {
    readonly method: "fs/copy";
    readonly sourcePath: string;
    readonly destinationPath: string;
    readonly recursive: boolean;
  };

/** What is granted, without functions. */
export type JobFiles = Pick<GrantedFiles, "grants" | "globMaxDepth"> & {
  readonly deniedGlobs: readonly Pick<DeniedGlob, "pattern" | "base" | "names">[];
};

/** What the worker is told. */
export type ToWorker =
  | {
    readonly kind: "job";
    readonly id: number;
    readonly job: Job;
    /** {@linkcode JobFiles} as JSON: the same text means that the same is granted. */
    readonly files: string;
    /** What `JobState` is about. */
    readonly state: SharedArrayBuffer;
  }
  /** Nobody waits for the job any more. */
  | { readonly kind: "abort"; readonly id: number };

/** What the worker tells. */
export type FromWorker =
  /** Once, when it can be given jobs. */
  | { readonly kind: "ready" }
  | Answer;

/** What the worker answers about one job. */
export type Answer =
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  | {
    readonly kind: "error";
    readonly id: number;
    readonly code: number;
    readonly message: string;
  };

const POSTED = 0;
const BEGUN = 1;
const WITHDRAWN = 2;

/**
 * Whether a job that has been posted is begun or withdrawn: both threads know, and only one of the
 * two ever comes about, so that no job is done twice.
 */
export class JobState {
  /** What the threads share. */
  readonly shared: SharedArrayBuffer;
  readonly #state: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#state = new Int32Array(shared);
  }

  /** Returns false if the job has been withdrawn: it must not be done then. */
  begin(): boolean {
    return Atomics.compareExchange(this.#state, 0, POSTED, BEGUN) === POSTED;
  }

  /** Returns false if the job has been begun: it will be done then. */
  withdraw(): boolean {
    return Atomics.compareExchange(this.#state, 0, POSTED, WITHDRAWN) === POSTED;
  }
}
