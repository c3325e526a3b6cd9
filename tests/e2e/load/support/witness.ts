import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { command } from "../../support/commands.ts";
import type { LoadClient } from "./load_client.ts";

/** Leaves the machine to those whose effect is to be seen. */
const REST_MS = 10;

/**
 * Runs commands one after the other until told to end, so that it shows whether what others do can
 * be noticed.
 *
 * @throws {Error} when one had another outcome than it must have
 */
export async function witness(client: LoadClient, over: AbortSignal): Promise<void> {
  for (let count = 0; count === 0 || !over.aborted; count++) {
    const id = `command ${count}`;
    await client.start(command(id, ["/bin/echo", id]));
    await client.closed(id);
    const { output, exitCode } = client.ledger.account(id);
    assertEquals([output, exitCode], [`${id}\n`, 0]);
    client.ledger.forget(id);
    await delay(REST_MS);
  }
  assertEquals(client.ledger.violations, []);
}
