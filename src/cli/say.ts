import { writeErrorLine } from "../log/standard_error.ts";

/**
 * Says something to whoever runs this program, in one line on standard error.
 *
 * @param end what ends the line
 */
export function say(message: string, end = "\n"): void {
  writeErrorLine(`remex: ${message.replaceAll("\n", " ")}`, end);
}
