import { concat } from "@std/bytes/concat";
import type { ChildCommand } from "./child.ts";
import type { ChildStarter } from "./process.ts";
import type { ProcessKeeper } from "./process_keeper.ts";

/** What a command may take whose output is captured. */
export interface CaptureLimits {
  /** How long it may run, in milliseconds. */
  readonly patienceMs: number;
  /** How much it may write, in bytes. */
  readonly maxBytes: number;
  /** Aborted when nobody wants the output any more. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command for its output.
 *
 * @param owner whose command it is, for the keeper
 * @returns what it wrote to standard output if it ended with 0 and kept within the limits
 * @throws {StartError} when the operating system refuses
 */
export async function capture(
  command: ChildCommand,
  { patienceMs, maxBytes, signal }: CaptureLimits,
  start: ChildStarter,
  keeper: ProcessKeeper,
  owner: object,
): Promise<Uint8Array | undefined> {
  if (signal.aborted) return undefined;
  const pieces: Uint8Array[] = [];
  let size = 0;
  const exit = Promise.withResolvers<number>();
  const child = await start(command, {
    output: (stream, bytes) => {
      if (stream !== "stdout") return;
      size += bytes.length;
      if (size <= maxBytes) pieces.push(bytes.slice());
    },
    exited: exit.resolve,
    ended: () => {},
  });
  keeper.started(child, owner);
  const killLeft = keeper.killerOf(child.pid);
  const kill = () => {
    child.kill();
    killLeft();
  };
  const patience = setTimeout(kill, patienceMs);
  signal.addEventListener("abort", kill);
  if (signal.aborted) kill();
  const exitCode = await exit.promise;
  clearTimeout(patience);
  signal.removeEventListener("abort", kill);
  child.abandon();
  keeper.exited(child.pid);
  return exitCode === 0 && size <= maxBytes && !signal.aborted ? concat(pieces) : undefined;
}
