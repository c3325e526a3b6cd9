import { assertEquals } from "@std/assert";
import { type Random, seededRandom } from "../../../support/seeded_random.ts";
import { command } from "../../support/commands.ts";
import { LoadClient, Refused } from "./load_client.ts";
import { assertOutcome, shortCommand } from "./short_command.ts";

/** How many commands of a connection are started at the same time. */
const BATCH = 10;

/** Somebody whose connections do not last. */
export class User {
  readonly #url: string;
  readonly #random: Random;
  readonly #marker: string;
  /** Sessions left with a process that would run on for hours. */
  readonly abandoned: string[] = [];
  readonly violations: string[] = [];
  #client: LoadClient | undefined;
  #sleepers = 0;

  constructor(url: string, seed: number, marker: string) {
    this.#url = url;
    this.#random = seededRandom(seed);
    this.#marker = marker;
  }

  async work(commands: number): Promise<void> {
    for (let done = 0; done < commands; done += BATCH) {
      await this.#batch(done);
      const fate = this.#random(10);
      if (fate === 0) this.#leave();
      if (fate === 1) await this.#abandon();
    }
    this.#leave();
  }

  /** Some batches lose their connection halfway and go on with another. */
  async #batch(first: number): Promise<void> {
    let client = this.#client ??= await LoadClient.open(this.#url);
    const { ledger, sessionId } = client;
    const commands = Array.from(
      { length: BATCH },
      (_, index) => shortCommand(this.#random, `command-${first + index}`),
    );
    await Promise.all(commands.map(({ params }) => client.start(params)));
    if (this.#random(3) === 0) {
      client.cut();
      client = this.#client = await resumed(this.#url, client);
      assertEquals([client.sessionId, client.ledger], [sessionId, ledger]);
    }
    for (const { requests } of commands) {
      for (const { method, params } of requests) await client.call(method, params);
    }
    for (const command of commands) {
      const processId = String(command.params.processId);
      await client.closed(processId);
      assertOutcome(command, ledger.account(processId));
    }
  }

  /** Goes away; its session is at rest. */
  #leave(): void {
    this.violations.push(...this.#client?.ledger.violations ?? []);
    this.#client?.cut();
    this.#client = undefined;
  }

  /** Goes away while something runs. */
  async #abandon(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    const processId = `sleeper ${++this.#sleepers}`;
    await client.start(command(processId, ["sleep", this.#marker]));
    this.abandoned.push(client.sessionId);
    this.#leave();
  }
}

/** Comes back to a session as soon as the executor knows that its connection is gone. */
async function resumed(url: string, { ledger, sessionId }: LoadClient): Promise<LoadClient> {
  for (;;) {
    try {
      const client = await LoadClient.open(url, { ledger, resumeSessionId: sessionId });
      for (const processId of ledger.open) {
        const { lastSeq } = ledger.account(processId);
        const missed = await client.call("process/read", { processId, afterSeq: lastSeq });
        ledger.catchUp(processId, missed);
      }
      return client;
    } catch (error) {
      if (!(error instanceof Refused && error.code === -32010)) throw error;
    }
  }
}
