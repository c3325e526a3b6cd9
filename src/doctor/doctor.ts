import { VERSION } from "../version.ts";
import { linuxChecks, linuxMechanism } from "./linux.ts";
import { processChecks } from "./process.ts";
import { type DoctorCheck, type DoctorReport, type Mechanism, ok } from "./report.ts";
import { runTrial, type Trial } from "./trial.ts";
import { type HostMechanisms, hostMechanisms } from "../sandbox/host.ts";
import type { LinuxAbilities } from "../sandbox/linux/host.ts";
import { Sandbox } from "../sandbox/sandbox.ts";

/**
 * Examines this machine, in part by running commands. It leaves nothing behind.
 *
 * @param trials profiles to try, the simplest first: if that one fails commands cannot be sandboxed
 */
export async function examineHost(trials: readonly Trial[]): Promise<DoctorReport> {
  const host = await hostMechanisms();
  await using sandbox = new Sandbox({ host });
  const abilities = await examine(host);
  const preferred = mechanismOf(abilities);
  const tried: DoctorCheck[] = [];
  if (preferred !== undefined) {
    for (const trial of trials) tried.push(await runTrial(sandbox, trial, fixOf(abilities)));
  }
  return {
    version: VERSION,
    os: Deno.build.os,
    architecture: Deno.build.arch,
    ...verdict(preferred, tried),
    checks: [...await mechanismChecks(abilities), ...tried, ...await processChecks()],
  };
}

/** What this machine offers to sandbox commands with. */
type HostAbilities =
  | { readonly os: "linux" } & LinuxAbilities
  | { readonly os: "darwin"; readonly seatbelt: boolean }
  | { readonly os: "other"; readonly name: string };

async function examine(host: HostMechanisms): Promise<HostAbilities> {
  switch (host.os) {
    case "linux":
      return { os: "linux", ...await host.host.probe([]) };
    case "darwin":
      return { os: "darwin", seatbelt: await host.seatbelt.probe() };
    case "other":
      return { os: "other", name: host.name };
  }
}

function mechanismOf(abilities: HostAbilities): Mechanism | undefined {
  switch (abilities.os) {
    case "linux":
      return linuxMechanism(abilities);
    case "darwin":
      return abilities.seatbelt ? "seatbelt" : undefined;
    case "other":
      return undefined;
  }
}

/** What would make a better mechanism work on a machine. */
function fixOf(abilities: HostAbilities): string | undefined {
  if (abilities.os !== "linux" || abilities.bubblewrap.kind === "usable") return undefined;
  return abilities.bubblewrap.fix;
}

async function mechanismChecks(abilities: HostAbilities): Promise<DoctorCheck[]> {
  switch (abilities.os) {
    case "linux": {
      const { namespaceSettings } = await import("../sandbox/linux/bubblewrap_trial.ts");
      return linuxChecks({ abilities, settings: namespaceSettings() });
    }
    case "darwin":
      return [seatbeltCheck(abilities.seatbelt)];
    case "other":
      return [{
        name: "sandbox",
        status: "failed",
        detail: `commands cannot be sandboxed on ${abilities.name}; sandboxed starts are refused`,
        fix: "run the executor on Linux or macOS",
      }];
  }
}

function seatbeltCheck(there: boolean): DoctorCheck {
  if (there) return ok("seatbelt", "/usr/bin/sandbox-exec accepts profiles");
  return {
    name: "seatbelt",
    status: "failed",
    detail: "/usr/bin/sandbox-exec is missing or fails, or runs in a sandbox itself",
    fix: "start the executor outside of any sandbox; sandbox-exec is part of macOS",
  };
}

const MEANS = {
  bubblewrap: "bubblewrap and seccomp",
  landlock: "Landlock and seccomp, as bubblewrap does not work here",
  seatbelt: "Seatbelt",
};

/** Says which mechanism sandboxes commands, and which of the tried profiles it cannot enforce. */
export function verdict(
  preferred: Mechanism | undefined,
  [simplest, ...others]: readonly DoctorCheck[],
): Pick<DoctorReport, "mechanism" | "reason"> {
  if (preferred === undefined || simplest?.status === "failed") {
    return {
      mechanism: null,
      reason: "commands cannot be sandboxed on this machine; sandboxed starts are refused",
    };
  }
  const refused = others.filter(({ status }) => status === "failed")
    .map(({ name }) => name.replace(/^sandbox /, ""));
  const but = refused.length === 0 ? "" : `; not as ${refused.join(" or ")}`;
  return { mechanism: preferred, reason: `commands are sandboxed with ${MEANS[preferred]}${but}` };
}
