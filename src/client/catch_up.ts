import type { EventSequence } from "./event_buffer.ts";
import type { NetworkReport, ProcessEvent, ReadOutcome } from "./exec_process.ts";
import { ProcessError } from "./process_error.ts";

/** Output asked for in one read, in bytes; an answer stays well below what one message may hold. */
export const CATCH_UP_BYTES = 4 * 1024 * 1024;

/** Reads what is retained after a sequence number, {@linkcode CATCH_UP_BYTES} at the most. */
export type RetainedRead = (afterSeq: number) => Promise<ReadOutcome>;

type OutputEvent = Extract<ProcessEvent, { kind: "output" }>;

/**
 * Fills a sequence with what the executor has retained, while live events may go on coming in.
 *
 * Reads tell output with its numbers, but of exit and close only that they happened. Close is
 * always last, and exit has the one number below that is nobody else's.
 *
 * @throws {ProcessError} when something is missing for good
 */
export async function catchUp(sequence: EventSequence, read: RetainedRead): Promise<void> {
  let answer = await read(sequence.lastPublished);
  acceptOutput(sequence, answer);
  while (mayBeCut(answer)) {
    answer = await read(answer.nextSeq - 1);
    acceptOutput(sequence, answer);
  }
  acceptEnd(sequence, answer);
}

/** Output from one number up to another, both included, as far as it is retained. */
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
 * An answer that the limit ended looks like one that ends with the newest output. The difference
 * matters only for one near the limit, and for one whose numbers are to tell when the exit was.
 */
function mayBeCut({ chunks, nextSeq, exited }: ReadOutcome): boolean {
  if (chunks.at(-1)?.seq !== nextSeq - 1) return false;
  const bytes = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
  return exited || bytes > CATCH_UP_BYTES / 2;
}

/** What an executor tells of a process's network, if anything. */
export function networkOf(
  { networkReached, networkDenied }: Pick<ReadOutcome, "networkReached" | "networkDenied">,
): { readonly network?: NetworkReport } {
  if (networkReached === undefined && networkDenied === undefined) return {};
  return { network: { reached: networkReached ?? [], denied: networkDenied ?? [] } };
}

function acceptEnd(sequence: EventSequence, answer: ReadOutcome): void {
  if (answer.closed) sequence.accept({ kind: "closed", seq: answer.nextSeq - 1 });
  const missing = sequence.missingBefore(answer.nextSeq);
  const [exitSeq] = missing;
  if (answer.exited && !sequence.exitKnown && exitSeq !== undefined && missing.length === 1) {
    sequence.accept({
      kind: "exited",
      seq: exitSeq,
      exitCode: answer.exitCode ?? 0,
      sandboxDenied: answer.sandboxDenied ?? false,
      timedOut: answer.timedOut,
      ...networkOf(answer),
    });
    return;
  }
  if (missing.length > 0) {
    throw new ProcessError(
      "outputLost",
      "output was lost: more was produced during an outage than the executor retains",
    );
  }
}
