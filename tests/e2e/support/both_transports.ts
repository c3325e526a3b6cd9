import { type LaunchOptions, ListeningExecutor } from "./executor.ts";
import type { RawClient } from "./raw_client.ts";
import { shareExecutor } from "./shared_executor.ts";
import { connectStdio } from "./stdio_client.ts";
import { connectWebSocket } from "./websocket_client.ts";

/** Where a test gets its connections from. */
export interface Connector {
  /** A connection on which nothing has been sent. */
  connect(): Promise<RawClient>;
  /** A connection with a session. */
  open(): Promise<RawClient>;
}

/** A test, to be run once per transport. */
export type TransportTest = (connector: Connector, t: Deno.TestContext) => Promise<void>;

/**
 * Registers a test twice: over WebSocket, where all connections lead to one executor, and over
 * stdio, where each has its own.
 */
export function testBoth(name: string, body: TransportTest, options?: LaunchOptions): void {
  testWebSocket(name, body, options);
  Deno.test(`stdio: ${name}`, (t) =>
    body(connector(() => Promise.resolve(connectStdio(options))), t));
}

/**
 * Registers a test that only makes sense over WebSocket. Tests of one file share an executor unless
 * they need a special one: sessions keep them apart.
 */
export function testWebSocket(name: string, body: TransportTest, options?: LaunchOptions): void {
  const shared = options === undefined ? shareExecutor() : undefined;
  Deno.test(`websocket: ${name}`, async (t) => {
    await using own = shared === undefined ? await ListeningExecutor.start(options) : undefined;
    const url = own?.url ?? shared?.url ?? "";
    await body(connector(() => connectWebSocket(url)), t);
  });
}

function connector(connect: () => Promise<RawClient>): Connector {
  return {
    connect,
    open: async () => {
      const client = await connect();
      await client.initialize();
      return client;
    },
  };
}
