import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { shell } from "../../support/commands.ts";
import { isRecord, parseMessage } from "../../support/inbox.ts";
import { Opcode, RawSocket } from "../../support/raw_socket.ts";
import { Ledger } from "./ledger.ts";

/** What each slow reader leaves unread: far more than sockets and the executor take in. */
const UNREAD_BYTES = 16 * 1024 * 1024;
/** What a flood sends on a connection before it falls silent. */
const BEGINNINGS = [
  "",
  "G",
  "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: webso",
  "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
  "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "\0\0\0\0",
];

/** Opens connections that never become WebSockets. They are closed when the stack is. */
export async function flood(url: string, count: number, held: DisposableStack): Promise<void> {
  for (let index = 0; index < count; index++) {
    const socket = held.use(await RawSocket.connect(url));
    const beginning = BEGINNINGS[index % BEGINNINGS.length] ?? "";
    await socket.write(new TextEncoder().encode(beginning));
  }
}

/** Leaves WebSockets half open, which takes the rights of root. */
export async function vanish(url: string, count: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const script = fileURLToPath(new URL("vanish.py", import.meta.url));
  const { success } = await new Deno.Command("python3", {
    args: [script, hostname, port, String(count)],
    stdout: "null",
  }).output();
  assertEquals(success, true);
}

/** A client that lets a command talk and does not listen. */
export async function slowReader(url: string): Promise<RawSocket> {
  const socket = await RawSocket.open(url);
  const send = (message: unknown) => socket.send(Opcode.Text, JSON.stringify(message));
  await send({ id: 1, method: "initialize", params: { clientName: "slow" } });
  await send({ method: "initialized" });
  const params = shell("talker", `head -c ${UNREAD_BYTES} /dev/zero; exit 7`);
  await send({ id: 2, method: "process/start", params });
  return socket;
}

/** Reads at last, and checks that all has been waiting. */
export async function readAll(socket: RawSocket): Promise<void> {
  const ledger = new Ledger();
  const talker = ledger.account("talker");
  while (!talker.isClosed) {
    const message = parseMessage(await socket.nextText());
    if (isRecord(message.params)) ledger.enter(message);
  }
  assertEquals(ledger.violations, []);
  assertEquals([talker.output.length, talker.exitCode], [UNREAD_BYTES, 7]);
}
