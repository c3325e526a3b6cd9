import { Inbox } from "./inbox.ts";
import { settled } from "../../support/patience.ts";
import { RawClient } from "./raw_client.ts";

/** Connects over a WebSocket. */
export async function connectWebSocket(url: string): Promise<RawClient> {
  const inbox = new Inbox();
  const socket = new WebSocket(url);
  const opened = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onmessage = ({ data }) => inbox.receive(String(data));
  socket.onclose = ({ code, reason }) => {
    opened.reject(new Error(`${url} was closed: ${code} ${reason}`));
    inbox.end({ code, reason });
  };
  await settled(opened.promise, `a connection to ${url}`);
  return new RawClient({
    kind: "websocket",
    send: (text) => socket.send(text),
    close: async () => {
      socket.close();
      await settled(inbox.ended, "the answer to a close frame");
    },
  }, inbox);
}

/** Connects, and opens a session. */
export async function openWebSocket(url: string): Promise<RawClient> {
  const client = await connectWebSocket(url);
  await client.initialize();
  return client;
}
