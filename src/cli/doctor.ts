import { parseArgs } from "node:util";
import { PathUri } from "../protocol/path_uri.ts";
import { sandboxContext } from "../protocol/sandbox.ts";
import { examineHost } from "../doctor/doctor.ts";
import { reportText } from "../doctor/report.ts";
import type { Trial } from "../doctor/trial.ts";
import { configureLog } from "../log/log.ts";
import { sandboxIntent, type SandboxProfile } from "./exec_sandbox.ts";
import { checkOptions } from "./setting_options.ts";
import { print } from "./standard_output.ts";

const DOCTOR_USAGE = `usage: remex doctor [--json]

Finds out what this machine can enforce, partly by trying it: which mechanism sandboxes commands and
why, and what else running commands needs. Each check that fails comes with its fix.

  --json   the report as JSON: version, os, architecture, mechanism (bubblewrap, landlock, seatbelt
           or null), reason, and checks with name, status (ok, warning, failed), detail and fix
  --help   this text

The exit code is 1 if commands cannot be sandboxed on this machine, or else 0.
`;

const PROFILES = [
  { profile: "read-only", writable: false },
  { profile: "workspace-write", writable: true },
] as const;

/** `remex doctor`: reports what this machine can enforce. Returns the exit code. */
export async function doctor(args: string[]): Promise<number> {
  const { json, help } = parse(args);
  if (help) {
    await print(DOCTOR_USAGE);
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

function parse(args: string[]) {
  const options = {
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  checkOptions("doctor", args, options);
  return parseArgs({ args, options }).values;
}
