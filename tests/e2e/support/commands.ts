import { assertEquals, assertObjectMatch } from "@std/assert";
import { isRecord, type Message } from "./inbox.ts";
import type { RawClient } from "./raw_client.ts";

/** Parameters of `process/start` for a shell command. */
export function shell(processId: string, script: string, more: Message = {}): Message {
  return command(processId, ["/bin/sh", "-c", script], more);
}

/** Parameters of `process/start`: the five members that it requires, and whatever else is given. */
export function command(processId: string, argv: readonly string[], more: Message = {}): Message {
  return {
    processId,
    argv,
    cwd: "file:///",
    env: { PATH: "/usr/bin:/bin" },
    tty: false,
    ...more,
  };
}

/** Starts a command that must start. */
export async function start(client: RawClient, params: Message): Promise<void> {
  const { error, result } = await client.request("process/start", params);
  if (error !== undefined) throw new Error(`process/start was refused: ${JSON.stringify(error)}`);
  assertObjectMatch({ result }, { result: { processId: params.processId } });
}

/** A command that has been run to its end. */
export interface Outcome {
  readonly events: readonly Message[];
  readonly stdout: string;
  readonly stderr: string;
  readonly pty: string;
  readonly exitCode: unknown;
}

/** Starts a command that must start, and waits for its end. */
export async function run(client: RawClient, params: Message): Promise<Outcome> {
  await start(client, params);
  return outcomeOf(await client.events(String(params.processId)));
}

/** What the events of a command that has been closed tell of it. */
export function outcomeOf(events: readonly Message[]): Outcome {
  const exited = events.find(({ method }) => method === "process/exited");
  return {
    events,
    stdout: outputOf(events, "stdout"),
    stderr: outputOf(events, "stderr"),
    pty: outputOf(events, "pty"),
    exitCode: isRecord(exited?.params) ? exited.params.exitCode : undefined,
  };
}

/** What a command that must start and succeed says on stdout. */
export async function stdoutOf(client: RawClient, params: Message): Promise<string> {
  const { stdout, stderr, exitCode } = await run(client, params);
  assertEquals({ stderr, exitCode }, { stderr: "", exitCode: 0 });
  return stdout;
}

/** Everything that events tell of one stream, as text. */
export function outputOf(events: readonly Message[], stream: string): string {
  const decoder = new TextDecoder();
  return events
    .map(({ params }) => params)
    .filter(isRecord)
    .filter((params) => params.stream === stream && typeof params.chunk === "string")
    .map(({ chunk }) => decoder.decode(Uint8Array.fromBase64(String(chunk)), { stream: true }))
    .join("");
}

/** Waits until a process has said something on any of its streams. Returns all it said until then. */
export async function waitForOutput(
  client: RawClient,
  processId: string,
  text: string,
): Promise<string> {
  let said = "";
  while (!said.includes(text)) {
    const { method, params } = await client.event(processId);
    if (method === "process/closed") throw new Error(`${processId} ended without saying ${text}`);
    if (!isRecord(params) || typeof params.chunk !== "string") continue;
    said += new TextDecoder().decode(Uint8Array.fromBase64(params.chunk));
  }
  return said;
}
