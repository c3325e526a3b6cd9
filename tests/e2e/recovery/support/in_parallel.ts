/**
 * Does something with each item, with so many at a time. What fails is told when all others have
 * been let finish.
 */
export async function inParallel<T>(
  width: number,
  items: Iterable<T>,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) await action(next.value);
  };
  const results = await Promise.allSettled(Array.from({ length: width }, worker));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
