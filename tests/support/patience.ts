import { delay } from "@std/async/delay";

/** Far longer than anything takes, in milliseconds; a wait past it is a hang. Emulators are slow. */
const HANG_MS = Number(Deno.env.get("REMEX_TEST_PATIENCE") ?? 180_000);
const POLL_MS = 20;

/** Waits for a promise, but fails instead of hanging. @throws {Error} naming what did not come */
export async function settled<T>(
  promise: Promise<T>,
  what: string,
  hangMs: number = HANG_MS,
): Promise<T> {
  const hang = Promise.withResolvers<never>();
  const timer = setTimeout(() => hang.reject(new Error(`waited in vain for ${what}`)), hangMs);
  try {
    return await Promise.race([promise, hang.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again until a condition holds. @throws {Error} naming what did not come */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { hangMs = HANG_MS, pollMs = POLL_MS }: { hangMs?: number; pollMs?: number } = {},
): Promise<void> {
  const attempts = Math.ceil(hangMs / pollMs);
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (await condition()) return;
    await delay(pollMs);
  }
  throw new Error(`waited in vain for ${what}`);
}
