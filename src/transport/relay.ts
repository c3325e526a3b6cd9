import { isUtf8 } from "node:buffer";
import { Gate } from "./client_command.ts";
import { type ClientTransport, ConnectionError } from "./client_transport.ts";
import { StdioTransport } from "./stdio_transport.ts";

/** The two byte streams of a client that speaks in lines. */
export interface ClientStreams {
  readonly input: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly output: WritableStream<Uint8Array>;
}

/**
 * Passes on messages between a client that speaks in lines and an executor, each side as fast as the
 * other takes them. It looks at no more of them than whether they are UTF-8.
 *
 * Settles when either side has ended and the other has what was sent to it: with undefined if that
 * was the client, else with the reason.
 */
export async function relay(
  { input, output }: ClientStreams,
  executor: ClientTransport,
): Promise<ConnectionError | undefined> {
  const gate = new Gate();
  const client = new StdioTransport(input.pipeThrough(gate.stream), output);
  const over = Promise.withResolvers<ConnectionError | undefined>();
  let refused = false;
  const refuse = (who: string) => (reason: string) => {
    refused = true;
    over.resolve(new ConnectionError("notAnExecutor", `${who} sent ${reason}`));
  };
  const checked = (send: (message: Uint8Array) => void, refuse: (reason: string) => void) => ({
    message: (message: Uint8Array) => {
      // What was read together with the one that is refused comes at once.
      if (refused) return;
      if (isUtf8(message)) send(message);
      else refuse("a message that is not UTF-8");
    },
    unreadable: refuse,
  });
  client.openBytes({
    ...checked((message) => {
      executor.send(message);
      if (executor.saturated) gate.hold();
    }, refuse("the client")),
    drained: () => executor.release(),
    closed: () => over.resolve(undefined),
  });
  executor.openBytes({
    ...checked((message) => {
      client.send(message);
      if (client.saturated) executor.hold();
    }, refuse("the executor")),
    drained: () => gate.release(),
    closed: () =>
      over.resolve(executor.ending ?? new ConnectionError("lost", "the connection ended")),
  });
  const reason = await over.promise;
  gate.release();
  const shutdown = { kind: "shutdown", message: "the client has ended" } as const;
  executor.close(shutdown);
  client.close(shutdown);
  await Promise.all([executor.flushed(), client.flushed()]);
  return reason;
}
