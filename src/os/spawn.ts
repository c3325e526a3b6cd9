import { EACCES, ENOENT, ENOTDIR, O_NOCTTY, O_RDONLY, O_RDWR } from "./constants.ts";
import { cString, cStringArray } from "./os_string.ts";
import { coreDumps } from "./core_dumps.ts";
import type { Descriptor } from "./descriptor.ts";
import { lowerDescriptorLimit, withOwnDescriptorLimit } from "./descriptor_limit.ts";
import { describeErrno, ENOSYS, lastErrno } from "./errno.ts";
import { openProcessDescriptor } from "./pidfd.ts";
import { libraryTable } from "./libc.ts";
import { oomScore } from "./inherited_values.ts";
import { killAndReap, ownChildren } from "./signals.ts";

// glibc 2.29 or newer, for posix_spawn_file_actions_addchdir_np.
const libc = libraryTable({
  access: { parameters: ["buffer", "i32"], result: "i32" },
  posix_spawn: {
    parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  posix_spawn_at: {
    name: "posix_spawn",
    parameters: ["u64", "u64", "u64", "u64", "u64", "u64"],
    result: "i32",
  },
  posix_spawn_file_actions_init: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_destroy: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_adddup2: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  posix_spawn_file_actions_addopen: {
    parameters: ["buffer", "i32", "buffer", "i32", "u32"],
    result: "i32",
  },
  posix_spawn_file_actions_addchdir_np: { parameters: ["buffer", "buffer"], result: "i32" },
  posix_spawnattr_init: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_setflags: { parameters: ["buffer", "i16"], result: "i32" },
  posix_spawnattr_setsigdefault: { parameters: ["buffer", "buffer"], result: "i32" },
  posix_spawnattr_setsigmask: { parameters: ["buffer", "buffer"], result: "i32" },
});

/** What the new program finds on a descriptor number. */
export interface DescriptorSetup {
  readonly number: Descriptor;
  readonly source:
    /** A copy of ours. */
    | { readonly kind: "copy"; readonly descriptor: Descriptor }
    /** A file opened by the program itself. */
    | { readonly kind: "open"; readonly path: string; readonly access: FileAccess };
}

/** How a file is opened. A terminal becomes the controlling terminal unless it is `borrowed`. */
export type FileAccess = "read" | "readWrite" | "borrowed";

/** A program to start, with nothing left to look up or decide. */
export interface ProgramLaunch {
  /** Files to try in order, like the directories of PATH; relative ones start at `cwd`. */
  readonly candidates: readonly string[];
  /** What the program sees as its arguments, the first one being its name. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Set up in order; every other descriptor stays closed. */
  readonly descriptors: readonly DescriptorSetup[];
  /**
   * Whether the program begins in this one's session, to open one of its own.
   *
   * @default false
   */
  readonly sharesSession?: boolean;
}

/** A program that has been started. */
export interface StartedProcess {
  readonly pid: number;
  /**
   * Readable once the process has ended (pidfd_open(2)); to be closed by whoever gets it. Undefined
   * where the kernel has no such thing, as gVisor.
   */
  readonly descriptor: Descriptor | undefined;
}

/** The kernel's refusal to start a program. */
export class SpawnError extends Error {
  override readonly name = "SpawnError";
  readonly errno: number;

  constructor(errno: number) {
    super(describeErrno(errno));
    this.errno = errno;
  }
}

const EBADF = 9;
const NOT_THERE: readonly number[] = [ENOENT, ENOTDIR];
/** Asks access(2) only whether a file is there. */
const F_OK = 0;

const OPEN_FLAGS = { read: O_RDONLY, readWrite: O_RDWR, borrowed: O_RDWR | O_NOCTTY } as const;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
/** Larger than glibc's posix_spawn_file_actions_t (80), posix_spawnattr_t (336), sigset_t (128). */
const ACTIONS_BYTES = 128;
const ATTRIBUTES_BYTES = 512;
const SIGNAL_SET_BYTES = 128;

let attributes: Uint8Array<ArrayBuffer> | undefined;
let attributesOfSharers: Uint8Array<ArrayBuffer> | undefined;

/**
 * Starts a program, and holds it.
 *
 * @throws {SpawnError} as {@linkcode launchProgram} does
 */
export function spawnProgram(launch: ProgramLaunch): StartedProcess {
  return holdProcess(launchProgram(launch));
}

/**
 * Starts a program as the leader of its own session and process group, with every signal at its
 * default and none blocked. Returns its number: {@linkcode holdProcess} takes it over.
 *
 * posix_spawn(3) shares memory with the child until it has become the program, so that the cost
 * does not grow with the executor's memory as that of fork(2) does.
 *
 * @throws {SpawnError} when no candidate is there, or one is that cannot be executed; as with
 * execvp(3), one that may not be executed is passed over as long as others follow
 */
export function launchProgram(launch: ProgramLaunch): number {
  const attempts = attemptsAt(launch);
  let next = attempts.next();
  while (next.done !== true) {
    using _lowered = lowerDescriptorLimit();
    next = attempts.next(spawnHere(next.value));
  }
  return next.value;
}

/**
 * The same by another thread, without core dumps.
 *
 * @param spawn has the thread make a call; returns the error number, 0 if there is none. It holds what it is
 * given from just before the call until there is a process, which has inherited the limits of this one.
 * @throws {SpawnError} as {@linkcode launchProgram} does
 * @throws whatever `spawn` does
 */
export async function launchProgramElsewhere(
  launch: ProgramLaunch,
  spawn: (call: SpawnCall, hold: () => Disposable) => Promise<number>,
): Promise<number> {
  const attempts = attemptsAt(launch);
  let next = attempts.next();
  while (next.done !== true) {
    // If it throws, a start may still be under way, which needs all that it was given.
    next = attempts.next(await spawn(next.value, holdInherited));
  }
  return next.value;
}

/** Gives this program the limits that what it starts is to be born with. */
function holdInherited(): Disposable {
  const held = new DisposableStack();
  held.use(lowerDescriptorLimit());
  held.use(coreDumps().withhold());
  return held;
}

/** What posix_spawn(3) is called with, one after the other; the first is where it puts the number. */
export type SpawnCall = readonly [
  pid: Uint8Array<ArrayBuffer>,
  path: Uint8Array<ArrayBuffer>,
  actions: Uint8Array<ArrayBuffer>,
  attributes: Uint8Array<ArrayBuffer>,
  argv: Uint8Array<ArrayBuffer>,
  envp: Uint8Array<ArrayBuffer>,
];

function spawnHere(call: SpawnCall): number {
  return libc().posix_spawn(...call);
}

/**
 * Makes a call of which this thread knows where its parts are in memory, in their order. Returns the
 * error number, 0 if there is none.
 */
export function spawnAt(addresses: BigUint64Array): number {
  const [pid = 0n, path = 0n, actions = 0n, attributes = 0n, argv = 0n, envp = 0n] = addresses;
  return libc().posix_spawn_at(pid, path, actions, attributes, argv, envp);
}

/**
 * Each call to be made, which is answered with its error number. Returns the program's number.
 *
 * @throws {SpawnError}
 */
function* attemptsAt(launch: ProgramLaunch): Generator<SpawnCall, number, number> {
  const { candidates, argv, env, sharesSession = false } = launch;
  const actions = fileActions(launch);
  try {
    const settings = sharesSession
      ? attributesOfSharers ??= spawnAttributes(0)
      : attributes ??= spawnAttributes(POSIX_SPAWN_SETSID);
    const environment = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const pid = new Int32Array(new ArrayBuffer(4));
    const texts = [cStringArray(argv), cStringArray(environment)] as const;
    let failure = ENOENT;
    for (const candidate of candidates) {
      if (candidates.length > 1 && isMissing(candidate)) continue;
      const path = cString(candidate);
      const errno = yield [new Uint8Array(pid.buffer), path, actions, settings, ...texts];
      if (errno === 0) return pid[0] ?? 0;
      if (errno === EACCES) failure = EACCES;
      else if (!NOT_THERE.includes(errno)) throw new SpawnError(errno);
    }
    throw new SpawnError(failure);
  } finally {
    libc().posix_spawn_file_actions_destroy(actions);
  }
}

/**
 * Takes over a child of this program, whichever of its threads has started it.
 *
 * @throws {SpawnError} if it cannot be watched, for want of a descriptor: then it does not stay
 */
export function holdProcess(pid: number): StartedProcess {
  const descriptor = openProcessDescriptor(pid);
  if (descriptor === undefined) {
    const errno = lastErrno();
    if (errno !== ENOSYS) {
      killAndReap(pid);
      throw new SpawnError(errno);
    }
  }
  ownChildren.add(pid);
  oomScore().started(pid);
  return { pid, descriptor };
}

/** What leads to something else for each process. */
const OWN_TO_EACH = /^\/+(proc|dev)\//;

/**
 * Whether there is nothing at an absolute path. Trying it would take a process, and a search path can have
 * many places.
 */
function isMissing(file: string): boolean {
  return file.startsWith("/") && !OWN_TO_EACH.test(file) &&
    libc().access(cString(file), F_OK) !== 0 &&
    NOT_THERE.includes(lastErrno());
}

function fileActions(launch: ProgramLaunch): Uint8Array<ArrayBuffer> {
  const actions = new Uint8Array(ACTIONS_BYTES);
  libc().posix_spawn_file_actions_init(actions);
  libc().posix_spawn_file_actions_addchdir_np(actions, cString(launch.cwd));
  for (const { number, source } of launch.descriptors) {
    const refused = source.kind === "copy"
      ? addCopy(actions, source.descriptor, number)
      : libc().posix_spawn_file_actions_addopen(
        actions,
        number,
        cString(source.path),
        OPEN_FLAGS[source.access],
        0,
      );
    if (refused === 0) continue;
    libc().posix_spawn_file_actions_destroy(actions);
    throw new SpawnError(refused);
  }
  return actions;
}

/**
 * The C library takes no descriptor that is past the limit, which another thread may have lowered to
 * start a program.
 */
function addCopy(actions: Uint8Array<ArrayBuffer>, source: Descriptor, number: number): number {
  const add = () => libc().posix_spawn_file_actions_adddup2(actions, source, number);
  const refused = add();
  return refused === EBADF ? withOwnDescriptorLimit(add) : refused;
}

function spawnAttributes(session: number): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(ATTRIBUTES_BYTES);
  libc().posix_spawnattr_init(made);
  libc().posix_spawnattr_setflags(
    made,
    session | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK,
  );
  libc().posix_spawnattr_setsigdefault(made, new Uint8Array(SIGNAL_SET_BYTES).fill(0xff));
  libc().posix_spawnattr_setsigmask(made, new Uint8Array(SIGNAL_SET_BYTES));
  return made;
}
