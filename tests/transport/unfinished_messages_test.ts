import { assertEquals } from "@std/assert";
import { type Receiver, UnfinishedMessages } from "../../src/transport/unfinished_messages.ts";

const LIMIT = 800;

/** Connections and a program whose figures a test decides. */
class Setting implements Disposable {
  resident = 1000;
  readonly received = new Map<string, number>();
  readonly ended: number[] = [];
  readonly #unfinished = new UnfinishedMessages(
    LIMIT,
    10_000_000,
    () => this.resident,
    () => this.received,
  );

  connect(port: number): { messages: number; largestMessage: number } {
    const state = { messages: 0, largestMessage: 0 };
    const receiver: Receiver = {
      peer: { transport: "tcp", hostname: "127.0.0.1", port },
      get messages() {
        return state.messages;
      },
      get largestMessage() {
        return state.largestMessage;
      },
      tooMuch: () => this.ended.push(port),
    };
    this.#unfinished.add(receiver);
    return state;
  }

  /** So many bytes have come in, and the program has become larger by as much. */
  receive(port: number, bytes: number): void {
    const key = `127.0.0.1 ${port}`;
    this.received.set(key, (this.received.get(key) ?? 0) + bytes);
    this.resident += bytes;
  }

  look(): void {
    this.#unfinished.look();
  }

  [Symbol.dispose](): void {
    this.#unfinished[Symbol.dispose]();
  }
}

Deno.test("connections with the largest unfinished messages are ended, as many as are too much", () => {
  using setting = new Setting();
  [1, 2, 3].forEach((port) => setting.connect(port));
  setting.look();
  setting.receive(1, 200);
  setting.receive(2, 500);
  setting.look();
  assertEquals(setting.ended, []);
  setting.receive(3, 300);
  setting.look();
  assertEquals(setting.ended, [2]);
  setting.receive(1, 600);
  setting.look();
  assertEquals(setting.ended, [2, 1]);
});

Deno.test("messages that come whole are not unfinished, however many there are", () => {
  using setting = new Setting();
  const state = setting.connect(1);
  setting.look();
  for (let round = 0; round < 10; round++) {
    setting.receive(1, 500);
    state.messages++;
    setting.look();
  }
  assertEquals(setting.ended, []);
});

Deno.test("while the program does not grow nobody is ended", () => {
  using setting = new Setting();
  setting.connect(1);
  setting.look();
  setting.receive(1, 5000);
  setting.resident = 1000;
  setting.look();
  assertEquals(setting.ended, []);
});

Deno.test("when memory is about to run out, the connection that keeps most is ended", () => {
  using setting = new Setting();
  const [one, other] = [setting.connect(1), setting.connect(2)];
  one.largestMessage = 2 * 1024 * 1024;
  other.largestMessage = 3 * 1024 * 1024;
  setting.look();
  setting.resident = 20_000_000;
  setting.look();
  assertEquals(setting.ended, [2]);
});
