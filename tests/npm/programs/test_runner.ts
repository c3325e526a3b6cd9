import process from "node:process";

interface Test {
  readonly name: string;
  readonly fn: () => Promise<void> | void;
}

/** What became of a test, a line of standard output. */
export interface TestResult {
  readonly name: string;
  /** Missing if it passed. */
  readonly error?: string;
}

const tests: Test[] = [];

/** Stands for `Deno.test` where there is none. */
export function registerTest({ name, fn }: Test): void {
  tests.push({ name, fn });
}

/** Tests that run at the same time: they wait most of their time. */
const WIDTH = 8;

/** Runs all tests that were registered, and prints what became of each. */
export async function runTests(): Promise<void> {
  const queue = tests.values();
  await Promise.all(Array.from({ length: WIDTH }, async () => {
    for (const test of queue) process.stdout.write(`${JSON.stringify(await resultOf(test))}\n`);
  }));
}

async function resultOf({ name, fn }: Test): Promise<TestResult> {
  try {
    await fn();
    return { name };
  } catch (error) {
    return { name, error: error instanceof Error ? error.stack ?? error.message : String(error) };
  }
}
