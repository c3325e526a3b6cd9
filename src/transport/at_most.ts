/** Waits until a promise has settled either way, but so many milliseconds at the most. */
export async function atMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  const { promise: timeIsUp, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  try {
    await Promise.race([promise.catch(() => {}), timeIsUp]);
  } finally {
    clearTimeout(timer);
  }
}
