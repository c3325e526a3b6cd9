import { TIMED_OUT } from "./exit_codes.ts";
import {
  ConnectionError,
  ErrorCode,
  type ExceededLimit,
  type ExecProcess,
  RpcError,
} from "../client/mod.ts";
import type { ReadKeys } from "./escape_keys.ts";
import { type ForwardedSignals, GivenUp } from "./exec_signals.ts";
import { InputError, OutputClosed, standardInput, writeAll } from "./standard_streams.ts";

/** Recognises keys that are not for the command. */
export interface LeavingKeys {
  /** Reads typed keys. */
  read(keys: Uint8Array): ReadKeys;
  /** What was kept until more keys would come, when none do. */
  end(): Uint8Array<ArrayBuffer>;
}

/** Options for forwarding input. */
export interface InputOptions {
  readonly tty: boolean;
  /** Recognises the keys that leave the terminal. @default no keys do */
  readonly keys: LeavingKeys | undefined;
  /** The exit code for leaving it. @default 255, as for a lost executor: the command's is unknown */
  readonly leftCode?: number;
  /** Whether the end of the input is the command's too. @default true */
  readonly end?: boolean;
  readonly say: (message: string) => void;
  /** Whether the client is connected. */
  readonly connected: () => boolean;
  /** Ends the wait for the process. */
  readonly giveUp: (reason: GivenUp) => void;
}

/** Writes under way at the same time; each has the bytes of one read. */
const MAX_WRITES = 32;
const CTRL_C = 0x03;
const CTRL_D = 0x04;
/** The exit code for leaving the terminal, as for a lost executor: the command's is unknown. */
const LEFT = 255;

/** Forwards standard input and its end to a process, until the process takes no more. */
export async function forwardInput(process: ExecProcess, options: InputOptions): Promise<void> {
  const underWay: Promise<boolean>[] = [];
  const write = async (bytes: Uint8Array<ArrayBuffer>): Promise<boolean> => {
    if (bytes.length === 0) return true;
    const accepted = process.write(bytes).then((status) => status === "accepted");
    // It may fail before anybody waits for it: whoever reads the process's events tells why.
    accepted.catch(() => {});
    underWay.push(accepted);
    return underWay.length < MAX_WRITES || await underWay.shift() === true;
  };
  const { keys, leftCode = LEFT, end = true } = options;
  try {
    for await (const chunk of untilUnreadable(options)) {
      const { bytes, leave } = keys?.read(chunk) ?? { bytes: chunk, leave: false };
      if (leave) {
        await write(bytes);
        return options.giveUp(new GivenUp(leftCode));
      }
      if (options.tty && chunk.includes(CTRL_C) && !options.connected()) {
        return options.giveUp(new GivenUp(LEFT));
      }
      if (!await write(bytes)) return;
    }
    if (keys !== undefined) await write(keys.end());
    if (end) await endInput(process, options);
  } catch (error) {
    // If the process has ended or was lost, whoever reads its events reports that.
    if (error instanceof RpcError) options.say(`standard input: ${error.message}`);
  } finally {
    await Promise.allSettled(underWay);
  }
}

/** Standard input; an error in reading it is reported and ends it. */
async function* untilUnreadable(
  { say }: InputOptions,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  try {
    yield* standardInput();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    say(`standard input cannot be read: ${error.message}`);
  }
}

async function endInput(process: ExecProcess, { tty, say }: InputOptions): Promise<void> {
  if (tty) {
    await process.write(Uint8Array.of(CTRL_D));
    return;
  }
  try {
    await process.closeStdin();
  } catch (error) {
    if (error instanceof ConnectionError) return;
    if (!(error instanceof RpcError) || error.code !== ErrorCode.MethodNotFound) throw error;
    say("this executor cannot end the command's input");
  }
}

/** The output cannot be written, as to a full disk. */
class OutputError extends Error {
  override readonly name = "OutputError";
}

/** What ends `remex exec`: the exit of the command, or the end of its output. */
export type EndOfCommand = "exit" | "output";

/**
 * Writes the output of a process to standard output and standard error. Settles with the exit code when
 * everything has been written.
 *
 * @param until whether to wait for the output of background processes
 * @param say tells the user something
 * @throws {OutputClosed} when nobody reads it
 * @throws {OutputError} when it cannot be written
 * @throws {Error} when the process is lost
 */
export async function forwardOutput(
  process: ExecProcess,
  signals: ForwardedSignals,
  until: EndOfCommand,
  say: (message: string) => void,
): Promise<number> {
  let exitCode = 0;
  for await (const event of process) {
    switch (event.kind) {
      case "output":
        await writeOutput(event.stream === "stderr" ? "stderr" : "stdout", event.bytes);
        break;
      case "exited":
        exitCode = event.timedOut ? TIMED_OUT : event.exitCode;
        signals.exited(exitCode);
        if (event.limitExceeded !== undefined) say(describeLimit(event.limitExceeded));
        if (until === "exit") return exitCode;
        break;
      case "failed":
        throw event.error;
    }
  }
  return exitCode;
}

/** A process too many is refused to a command, which goes on without. */
function describeLimit(limit: ExceededLimit): string {
  return limit === "processes"
    ? "the command reached the executor's limit of processes"
    : `the command was ended: the executor's limit of ${limit} was reached`;
}

/**
 * Writes to standard output or standard error.
 *
 * @throws {OutputClosed} when nobody reads it
 * @throws {OutputError} when it cannot be written
 */
export async function writeOutput(
  stream: "stdout" | "stderr",
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  try {
    await writeAll(Deno[stream], bytes);
  } catch (error) {
    if (error instanceof OutputClosed) throw error;
    const [name, words] = [
      stream === "stdout" ? "standard output" : "standard error",
      error instanceof Error ? error.message : String(error),
    ];
    throw new OutputError(`${name} cannot be written: ${words}`, { cause: error });
  }
}
