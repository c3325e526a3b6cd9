import { ConnectionError, type ExecServerClient, type RemoteTcpConnection } from "../client/mod.ts";
import { loadConfiguration } from "../config/load.ts";
import { configureLog } from "../log/log.ts";
import { closeQuietly, writeAll } from "../net/connection.ts";
import { usageText } from "./command_manual.ts";
import {
  FORWARD_MANUAL,
  type ForwardedPort,
  type ForwardOptions,
  parseForwardArguments,
} from "./forward_options.ts";
import { Interrupted, Interruption } from "./interruption.ts";
import { reachExecutor } from "./reach_executor.ts";
import { print } from "./standard_output.ts";
import { UsageError } from "./usage_error.ts";
import { say } from "./say.ts";
import { OUT_OF_REACH } from "./exit_codes.ts";
import { farewell } from "./farewell.ts";

/** A port here cannot be listened on. */
const NOT_FORWARDED = 1;
const READ_BYTES = 64 * 1024;

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
    await interruption.orInterrupted(run(options));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error instanceof Interrupted) return 0;
    say(error instanceof Error ? error.message : String(error));
    return error instanceof ConnectionError ? OUT_OF_REACH : NOT_FORWARDED;
  }
}

/** Forwards until the executor is lost. @throws {ConnectionError} then */
async function run(options: ForwardOptions): Promise<void> {
  await using listeners = new AsyncDisposableStack();
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  const { client } = await reachExecutor(options.executor, {
    ...options,
    say,
    client: { onEnded: (reason) => lost.reject(reason) },
  });
  listeners.defer(() => farewell(client.close()));
  const { environmentInfo } = await client.opened;
  if (environmentInfo?.capabilities?.tcpForwarding !== true) {
    throw new Error("this executor does not forward ports: it is not allowed, or unknown there");
  }
  for (const port of options.ports) {
    const listener = listeners.use(listen(port));
    const { hostname, port: local } = listener.addr;
    await print(`${hostname.includes(":") ? `[${hostname}]` : hostname}:${local}\n`);
    void accept(listener, client, port.there);
  }
  await lost.promise;
}

function listen({ hostname, here }: ForwardedPort): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port: here });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot listen on ${hostname} port ${here}: ${words}`);
  }
}

async function accept(
  listener: Deno.TcpListener,
  client: ExecServerClient,
  port: number,
): Promise<void> {
  // Ends when the listener is closed.
  for await (const connection of listener) void join(connection, client, port);
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
