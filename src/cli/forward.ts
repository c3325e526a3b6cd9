import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import { ConnectionError, type ExecServerClient, type RemoteTcpConnection } from "../client/mod.ts";
import { loadConfiguration } from "../config/load.ts";
import { configureLog } from "../log/log.ts";
import { closeQuietly, writeAll } from "../net/connection.ts";
import { raiseDescriptorLimit } from "../os/descriptor_limit.ts";
import { usageText } from "./command_manual.ts";
import {
  FORWARD_MANUAL,
  type ForwardedPort,
  type ForwardOptions,
  parseForwardArguments,
} from "./forward_options.ts";
import { Interrupted, Interruption } from "./ending_signals.ts";
import { farewell, reachExecutor } from "./reach_executor.ts";
import { print, say } from "./standard_streams.ts";
import { UsageError } from "./usage_error.ts";
import { OUT_OF_REACH } from "./exit_codes.ts";

/** A port here cannot be listened on. */
const NOT_FORWARDED = 1;
const READ_BYTES = 64 * 1024;
/** Pause before connections are accepted again after that has failed, in milliseconds. */
const ACCEPT_AGAIN_MS = 100;

/** `remex forward`: reaches ports of an executor's machine at ports here. Returns the exit code. */
export async function forward(args: string[]): Promise<number> {
  const given = parseForwardArguments(args);
  if (typeof given === "string") {
    await print(usageText(FORWARD_MANUAL, given));
    return 0;
  }
  const { configuration } = await loadConfiguration(given);
  const options = given.options(configuration);
  configureLog(options.log);
  using interruption = new Interruption();
  try {
    await run(options, interruption.signal);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error instanceof Interrupted) return 0;
    say(error instanceof Error ? error.message : String(error));
    return error instanceof ConnectionError ? OUT_OF_REACH : NOT_FORWARDED;
  }
}

/**
 * Forwards until the executor is lost, or the signal aborts.
 *
 * @throws {ConnectionError} when it is lost
 * @throws the signal's reason
 */
async function run(options: ForwardOptions, signal: AbortSignal): Promise<void> {
  raiseDescriptorLimit();
  await using listeners = new AsyncDisposableStack();
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  const { client } = await reachExecutor(options.executor, {
    ...options,
    say,
    signal,
    client: { onEnded: (reason) => lost.reject(reason) },
  });
  listeners.defer(() => farewell(client.close()));
  const { environmentInfo } = await abortable(client.opened, signal);
  if (environmentInfo?.capabilities?.tcpForwarding !== true) {
    throw new Error("this executor does not forward ports: it is not allowed, or unknown there");
  }
  const over = new AbortController();
  for (const port of options.ports) {
    const listener = listeners.use(listen(port));
    listeners.defer(() => over.abort());
    const { hostname, port: local } = listener.addr;
    await print(`${hostname.includes(":") ? `[${hostname}]` : hostname}:${local}\n`);
    void accept(listener, (connection) => join(connection, client, port.there), over.signal);
  }
  await abortable(lost.promise, signal);
}

function listen({ hostname, here }: ForwardedPort): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port: here });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot listen on ${hostname} port ${here}: ${words}`);
  }
}

/** Accepts connections until the signal aborts. While there is no descriptor for one, it waits. */
async function accept(
  listener: Deno.TcpListener,
  accepted: (connection: Deno.TcpConn) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let failing = false;
  while (!signal.aborted) {
    try {
      void accepted(await listener.accept());
      failing = false;
    } catch (error) {
      if (signal.aborted) return;
      const words = error instanceof Error ? error.message : String(error);
      if (!failing) {
        say(`port ${listener.addr.port} here: no connection is accepted for now: ${words}`);
      }
      failing = true;
      await delay(ACCEPT_AGAIN_MS, { signal }).catch(() => {});
    }
  }
}

/** Joins a connection here with one there until both sides have ended, or one has broken. */
async function join(
  here: Deno.TcpConn,
  client: ExecServerClient,
  port: number,
): Promise<void> {
  let there: RemoteTcpConnection | undefined;
  try {
    here.setNoDelay(true);
    there = await client.connectTcp(port);
    await Promise.all([send(here, there), receive(there, here)]);
  } catch (error) {
    // Whoever connected sees a connection that breaks; why there is none only this program can tell.
    if (there === undefined && client.state !== "ended") {
      say(`port ${port} there: ${error instanceof Error ? error.message : error}`);
    }
  } finally {
    there?.close();
    closeQuietly(here);
  }
}

async function send(here: Deno.TcpConn, there: RemoteTcpConnection): Promise<void> {
  const buffer = new Uint8Array(READ_BYTES);
  for (;;) {
    const count = await here.read(buffer);
    if (count === null) return await there.closeWrite();
    await there.write(buffer.subarray(0, count));
  }
}

async function receive(there: RemoteTcpConnection, here: Deno.TcpConn): Promise<void> {
  for (;;) {
    const bytes = await there.read();
    if (bytes === null) return await here.closeWrite();
    await writeAll(here, bytes);
  }
}
