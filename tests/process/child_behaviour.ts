import "../support/default_signals.ts";
import { commandLineBehaviour } from "./behaviour/command_line.ts";
import { inputBehaviour } from "./behaviour/input.ts";
import { outputBehaviour } from "./behaviour/output.ts";
import { pauseBehaviour } from "./behaviour/pause.ts";
import type { StartChild } from "../support/recorded_child.ts";
import { signalBehaviour } from "./behaviour/signals.ts";
import { startErrorBehaviour } from "./behaviour/start_errors.ts";
import { terminalBehaviour } from "./behaviour/terminal.ts";

/** Registers the tests that every implementation of `Child` has to pass. */
export function childBehaviour(name: string, start: StartChild): void {
  commandLineBehaviour(name, start);
  outputBehaviour(name, start);
  inputBehaviour(name, start);
  pauseBehaviour(name, start);
  signalBehaviour(name, start);
  terminalBehaviour(name, start);
  startErrorBehaviour(name, start);
}
