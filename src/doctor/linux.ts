import { type DoctorCheck, type Mechanism, ok } from "./report.ts";
import type { BubblewrapAbility, NamespaceSettings } from "../sandbox/linux/bubblewrap_trial.ts";
import type { LinuxAbilities, SupervisionAbility } from "../sandbox/linux/host.ts";
import { SINCE } from "../sandbox/landlock/rights.ts";

/** The findings on a Linux machine. */
export interface LinuxFacts {
  readonly abilities: LinuxAbilities;
  readonly settings: NamespaceSettings;
}

/** The mechanism that plans prefer on a machine. */
export function linuxMechanism(
  { bubblewrap, landlock, seccomp, supervision }: LinuxAbilities,
): Mechanism | undefined {
  if (!seccomp) return undefined;
  if (bubblewrap.kind === "usable") return "bubblewrap";
  const oldest = supervision.kind === "usable" ? SINCE.moving : SINCE.scopes;
  return landlock >= oldest ? "landlock" : undefined;
}

/** Checks the sandbox mechanisms of a Linux machine. */
export function linuxChecks({ abilities, settings }: LinuxFacts): DoctorCheck[] {
  const { bubblewrap, landlock, seccomp, supervision } = abilities;
  const works = bubblewrap.kind === "usable";
  const spare = linuxMechanism(abilities) === undefined ? "failed" : "warning";
  return [
    bubblewrapCheck(bubblewrap, spare),
    ...settingChecks(settings, works, spare),
    landlockCheck(landlock, works ? "warning" : "failed"),
    supervisionCheck(supervision, works),
    seccompCheck(seccomp),
    ...works ? helperChecks(abilities) : [],
  ];
}

function bubblewrapCheck(
  bubblewrap: BubblewrapAbility,
  status: "warning" | "failed",
): DoctorCheck {
  const name = "bubblewrap";
  if (bubblewrap.kind === "unusable") {
    return { name, status, detail: bubblewrap.reason, fix: bubblewrap.fix };
  }
  if (bubblewrap.freshProc) return ok(name, `${bubblewrap.path} can create namespaces and mounts`);
  return {
    name,
    status: "warning",
    detail:
      `${bubblewrap.path} works, but cannot mount a new /proc: commands see the machine's or none`,
    fix: "in a container: `--security-opt systempaths=unconfined` for Docker, " +
      "`--security-opt unmask=ALL` for Podman",
  };
}

/** Checks each kernel setting that can forbid user namespaces. */
function settingChecks(
  settings: NamespaceSettings,
  works: boolean,
  status: "warning" | "failed",
): DoctorCheck[] {
  const { maxUserNamespaces, unprivilegedAllowed, appArmorRestricted } = settings;
  const checks = [
    {
      name: "user.max_user_namespaces",
      forbids: maxUserNamespaces === 0,
      found: maxUserNamespaces,
      fix: "`sysctl -w user.max_user_namespaces=15000`, and the same in /etc/sysctl.d to keep it",
    },
    {
      name: "kernel.unprivileged_userns_clone",
      forbids: unprivilegedAllowed === false,
      found: unprivilegedAllowed === undefined ? undefined : Number(unprivilegedAllowed),
      fix:
        "`sysctl -w kernel.unprivileged_userns_clone=1`, and the same in /etc/sysctl.d to keep it",
    },
    {
      name: "kernel.apparmor_restrict_unprivileged_userns",
      forbids: appArmorRestricted === true,
      found: appArmorRestricted === undefined ? undefined : Number(appArmorRestricted),
      fix: `exempt bubblewrap: write ${APPARMOR_PROFILE} to /etc/apparmor.d/bwrap and run ` +
        "`systemctl reload apparmor`",
    },
  ];
  return checks.flatMap(({ name, forbids, found, fix }) => {
    if (found === undefined) return [];
    if (!forbids) return [ok(name, `${found}: allows user namespaces`)];
    return works
      ? [ok(name, `${found}: forbids user namespaces, but allows bubblewrap to create them`)]
      : [{ name, status, detail: `${found}: forbids user namespaces`, fix }];
  });
}

/** For Ubuntu 24.04 and newer. */
const APPARMOR_PROFILE =
  "`abi <abi/4.0>, profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }`";

function landlockCheck(landlock: number, status: "warning" | "failed"): DoctorCheck {
  const name = "landlock";
  const fix = "Linux 5.19 or newer with Landlock enabled: `landlock` among the kernel's `lsm=`";
  if (landlock === 0) return { name, status, detail: "the kernel has no Landlock", fix };
  if (landlock >= SINCE.moving) {
    const more = landlock < SINCE.scopes
      ? "; the supervisor does what it lacks (signals, and before 3 truncation)"
      : "";
    return ok(name, `ABI version ${landlock}${more}`);
  }
  return {
    name,
    status,
    detail: `ABI version ${landlock} cannot let files be moved between directories; ` +
      `version ${SINCE.moving} is needed`,
    fix,
  };
}

function supervisionCheck(
  supervision: SupervisionAbility,
  bubblewrapWorks: boolean,
): DoctorCheck {
  const name = "supervisor";
  if (supervision.kind === "unusable") {
    const { reason, fix } = supervision;
    return bubblewrapWorks
      ? { name, status: "warning", detail: `${reason}: ${PLACEHOLDERS}`, fix }
      : { name, status: "failed", detail: reason, fix };
  }
  return ok(name, "system calls can be handed over: Landlock enforces all that bubblewrap does");
}

const PLACEHOLDERS =
  "while a command runs, empty directories stand where protected names are missing";

function seccompCheck(seccomp: boolean): DoctorCheck {
  const name = "seccomp";
  if (seccomp) return ok(name, "the kernel filters system calls");
  return {
    name,
    status: "failed",
    detail: "the kernel does not filter system calls, or /proc does not show that it does",
    fix: "a kernel with CONFIG_SECCOMP_FILTER, and /proc mounted",
  };
}

function helperChecks({ bubblewrap, tools, namespaceEntry }: LinuxAbilities): DoctorCheck[] {
  const canName = bubblewrap.kind === "usable" && bubblewrap.canSetArg0 ||
    tools.perl !== undefined;
  const missing = [
    ...tools.setsid === undefined
      ? ["setsid(1), for job control of sandboxed commands on a terminal"]
      : [],
    ...canName ? [] : ["bubblewrap 0.9 or perl, for sandboxed commands with an arg0"],
    ...tools.env === undefined && tools.perl === undefined
      ? ["env(1) or perl, for sandboxed commands with a PWD of their own"]
      : [],
    ...namespaceEntry.kind === "none" ? ["nsenter(1) on PATH, for managed networks"] : [],
  ];
  if (missing.length === 0) return [ok("helpers", "all programs are installed")];
  return [{
    name: "helpers",
    status: "warning",
    detail: `missing: ${missing.join("; ")}`,
    fix: "install them in /usr/bin or /bin; the packages are util-linux, coreutils and perl",
  }];
}
