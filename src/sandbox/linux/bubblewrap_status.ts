import * as z from "zod/mini";

/** What bubblewrap has told about itself so far. */
export interface BubblewrapStatus {
  /**
   * The first process of the sandbox, as this machine numbers it: the leader of the command's
   * session, parent of the command, and the last of all to end.
   */
  readonly firstProcess: number | undefined;
  /** What the command ended with. Stays undefined if the command never ran. */
  readonly exitCode: number | undefined;
}

const line = z.object({
  "child-pid": z.optional(z.int()),
  "exit-code": z.optional(z.int()),
});

/**
 * Reads what `bwrap --json-status-fd` has written: JSON objects, one a line. A last line that is
 * not whole yet is left out.
 */
export function parseBubblewrapStatus(text: string): BubblewrapStatus {
  let status: BubblewrapStatus = { firstProcess: undefined, exitCode: undefined };
  for (const json of text.split("\n").slice(0, -1)) {
    if (json.trim() === "") continue;
    const told = line.parse(JSON.parse(json));
    status = {
      firstProcess: told["child-pid"] ?? status.firstProcess,
      exitCode: told["exit-code"] ?? status.exitCode,
    };
  }
  return status;
}
