import { PathUri } from "../protocol/path_uri.ts";
import { sandboxContext } from "../protocol/sandbox.ts";
import { examineHost } from "../doctor/doctor.ts";
import { reportText } from "../doctor/report.ts";
import type { Trial } from "../doctor/trial.ts";
import { configureLog } from "../log/log.ts";
import { type CommandManual, optionsHelp, usageText } from "./command_manual.ts";
import { sandboxIntent, type SandboxProfile } from "./exec_sandbox.ts";
import { HELP_OPTION, parseOptions } from "./setting_options.ts";
import { print } from "./standard_streams.ts";

const OPTIONS = {
  json: {
    type: "boolean",
    default: false,
    meaning:
      "print the report as JSON: version, os, architecture, mechanism (bubblewrap, landlock, " +
      "seatbelt or null), reason, and checks with name, status (ok, warning, failed), detail and fix",
  },
  ...HELP_OPTION,
} as const;

/** What is told of `remex doctor`. */
export const DOCTOR_MANUAL: CommandManual = {
  synopsis: "doctor [--json]",
  description:
    `Reports which sandbox this machine can enforce and why, and whether it has what running commands
needs. Some checks run a command. Each check that fails comes with its fix.`,
  options: optionsHelp(OPTIONS),
  notes: () => "The exit code is 0, or 1 if commands cannot be sandboxed on this machine.\n",
};

const PROFILES = [
  { profile: "read-only", writable: false },
  { profile: "workspace-write", writable: true },
] as const;

/** `remex doctor`: reports what this machine can enforce. Returns the exit code. */
export async function doctor(args: string[]): Promise<number> {
  const { json, help } = parseOptions("doctor", args, OPTIONS);
  if (help) {
    await print(usageText(DOCTOR_MANUAL));
    return 0;
  }
  // The report says it all.
  configureLog({ level: "error" });
  const trials = PROFILES.map(({ profile, writable }): Trial => ({
    profile,
    writable,
    policyFor: (workspace) => policyFor(profile, workspace),
  }));
  const report = await examineHost(trials);
  await print(json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  return report.mechanism === null ? 1 : 0;
}

async function policyFor(profile: SandboxProfile, workspace: string) {
  const intent = await sandboxIntent(profile, PathUri.fromNativePath(workspace), []);
  return {
    sandbox: sandboxContext.parse(intent),
    enforceManagedNetwork: false,
    managedNetwork: undefined,
  };
}
