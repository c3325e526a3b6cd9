import { EACCES, EBUSY, EPERM, EROFS } from "../../os/constants.ts";
import { type Access, accessTo, type BoundFiles } from "../policy/bound_policy.ts";
import { isWithin } from "../../os/native_path.ts";

/** What may be done with one path, and all below it unless another says otherwise. */
export interface PolicyGrant {
  readonly path: string;
  readonly access: Access;
}

/** What a supervisor decides by; goes from thread to thread. */
export interface SupervisorPolicy {
  /** Each after those above it. Paths are absolute and free of links, there or not. */
  readonly grants: readonly PolicyGrant[];
  /** Devices whose content may be written, while they stay as they are. */
  readonly devices: readonly string[];
  /** The ports of this machine's loopback that connections may be made to. */
  readonly ports: readonly number[];
  /** Whether connections to {@linkcode EGRESS_PORT} are the executor's proxy's. @default false */
  readonly egress?: boolean;
}

/** The commands whose calls a supervisor serves; goes from thread to thread. */
export type SupervisedCommands =
  /** All of them have the same policy, and see the files that this program sees. */
  | { readonly kind: "alike"; readonly policy: SupervisorPolicy }
  /** Each has a policy of its own, which it is admitted with, and sees its own mounts. */
  | {
    readonly kind: "apart";
    /** Whether their /proc numbers processes as they see them. */
    readonly ownProcesses: boolean;
  };

/** One of several commands that each have a policy of their own. */
export interface AdmittedCommand {
  /** What its mount namespace is called: a command can leave none, nor enter another's. */
  readonly mounts: string;
  readonly grants: readonly PolicyGrant[];
}

/**
 * Decides about paths on the way to which no link is left. Each method returns 0, or the error
 * number by which a call is to fail.
 */
export class PathJudge {
  readonly #files: BoundFiles;
  readonly #restricted: readonly PolicyGrant[];
  readonly #devices: ReadonlySet<string>;

  constructor({ grants, devices }: Pick<SupervisorPolicy, "grants" | "devices">) {
    this.#devices = new Set(devices);
    this.#files = {
      kind: "granted",
      grants: grants.map((grant) => ({ ...grant, kind: "other", links: [] })),
      deniedGlobs: [],
      globMaxDepth: undefined,
    };
    this.#restricted = grants.filter(({ access }) => access !== "write");
  }

  /** Whether what is there may be read. */
  read(path: string): number {
    return accessTo(this.#files, path) === "deny" ? EACCES : 0;
  }

  /** Whether the content of what is there may be changed. */
  write(path: string): number {
    return this.#devices.has(path) ? 0 : this.change(path);
  }

  /** Whether what is there may be changed. */
  change(path: string): number {
    switch (accessTo(this.#files, path)) {
      case "write":
        return 0;
      case "read":
        return EROFS;
      case "deny":
        return EACCES;
    }
  }

  /** Whether a name may be given to something new. */
  create(directory: string, path: string): number {
    return this.change(path) || this.change(directory);
  }

  /**
   * Whether a name may be taken away, or come to lead somewhere else. One on the way to what is
   * protected may not: what is protected would be elsewhere then, and something else in its place.
   */
  replace(directory: string, path: string): number {
    const refused = this.create(directory, path);
    return refused === 0 && this.leadsToRestricted(path) ? EBUSY : refused;
  }

  /** Whether something at or below a path is more restricted than by being written. */
  leadsToRestricted(path: string): boolean {
    return this.#restricted.some((grant) => isWithin(grant.path, path));
  }
}

/** What may be done with something that has no path: a pipe, or a file without a name. */
export function unnamed(isPipe: boolean, hasName: boolean): number {
  return isPipe || !hasName ? 0 : EPERM;
}
