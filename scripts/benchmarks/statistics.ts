/** The value below which a share of the samples lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** How long an action takes, in milliseconds, so many times over, after a tenth as many unmeasured. */
export async function time(times: number, action: () => Promise<unknown>): Promise<number[]> {
  for (let round = 0; round < times / 10; round++) await action();
  const samples: number[] = [];
  for (let round = 0; round < times; round++) {
    const start = performance.now();
    await action();
    samples.push(performance.now() - start);
  }
  return samples;
}

/** Milliseconds that one action takes. */
export async function once(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}
