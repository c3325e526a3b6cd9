import { coreDumps } from "../../os/core_dumps.ts";
import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import { describeErrno } from "../../os/errno.ts";
import { fileModeAt } from "../../os/file_status.ts";
import {
  type Child,
  type ChildCommand,
  type ChildObserver,
  type ChildStdio,
  type ExtraDescriptor,
  StartError,
  startFailureOf,
} from "../child.ts";
import { executableCandidates } from "../executable.ts";
import { type ChildDescriptors, LinuxChild } from "./child.ts";
import { duplicate, growPipe, openForReading, openPipe } from "../../os/pipes.ts";
import { sealedNullDevice } from "../../os/null_device.ts";
import { sharedPoller } from "../../os/epoll.ts";
import { openPseudoTerminal, openTerminal } from "../../os/pseudo_terminal.ts";
import {
  type DescriptorSetup,
  holdProcess,
  type ProgramLaunch,
  SpawnError,
  spawnProgram,
  type StartedProcess,
} from "../../os/spawn.ts";

/** Room for a fast writer; ordinary users get 64 MiB in all before the kernel declines. */
const OUTPUT_PIPE_BYTES = 256 * 1024;

/** The descriptors of a command about to start, sorted by who keeps them. */
interface PreparedStdio {
  readonly ours: ChildDescriptors;
  readonly childs: readonly Descriptor[];
  readonly setup: readonly DescriptorSetup[];
}

/** Starts programs on another thread of this program. */
export interface ProgramStarter {
  /**
   * Returns the program's number.
   *
   * @throws {SpawnError} when the system refuses
   */
  spawn(launch: ProgramLaunch): Promise<number>;
  /** Told once of each that has been started, when it has ended and its number is free again. */
  exited(pid: number): void;
}

/** Starts a command. @throws {StartError} when the system refuses; nothing is left behind */
export function startLinuxChild(command: ChildCommand, observer: ChildObserver): Child {
  const prepared = prepareStdio(command);
  try {
    const poller = sharedPoller();
    const launch: ProgramLaunch = { ...launchOf(command), descriptors: prepared.setup };
    const spawn = () => coreDumps().kept(() => spawnProgram(launch));
    const process = command.group === undefined ? spawn() : command.group.during(spawn);
    return new LinuxChild(process, poller, prepared.ours, observer, undefined, command.group);
  } catch (error) {
    allDescriptors(prepared.ours).forEach(closeDescriptor);
    throw startError(command, error);
  } finally {
    prepared.childs.forEach(closeDescriptor);
  }
}

/**
 * Starts a command on another thread of this program. What it is given is open already: until the
 * program runs it has all that this one has open, and a call that it makes may be handed over to a
 * supervisor and wait. If this program ended meanwhile, both would stay for ever. A terminal that is to
 * be its controlling one it has to open itself.
 *
 * @throws {StartError} when the system refuses; nothing is left behind
 * @throws whatever else the starter does
 */
export async function startLinuxChildElsewhere(
  starter: ProgramStarter,
  command: ChildCommand,
  observer: ChildObserver,
): Promise<Child> {
  const { stdio } = command;
  const openHere = stdio.kind !== "pty" || stdio.controlling === false;
  return await startElsewhere(
    starter,
    launchOf(command),
    prepareStdio(command, openHere),
    observer,
  );
}

/**
 * Starts a program on another thread of this program. It gets its terminal, or what stands for an
 * empty input, open: what it may open itself is for that thread to know.
 *
 * @throws {StartError} when the system refuses; nothing is left behind
 * @throws whatever else the starter does
 */
export async function startLinuxChildBy(
  starter: ProgramStarter,
  launch: Omit<ProgramLaunch, "descriptors">,
  stdio: ChildStdio,
  observer: ChildObserver,
): Promise<Child> {
  const prepared = prepareStdio({ ...launch, stdio, sealed: true }, true);
  return await startElsewhere(starter, launch, prepared, observer);
}

async function startElsewhere(
  starter: ProgramStarter,
  launch: Omit<ProgramLaunch, "descriptors">,
  prepared: PreparedStdio,
  observer: ChildObserver,
): Promise<Child> {
  try {
    const poller = sharedPoller();
    const pid = await starter.spawn({ ...launch, descriptors: prepared.setup });
    const exited = () => starter.exited(pid);
    return new LinuxChild(holdOrEnd(pid, exited), poller, prepared.ours, observer, exited);
  } catch (error) {
    allDescriptors(prepared.ours).forEach(closeDescriptor);
    throw error instanceof SpawnError ? startError(launch, error) : error;
  } finally {
    prepared.childs.forEach(closeDescriptor);
  }
}

/** One that cannot be watched does not stay. @throws {SpawnError} */
function holdOrEnd(pid: number, exited: () => void): StartedProcess {
  try {
    return holdProcess(pid);
  } catch (error) {
    exited();
    throw error;
  }
}

function launchOf(command: ChildCommand): Omit<ProgramLaunch, "descriptors"> {
  return {
    candidates: executableCandidates(command.argv[0] ?? "", command.env),
    argv: [command.arg0 ?? command.argv[0] ?? "", ...command.argv.slice(1)],
    cwd: command.cwd,
    env: command.env,
  };
}

function prepareStdio(command: Omit<ChildCommand, "env">, openHere = false): PreparedStdio {
  const opened: Descriptor[] = [];
  try {
    const standard = command.stdio.kind === "pty"
      ? openHere
        ? prepareOpenTerminal(command.stdio, opened)
        : preparePseudoTerminal(command.stdio, opened)
      : preparePipes(command.stdio.stdin, command.sealed ?? false, openHere, opened);
    const { descriptors: extra = [] } = command;
    return extra.length === 0 ? standard : addDescriptors(standard, extra, opened);
  } catch (error) {
    opened.forEach(closeDescriptor);
    throw startError(command, error);
  }
}

function preparePipes(
  stdin: "pipe" | "empty",
  sealed: boolean,
  openHere: boolean,
  opened: Descriptor[],
): PreparedStdio {
  const pipe = () => {
    const { readEnd, writeEnd } = openPipe();
    opened.push(readEnd, writeEnd);
    return { readEnd, writeEnd };
  };
  const output = pipe();
  const errors = pipe();
  const input = stdin === "pipe" ? pipe() : undefined;
  const nothing = input === undefined && openHere ? openForReading(nullDevice(sealed)) : undefined;
  if (nothing !== undefined) opened.push(nothing);
  const read = input?.readEnd ?? nothing;
  growPipe(output.readEnd, OUTPUT_PIPE_BYTES);
  return {
    ours: {
      input: input?.writeEnd,
      outputs: [
        { stream: "stdout", descriptor: output.readEnd },
        { stream: "stderr", descriptor: errors.readEnd },
      ],
    },
    childs: [output.writeEnd, errors.writeEnd, ...read === undefined ? [] : [read]],
    setup: [
      read === undefined
        ? { number: 0, source: { kind: "open", path: nullDevice(sealed), access: "read" } }
        : { number: 0, source: { kind: "copy", descriptor: read } },
      { number: 1, source: { kind: "copy", descriptor: output.writeEnd } },
      { number: 2, source: { kind: "copy", descriptor: errors.writeEnd } },
    ],
  };
}

function nullDevice(sealed: boolean): string {
  return sealed ? sealedNullDevice() : "/dev/null";
}

/** A session leader without a terminal gets the first one it opens as its controlling terminal. */
function preparePseudoTerminal(
  { size, controlling = true }: Extract<ChildStdio, { kind: "pty" }>,
  opened: Descriptor[],
): PreparedStdio {
  const { master, terminalPath } = openPseudoTerminal(size);
  opened.push(master);
  return {
    ours: {
      input: duplicate(master),
      outputs: [{ stream: "pty", descriptor: master, name: terminalPath }],
    },
    childs: [],
    setup: [
      {
        number: 0,
        source: {
          kind: "open",
          path: terminalPath,
          access: controlling ? "readWrite" : "borrowed",
        },
      },
      { number: 1, source: { kind: "copy", descriptor: 0 } },
      { number: 2, source: { kind: "copy", descriptor: 0 } },
    ],
  };
}

function prepareOpenTerminal(
  { size }: Extract<ChildStdio, { kind: "pty" }>,
  opened: Descriptor[],
): PreparedStdio {
  const pair = openPseudoTerminal(size);
  opened.push(pair.master);
  const terminal = openTerminal(pair);
  opened.push(terminal);
  return {
    ours: {
      input: duplicate(pair.master),
      outputs: [{ stream: "pty", descriptor: pair.master, name: pair.terminalPath }],
    },
    childs: [terminal],
    setup: [0, 1, 2].map((number) => ({
      number,
      source: { kind: "copy", descriptor: terminal },
    })),
  };
}

/** Copied from numbers past all of theirs: to set one up must not overwrite another. */
function addDescriptors(
  prepared: PreparedStdio,
  extra: readonly ExtraDescriptor[],
  opened: Descriptor[],
): PreparedStdio {
  const lowest = Math.max(...extra.map(({ number }) => number)) + 1;
  const copies = new Map<Descriptor, Descriptor>();
  const copyOf = (source: Descriptor) => {
    const copy = copies.get(source) ?? duplicate(source, lowest);
    if (!copies.has(source)) opened.push(copy);
    copies.set(source, copy);
    return copy;
  };
  const numbered = extra.map(({ number, source }) => ({ number, descriptor: copyOf(source) }));
  return {
    ours: prepared.ours,
    childs: [...prepared.childs, ...copies.values()],
    setup: [
      ...prepared.setup,
      ...numbered.map(({ number, descriptor }): DescriptorSetup => ({
        number,
        source: { kind: "copy", descriptor },
      })),
    ],
  };
}

function allDescriptors(ours: ChildDescriptors): Descriptor[] {
  const outputs = ours.outputs.map(({ descriptor }) => descriptor);
  return ours.input === undefined ? outputs : [ours.input, ...outputs];
}

/** The kernel says what went wrong but not with which path; a look at the directory tells. */
function startError(command: Pick<ChildCommand, "argv" | "cwd">, cause: unknown): StartError {
  if (!(cause instanceof SpawnError)) {
    return new StartError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  // A program in a directory that cannot be entered is no program that is not there.
  const directory = fileModeAt(`${command.cwd}/.`);
  if (directory.kind === "failed") {
    const { errno } = directory;
    return new StartError(`${command.cwd}: ${describeErrno(errno)}`, {
      cause,
      failure: startFailureOf("workingDirectory", errno),
    });
  }
  return new StartError(`${command.argv[0]}: ${cause.message}`, {
    cause,
    failure: startFailureOf("program", cause.errno),
  });
}
