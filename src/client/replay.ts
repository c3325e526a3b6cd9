import type { EventSequence } from "./event_buffer.ts";
import {
  type NetworkReport,
  ProcessError,
  type ProcessEvent,
  type ReadOutcome,
} from "./exec_process.ts";

/** Output asked for in one read, in bytes, so that the answer fits well into one message. */
export const REPLAY_BYTES = 4 * 1024 * 1024;

/** Reads retained output after a sequence number, {@linkcode REPLAY_BYTES} at the most. */
export type RetainedRead = (afterSeq: number) => Promise<ReadOutcome>;

type OutputEvent = Extract<ProcessEvent, { kind: "output" }>;

/**
 * Adds the events that the executor has retained to a sequence, while live events may still arrive.
 *
 * Reads give output with its sequence numbers, but exit and close without. Close always comes last, and
 * exit has the one number before it that no output has.
 *
 * @throws {ProcessError} when an event is no longer retained
 */
export async function replay(sequence: EventSequence, read: RetainedRead): Promise<void> {
  let answer = await read(sequence.lastPublished);
  acceptOutput(sequence, answer);
  while (mayBeCut(answer)) {
    answer = await read(answer.nextSeq - 1);
    acceptOutput(sequence, answer);
  }
  acceptEnd(sequence, answer);
}

/** The retained output from one sequence number to another, both included. */
export async function retainedOutput(
  from: number,
  to: number,
  read: RetainedRead,
): Promise<OutputEvent[]> {
  const found: OutputEvent[] = [];
  for (let after = from - 1; after < to;) {
    const { chunks } = await read(after);
    for (const { seq, stream, chunk } of chunks) {
      if (seq <= to) found.push({ kind: "output", seq, stream, bytes: chunk });
    }
    const last = chunks.at(-1);
    if (last === undefined) break;
    after = last.seq;
  }
  return found;
}

function acceptOutput(sequence: EventSequence, answer: ReadOutcome): void {
  if (answer.failure !== null) throw new ProcessError("executorFailure", answer.failure);
  for (const { seq, stream, chunk } of answer.chunks) {
    sequence.accept({ kind: "output", seq, stream, bytes: chunk });
  }
}

/**
 * Whether the size limit may have cut an answer short: such an answer looks like one that ends with the
 * newest output. It matters for an answer near the limit, and if the number of the exit is to be found.
 */
function mayBeCut({ chunks, nextSeq, exited }: ReadOutcome): boolean {
  if (chunks.at(-1)?.seq !== nextSeq - 1) return false;
  const bytes = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
  return exited || bytes > REPLAY_BYTES / 2;
}

/** What an executor tells of a process's network, if anything. */
export function networkOf(
  { networkReached, networkDenied }: Pick<ReadOutcome, "networkReached" | "networkDenied">,
): { readonly network?: NetworkReport } {
  if (networkReached === undefined && networkDenied === undefined) return {};
  return { network: { reached: networkReached ?? [], denied: networkDenied ?? [] } };
}

function acceptEnd(sequence: EventSequence, answer: ReadOutcome): void {
  const end = answer.closed ? answer.nextSeq - 1 : answer.nextSeq;
  const missing = sequence.missingBefore(end);
  if (answer.exited && !sequence.exitKnown && missing.length <= 1) {
    const [seq] = missing;
    const exit = {
      kind: "exited",
      seq: seq ?? sequence.lastPublished,
      exitCode: answer.exitCode ?? 0,
      sandboxDenied: answer.sandboxDenied ?? false,
      ...answer.limitExceeded !== undefined && { limitExceeded: answer.limitExceeded },
      timedOut: answer.timedOut,
      ...networkOf(answer),
    } as const;
    if (seq === undefined) sequence.acceptEarlier(exit);
    else sequence.accept(exit);
  } else if (missing.length > 0) {
    throw new ProcessError(
      "outputLost",
      "output was lost: more was produced during an outage than the executor retains",
    );
  }
  if (!answer.closed) return;
  const closed = { kind: "closed", seq: end } as const;
  if (end <= sequence.start) sequence.acceptEarlier(closed);
  else sequence.accept(closed);
}
