import { readProc } from "../../os/procfs.ts";

/** What keeps bubblewrap from working, and what would help. */
export interface Diagnosis {
  readonly reason: string;
  readonly fix: string;
}

/** Settings of the kernel that take user namespaces away; undefined where there is no such setting. */
export interface NamespaceSettings {
  /** kernel.apparmor_restrict_unprivileged_userns (Ubuntu 24.04 and newer). */
  readonly appArmorRestricted: boolean | undefined;
  /** kernel.unprivileged_userns_clone (Debian's kernel). */
  readonly unprivilegedAllowed: boolean | undefined;
  /** user.max_user_namespaces. */
  readonly maxUserNamespaces: number | undefined;
}

/** bubblewrap is not there at all. */
export const NOT_INSTALLED: Diagnosis = {
  reason: "bubblewrap (bwrap) is not on PATH outside of the workspace",
  fix: "install bubblewrap: `apt install bubblewrap`, `dnf install bubblewrap` or the like",
};

/**
 * Explains a failed trial of bubblewrap.
 *
 * @param message what bubblewrap wrote to stderr
 */
export function diagnoseBubblewrap(message: string, settings: NamespaceSettings): Diagnosis {
  const said = message.trim().replace(/^bwrap: /, "");
  const reason = said === "" ? "bubblewrap cannot be run" : `bubblewrap fails: ${said}`;
  return { reason, fix: fixFor(settings) };
}

function fixFor(settings: NamespaceSettings): string {
  if (settings.maxUserNamespaces === 0) {
    return "allow user namespaces: `sysctl -w user.max_user_namespaces=15000`";
  }
  if (settings.unprivilegedAllowed === false) {
    return "allow user namespaces: `sysctl -w kernel.unprivileged_userns_clone=1`";
  }
  if (settings.appArmorRestricted === true) {
    return "let bubblewrap make user namespaces with an AppArmor profile for /usr/bin/bwrap that has " +
      "`userns,`, or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`";
  }
  return "in a container, let it make user namespaces: `--security-opt seccomp=unconfined " +
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined` for Docker and Podman";
}

/** The kernel's settings about user namespaces. */
export function namespaceSettings(): NamespaceSettings {
  const flag = (name: string) => {
    const value = readProc(`sys/kernel/${name}`).trim();
    return value === "" ? undefined : value !== "0";
  };
  const max = readProc("sys/user/max_user_namespaces");
  return {
    appArmorRestricted: flag("apparmor_restrict_unprivileged_userns"),
    unprivilegedAllowed: flag("unprivileged_userns_clone"),
    maxUserNamespaces: max === "" ? undefined : Number(max),
  };
}
