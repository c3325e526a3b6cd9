import { deadline } from "@std/async/deadline";

/** How long closing may take, in milliseconds. */
const FAREWELL_MS = 1000;

/** Waits for what is being closed, but not for long, and whatever becomes of it. */
export async function farewell(closing: Promise<unknown>): Promise<void> {
  await deadline(closing, FAREWELL_MS).catch(() => {});
}
