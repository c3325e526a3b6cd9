import type { Params } from "../../protocol/methods.ts";
import { PathUri } from "../../protocol/path_uri.ts";
import { lazy, pathUriSchema } from "../../protocol/schema_parts.ts";
import type { DeniedGlob } from "../../sandbox/policy/bound_policy.ts";
import type { FileMethod } from "../operations.ts";
import type { GrantedFiles } from "./access_policy.ts";
import * as z from "zod/mini";

const onlyPath = lazy(() => z.object({ path: pathUriSchema }));
const pathAndKey = lazy(() => z.object({ path: pathUriSchema, key: z.string() }));

/** What file handles need of a path, each with its parameters. */
export const handleJobs = {
  /** Gives a descriptor of a regular file, which is then the asker's. */
  "fs/open": onlyPath,
  /** Gives a descriptor, which is then the asker's, or undefined; see `stageBeside`. */
  "fs/stage": onlyPath,
  /** The same; see `resumeBeside`. */
  "fs/resume": pathAndKey,
  /** See `discardResumable`. */
  "fs/discard": pathAndKey,
  /** See `storeStaged`. */
  "fs/store": lazy(() =>
    z.object({
      path: pathUriSchema,
      content: z.object({ kind: z.literal("staged"), source: z.string(), linkable: z.boolean() }),
      attributes: z.object({
        permissions: z.optional(z.number()),
        modifiedAtMs: z.optional(z.number()),
      }),
      key: z.optional(z.string()),
    })
  ),
} as const;

type HandleJob = keyof typeof handleJobs;

/** Something to be done with files, in a form that goes from thread to thread. */
export interface Job {
  readonly method: FileMethod | HandleJob;
  /** The parameters as they come over the wire, to be parsed again. */
  readonly params: Readonly<Record<string, unknown>>;
}

/** The job of doing a request. What is granted goes beside it, and not as the client asked for it. */
export function jobOf<M extends FileMethod>(
  method: M,
  params: Params<M>,
): Job {
  return { method, params: overTheWire(params) };
}

/** The job of doing what a file handle needs. */
export function handleJobOf<M extends HandleJob>(
  method: M,
  params: z.output<typeof handleJobs[M]>,
): Job {
  return { method, params: overTheWire(params) };
}

function overTheWire(params: object): Job["params"] {
  const members = Object.entries(params).filter(([name]) => name !== "sandbox");
  return Object.fromEntries(
    members.map(([name, value]) => [name, value instanceof PathUri ? value.toString() : value]),
  );
}

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

  /** Whether it is being done, or has been. */
  get begun(): boolean {
    return Atomics.load(this.#state, 0) === BEGUN;
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
