import { isAbsolute, join } from "@std/path";
import * as z from "zod/mini";
import { lazy } from "../protocol/schema_parts.ts";
import { startingEnvironment } from "../os/environment.ts";

/** A job, as it is remembered here: what it takes to find it again. */
export type JobHandle = z.output<typeof jobHandle>;
/** The executor that a job is on. */
export type JobExecutor = JobHandle["executor"];

const jobExecutor = lazy(() =>
  z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("url"),
      url: z.string(),
      /** The file with the token, an absolute path. */
      tokenFile: z.optional(z.string()),
    }),
    z.object({ kind: z.literal("via"), command: z.string() }),
    z.object({
      kind: z.literal("ssh"),
      host: z.string(),
      port: z.optional(z.number()),
      sshCommand: z.optional(z.string()),
      /** The program on the host whose executor has the job. */
      program: z.object({ name: z.string(), size: z.number() }),
    }),
  ])
);

const jobHandle = lazy(() =>
  z.object({
    name: z.string(),
    executor: jobExecutor,
    /** The credential for the session, and so for the job. */
    sessionId: z.string(),
    processId: z.string(),
    command: z.array(z.string()),
    tty: z.boolean(),
    /** In milliseconds since 1970. */
    startedAt: z.number(),
  })
);

/** What is wrong with a job, or with the place where jobs are remembered. */
export class JobError extends Error {
  override readonly name = "JobError";
}

const SUFFIX = ".json";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const GROUP_AND_OTHERS = 0o077;
const MAX_STEM = 40;

/** Whether a text can be the name of a job. */
export function isJobName(text: string): boolean {
  return NAME.test(text);
}

/**
 * The jobs that this user has started from this machine: a file each, which only the user can read, in
 * a directory that only the user can read.
 */
export class JobStore {
  readonly #directory: string;

  /** @param directory where the files are. @default in the user's state directory */
  constructor(directory: string = jobDirectory()) {
    this.#directory = directory;
  }

  /** The names of all jobs. @throws {JobError} when others can get at them */
  names(): string[] {
    if (!this.#exists()) return [];
    return Array.from(Deno.readDirSync(this.#directory), ({ name }) => name)
      .filter((name) => name.endsWith(SUFFIX) && isJobName(name.slice(0, -SUFFIX.length)))
      .map((name) => name.slice(0, -SUFFIX.length)).sort();
  }

  /** @throws {JobError} when there is none, or its file is damaged or somebody else's */
  get(name: string): JobHandle {
    if (!isJobName(name) || !this.#exists()) throw unknown(name);
    const path = this.#path(name);
    const text = readOwn(path, name);
    const handle = jobHandle.safeParse(parsedJson(text));
    if (handle.success && handle.data.name === name) return handle.data;
    throw new JobError(
      `the handle of ${name} is damaged: ${path}; \`remex rm --force ${name}\` removes it`,
    );
  }

  /**
   * Remembers a job under its name.
   *
   * @throws {JobError} when the name is taken, or nothing can be remembered
   */
  add(handle: JobHandle): void {
    if (!this.#created(handle)) throw taken(handle.name);
  }

  /**
   * Remembers a job under a name made from its program's, as `make-2`. Returns its handle.
   *
   * @throws {JobError} when nothing can be remembered
   */
  addUnnamed(job: Omit<JobHandle, "name">): JobHandle {
    const stem = stemOf(job.command[0] ?? "");
    const names = new Set(this.names());
    for (let number = 1;; number++) {
      const handle = { ...job, name: `${stem}-${number}` };
      // Another program may take it in between.
      if (!names.has(handle.name) && this.#created(handle)) return handle;
    }
  }

  /** Writes a handle, unless there is one of that name. Returns whether it has. @throws {JobError} */
  #created(handle: JobHandle): boolean {
    const path = this.#path(handle.name);
    let created = false;
    try {
      Deno.mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      this.#exists();
      using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
      created = true;
      const bytes = new TextEncoder().encode(JSON.stringify(handle));
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
      return true;
    } catch (error) {
      if (created) Deno.removeSync(path);
      if (error instanceof Deno.errors.AlreadyExists) return false;
      if (error instanceof JobError) throw error;
      throw new JobError(`the job cannot be remembered: ${wordsOf(error)}`);
    }
  }

  /** Forgets a job. @throws {JobError} when there is none of that name, or it cannot be forgotten */
  remove(name: string): void {
    if (!isJobName(name)) throw unknown(name);
    try {
      Deno.removeSync(this.#path(name));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) throw unknown(name);
      throw new JobError(`${name} cannot be forgotten: ${wordsOf(error)}`);
    }
  }

  #path(name: string): string {
    return join(this.#directory, name + SUFFIX);
  }

  /** Whether there is the directory. @throws {JobError} when others can read it */
  #exists(): boolean {
    try {
      refuseOthers(Deno.statSync(this.#directory), this.#directory, "chmod 700");
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }
}

/** What the names of a program's jobs begin with. */
function stemOf(program: string): string {
  const last = program.split(/[/\\]/).at(-1) ?? "";
  const base = last.replaceAll(/[^A-Za-z0-9._-]/g, "").replace(/^[^A-Za-z0-9]+/, "");
  return base.slice(0, MAX_STEM) || "job";
}

/** The name is another job's. */
export function taken(name: string): JobError {
  return new JobError(
    `there is a job ${name} already; choose another --name, or \`remex rm ${name}\` first`,
  );
}

function unknown(name: string): JobError {
  return new JobError(`there is no job ${name}; \`remex jobs\` lists them`);
}

/** The state directory of the XDG Base Directory Specification. @throws {JobError} without a home */
function jobDirectory(): string {
  const { XDG_STATE_HOME, HOME, LOCALAPPDATA } = startingEnvironment();
  if (XDG_STATE_HOME !== undefined && isAbsolute(XDG_STATE_HOME)) {
    return join(XDG_STATE_HOME, "remex", "jobs");
  }
  if (Deno.build.os === "windows" && LOCALAPPDATA !== undefined) {
    return join(LOCALAPPDATA, "remex", "jobs");
  }
  if (HOME !== undefined && isAbsolute(HOME)) return join(HOME, ".local/state/remex/jobs");
  throw new JobError("there is no place to remember jobs; set XDG_STATE_HOME or HOME");
}

function readOwn(path: string, name: string): string {
  try {
    refuseOthers(Deno.lstatSync(path), path, "chmod 600");
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw unknown(name);
    if (error instanceof JobError) throw error;
    throw new JobError(`the handle of ${name} cannot be read: ${wordsOf(error)}`);
  }
}

/** Whoever has a handle has the job. */
function refuseOthers({ uid, mode }: Deno.FileInfo, path: string, fix: string): void {
  if (uid !== null && uid !== Deno.uid()) {
    throw new JobError(`${path} belongs to another user`);
  }
  if (mode !== null && (mode & GROUP_AND_OTHERS) !== 0) {
    throw new JobError(`other users can get at ${path}, and at jobs by it; use ${fix}`);
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
