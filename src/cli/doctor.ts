import { PathUri } from "../protocol/path_uri.ts";
import { sandboxContext } from "../protocol/sandbox.ts";
import { examineHost } from "../doctor/doctor.ts";
import { reportText } from "../doctor/report.ts";
import type { Trial } from "../doctor/trial.ts";
import { configureLog } from "../log/log.ts";
import { sandboxIntent, type SandboxProfile } from "./exec_sandbox.ts";
import { helpText, optionsHelp } from "./option_help.ts";
import { HELP_OPTION, parseOptions } from "./setting_options.ts";
import { print } from "./standard_output.ts";

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

function doctorUsage(): string {
  return `usage: remex doctor [--json]

Reports which sandbox this machine can enforce and why, and whether it has what running commands
needs. Some checks run a command. Each check that fails comes with its fix.

${helpText(optionsHelp(OPTIONS))}
The exit code is 0, or 1 if commands cannot be sandboxed on this machine.
`;
}

const PROFILES = [
  { profile: "read-only", writable: false },
  { profile: "workspace-write", writable: true },
] as const;

/** `remex doctor`: reports what this machine can enforce. Returns the exit code. */
export async function doctor(args: string[]): Promise<number> {
  const { json, help } = parseOptions("doctor", args, OPTIONS);
  if (help) {
    await print(doctorUsage());
    return 0;
  }
  // The report says it all.
  configureLog({ level: "error" });
  const trials = PROFILES.map(({ profile, writable }): Trial => ({
    profile,
    writable,
    intentFor: (workspace) => intentFor(profile, workspace),
  }));
  const report = await examineHost(trials);
  await print(json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  return report.mechanism === null ? 1 : 0;
}

async function intentFor(profile: SandboxProfile, workspace: string) {
  const intent = await sandboxIntent(profile, PathUri.fromNativePath(workspace), []);
  return {
    sandbox: sandboxContext.parse(intent),
    enforceManagedNetwork: false,
    managedNetwork: undefined,
  };
}
