import type { HelperTools } from "../bubblewrap/final_stage.ts";
import type { Architecture } from "../seccomp/profile.ts";

/** What bubblewrap can do here. */
export type BubblewrapAbility =
  | {
    readonly kind: "usable";
    /** Its absolute path, links resolved. */
    readonly path: string;
    /** Whether a fresh /proc can be mounted. */
    readonly freshProc: boolean;
    /** Whether it can give the command another name (since 0.9). */
    readonly canSetArg0: boolean;
  }
  | { readonly kind: "unusable"; readonly reason: string; readonly fix: string };

/** Whether calls can be handed over to a supervisor (seccomp_unotify(2)). */
export type SupervisionAbility =
  | {
    readonly kind: "usable";
    /** Whether commands' descriptors can be copied, as their sockets have to be to connect them. */
    readonly copiesDescriptors: boolean;
  }
  | { readonly kind: "unusable"; readonly reason: string; readonly fix: string };

/** How this program gets at the network namespace of a sandbox. */
export type NamespaceEntry =
  /** By itself: it has CAP_SYS_ADMIN. */
  | { readonly kind: "privileged" }
  /** By a program that only the kernel's own rules for user namespaces let in. */
  | {
    readonly kind: "program";
    /** The absolute path of nsenter(1), links resolved. */
    readonly nsenter: string;
  }
  | { readonly kind: "none" };

/** What a Linux machine offers for enclosing commands. */
export interface LinuxAbilities {
  readonly architecture: Architecture | undefined;
  readonly bubblewrap: BubblewrapAbility;
  /** The version of the Landlock interface, 0 if there is none (landlock(7)). */
  readonly landlock: number;
  readonly supervision: SupervisionAbility;
  /** Whether the kernel filters system calls (seccomp(2)). */
  readonly seccomp: boolean;
  readonly namespaceEntry: NamespaceEntry;
  readonly tools: HelperTools;
  /** Where file systems of the kernel are mounted, `/proc` and `/sys` among them: see `kernelTrees`. */
  readonly kernelTrees: readonly string[];
}
