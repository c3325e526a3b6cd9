import { type LaunchOptions, ListeningExecutor } from "./executor.ts";
import type { RawClient } from "./raw_client.ts";
import { openWebSocket } from "./websocket_client.ts";

/** The executors of this file's tests, by how they are started. */
const shared = new Map<string, SharedExecutor>();

/**
 * An executor that runs from before the first test of a file to after the last. Sessions keep its
 * tests apart, and starting one takes longer than most of them.
 */
export class SharedExecutor {
  #executor: ListeningExecutor | undefined;

  constructor(options: LaunchOptions) {
    Deno.test.beforeAll(async () => {
      this.#executor = await ListeningExecutor.start(options);
    });
    Deno.test.afterAll(async () => {
      await this.#executor?.[Symbol.asyncDispose]();
    });
  }

  get url(): string {
    if (this.#executor === undefined) throw new Error("the shared executor has not been started");
    return this.#executor.url;
  }

  /** Lets a client of its own do something. Then all that it has started is ended. */
  async withClient<Result>(body: (client: RawClient) => Promise<Result>): Promise<Result> {
    await using client = await openWebSocket(this.url);
    try {
      return await body(client);
    } finally {
      await client.request("session/end", {});
    }
  }
}

/** The executor that the tests of this file share which want one like it; for the top level. */
export function shareExecutor(options: LaunchOptions = {}): SharedExecutor {
  const key = JSON.stringify(options);
  const executor = shared.get(key) ?? new SharedExecutor(options);
  shared.set(key, executor);
  return executor;
}
