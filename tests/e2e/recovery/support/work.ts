import { assertEquals } from "@std/assert";
import {
  ConnectionError,
  type ExecProcess,
  type ExecServerClient,
} from "../../../../src/client/mod.ts";
import { settled } from "../../../support/patience.ts";

/** Something for a process to do whose outcome is known to the byte. */
export interface Work {
  readonly name: string;
  /** A shell script. */
  readonly script: string;
  /** What is written to its standard input, a part at a time. */
  readonly input: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Lines with their numbers, from one up to another, both included. */
export function numbered(from: number, to: number): string {
  let text = "";
  for (let number = from; number <= to; number++) text += `${number}\n`;
  return text;
}

/** Every line that is written comes back, and the end of the input is noticed. */
export function echo(parts: number, linesAPart: number): Work {
  const input = Array.from(
    { length: parts },
    (_, part) => numbered(part * linesAPart + 1, (part + 1) * linesAPart),
  );
  return {
    name: "echo",
    script: "cat; echo the end >&2; exit 7",
    input,
    stdout: input.join(""),
    stderr: "the end\n",
    exitCode: 7,
  };
}

/** Thousands of lines, in bursts. */
export function bursts(count: number, linesABurst: number): Work {
  return {
    name: "bursts",
    script: `b=0; while [ $b -lt ${count} ]; do
      seq $((b * ${linesABurst} + 1)) $(((b + 1) * ${linesABurst})); b=$((b + 1)); sleep 0.002
    done; echo done >&2; exit 3`,
    input: [],
    stdout: numbered(1, count * linesABurst),
    stderr: "done\n",
    exitCode: 3,
  };
}

/** What became of a piece of work. */
export interface Done {
  stdout: string;
  stderr: string;
  exitCode: number;
  kinds: string[];
}

/** Starts a piece of work. The marker is in its command line. */
export function startWork(
  client: ExecServerClient,
  work: Work,
  marker: string,
): Promise<ExecProcess> {
  return client.start({
    argv: ["/bin/sh", "-c", work.script, marker],
    cwd: "file:///",
    env: { PATH: "/usr/bin:/bin" },
    pipeStdin: true,
  });
}

/** Gives a process its input and takes in all that it says, up to its end. */
export async function seeThrough(process: ExecProcess, work: Work): Promise<Done> {
  const done: Done = { stdout: "", stderr: "", exitCode: -1, kinds: [] };
  const decoder = new TextDecoder();
  const fed = feed(process, work.input);
  for await (const event of process) {
    if (done.kinds.at(-1) !== event.kind) done.kinds.push(event.kind);
    if (event.kind === "failed") throw event.error;
    if (event.kind === "exited") done.exitCode = event.exitCode;
    if (event.kind !== "output") continue;
    if (event.stream === "stderr") done.stderr += decoder.decode(event.bytes);
    else done.stdout += decoder.decode(event.bytes);
  }
  await settled(fed, "the input to be taken");
  return done;
}

/** Compares without printing thousands of lines. */
export function assertDone(done: Done, work: Work): void {
  assertEquals([done.exitCode, done.stderr], [work.exitCode, work.stderr]);
  if (done.stdout === work.stdout) return;
  const got = done.stdout.split("\n");
  const wanted = work.stdout.split("\n");
  const line = wanted.findIndex((text, index) => text !== got[index]);
  throw new Error(
    `${work.name}: line ${line + 1} of ${wanted.length} is ${got[line]}, ${got.length} in all`,
  );
}

async function feed(process: ExecProcess, input: readonly string[]): Promise<void> {
  const encoder = new TextEncoder();
  const writes = input.map((part) => process.write(encoder.encode(part)));
  const end = process.closeStdin();
  for (const status of await Promise.all(writes)) assertEquals(status, "accepted");
  await end;
}

/**
 * Waits until the executor answers. What a lost answer may have started has been cleared away by
 * then.
 */
export async function reached(client: ExecServerClient): Promise<void> {
  while (true) {
    try {
      await client.environmentInfo();
      return;
    } catch (error) {
      if (!(error instanceof ConnectionError) || error.code !== "lost") throw error;
    }
  }
}
