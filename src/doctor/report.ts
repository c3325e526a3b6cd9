/** The mechanism that sandboxes commands on a machine. */
export type Mechanism = "bubblewrap" | "landlock" | "seatbelt";

/**
 * One check. `failed`: a feature is missing. `warning`: a feature works in part, or another takes its
 * place.
 */
export interface DoctorCheck {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed";
  /** The finding, in one line. */
  readonly detail: string;
  /** What would help; missing if the check is ok. */
  readonly fix?: string;
}

/** The result of examining a machine. */
export interface DoctorReport {
  /** The version of this program. */
  readonly version: string;
  readonly os: string;
  readonly architecture: string;
  /** Null if commands cannot be sandboxed here. */
  readonly mechanism: Mechanism | null;
  /** The reason for that mechanism, or for none, in one line. */
  readonly reason: string;
  readonly checks: readonly DoctorCheck[];
}

/** A check that passed. */
export function ok(name: string, detail: string): DoctorCheck {
  return { name, status: "ok", detail };
}

const MARKS = { ok: "ok  ", warning: "warn", failed: "FAIL" };

/** The report as text: the verdict first, then each check with its fix. */
export function reportText({ version, os, architecture, reason, checks }: DoctorReport): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, detail, fix }) => [
    `  ${MARKS[status]}  ${name.padEnd(width)}  ${detail}`,
    ...fix === undefined ? [] : [`${" ".repeat(width + 10)}fix: ${fix}`],
  ]);
  return [`remex ${version} on ${os} ${architecture}: ${reason}`, "", ...lines, ""].join("\n");
}
