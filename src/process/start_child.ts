import type { Child, ChildCommand, ChildObserver } from "./child.ts";
import { startLinuxChild } from "./linux/start.ts";

/** Starts a command by the means that this system has. @throws {StartError} */
// deno-lint-ignore require-await
export async function startChild(command: ChildCommand, observer: ChildObserver): Promise<Child> {
  return startLinuxChild(command, observer);
}
