import { deadline } from "@std/async/deadline";

/** How long closing may take, in milliseconds. */
const FAREWELL_MS = 1000;

/**
 * Waits for what is being closed, but not for long, and whatever becomes of it. Returns what it settles
 * with; undefined if it fails or takes longer.
 */
export async function farewell<T>(closing: Promise<T>): Promise<T | undefined> {
  return await deadline(closing, FAREWELL_MS).catch(() => undefined);
}
