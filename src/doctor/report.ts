/** What sandboxes commands on a machine. */
export type Mechanism = "bubblewrap" | "landlock" | "seatbelt";

/**
 * One thing that was looked at. `failed` takes something away that was meant to be there, `warning`
 * leaves it in part or gets it by other means.
 */
export interface DoctorCheck {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed";
  /** What was found, in one line. */
  readonly detail: string;
  /** What would help; never there if all is well. */
  readonly fix?: string;
}

/** What a machine can do for an executor. */
export interface DoctorReport {
  /** The version of this program. */
  readonly version: string;
  readonly os: string;
  readonly architecture: string;
  /** Null if commands cannot be sandboxed here. */
  readonly mechanism: Mechanism | null;
  /** Why that one, or why none, in one line. */
  readonly reason: string;
  readonly checks: readonly DoctorCheck[];
}

/** A check that found nothing wrong. */
export function ok(name: string, detail: string): DoctorCheck {
  return { name, status: "ok", detail };
}

const MARKS = { ok: "ok  ", warning: "warn", failed: "FAIL" };

/** The report for people: the answer first, then each check with its fix. */
export function reportText({ version, os, architecture, reason, checks }: DoctorReport): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, detail, fix }) => [
    `  ${MARKS[status]}  ${name.padEnd(width)}  ${detail}`,
    ...fix === undefined ? [] : [`${" ".repeat(width + 10)}fix: ${fix}`],
  ]);
  return [`remex ${version} on ${os} ${architecture}: ${reason}`, "", ...lines, ""].join("\n");
}
