import { assertEquals } from "@std/assert";
import { type Random, seededRandom } from "../../support/seeded_random.ts";
import { ListeningExecutor } from "../support/executor.ts";
import { eventually } from "../../support/patience.ts";
import { Opcode, RawSocket } from "../support/raw_socket.ts";
import { LoadClient } from "./support/load_client.ts";
import { concatenated, type MalformedFrame, malformedFrame } from "./support/malformed_frames.ts";
import { resourcesOf } from "./support/resources.ts";
import { witness } from "./support/witness.ts";

const FRAMES = 20_000;
const ATTACKERS = 8;
const BURST = 100;
/** Asks for an answer that nothing else is answered with. */
const LAST_REQUEST = '{"id":"last of the burst","method":"none"}';

/** Sends so many frames, on a new connection whenever one has ended. */
async function attack(url: string, frames: number, random: Random): Promise<void> {
  for (let sent = 0; sent < frames;) {
    using socket = await RawSocket.open(url);
    // Half of them have a session.
    if (random(2) === 0) await openSession(socket);
    for (let open = true; open && sent < frames;) {
      const burst = nextBurst(random, Math.min(BURST, frames - sent));
      sent += burst.length;
      open = await strike(socket, burst);
    }
  }
}

async function openSession(socket: RawSocket): Promise<void> {
  await socket.send(Opcode.Text, '{"id":1,"method":"initialize","params":{"clientName":"a"}}');
  await socket.next();
  await socket.send(Opcode.Text, '{"method":"initialized"}');
}

/** Frames up to the first that may end the connection. */
function nextBurst(random: Random, limit: number): MalformedFrame[] {
  const burst: MalformedFrame[] = [];
  while (burst.length < limit) {
    const frame = malformedFrame(random);
    burst.push(frame);
    if (frame.effect !== "answered") break;
  }
  return burst;
}

/**
 * Sends frames and checks that each has its effect. Returns whether the connection goes on; answers
 * that were on their way when it ended need not arrive.
 */
async function strike(socket: RawSocket, burst: readonly MalformedFrame[]): Promise<boolean> {
  await socket.write(concatenated(burst.map(({ bytes }) => bytes)));
  switch (burst.at(-1)?.effect) {
    case "either":
      return false;
    case "ends":
      while ((await socket.next())?.opcode === Opcode.Text);
      return false;
    default:
      for (const _ of burst) assertEquals((await socket.next())?.opcode, Opcode.Text);
      await socket.send(Opcode.Text, LAST_REQUEST);
      assertEquals(JSON.parse(await socket.nextText()).id, "last of the burst");
      return true;
  }
}

Deno.test("twenty thousand malformed frames harm nobody but their senders", async () => {
  await using executor = await ListeningExecutor.start();
  using client = await LoadClient.open(executor.url);
  await attack(executor.url, 10, seededRandom(0));
  const over = new AbortController();
  const { descriptors } = resourcesOf(executor.pid);
  const attackers = Array.from(
    { length: ATTACKERS },
    (_, index) => attack(executor.url, FRAMES / ATTACKERS, seededRandom(index + 1)),
  );
  const attacks = Promise.all(attackers).finally(() => over.abort());
  await Promise.all([witness(client, over.signal), attacks]);
  await eventually(() => {
    const now = resourcesOf(executor.pid);
    return now.descriptors <= descriptors && now.children === 1;
  }, "the descriptors back");
});
