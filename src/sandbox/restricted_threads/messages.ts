import type { Descriptor } from "../../os/descriptor.ts";
import type { LandlockGoverned, PathRule } from "../../os/thread_restrictions.ts";

/** What holds for a thread that starts commands, and so for them. */
export interface ThreadRestrictions {
  /** Undefined where what is started encloses commands by other means. */
  readonly landlock: LandlockRestrictions | undefined;
  /** A program for seccomp(2). */
  readonly filter: Uint8Array;
  /** Whether the filter hands calls over. */
  readonly supervised: boolean;
}

/** What Landlock is told. */
export interface LandlockRestrictions {
  readonly governed: LandlockGoverned;
  readonly rules: readonly PathRule[];
  /** TCP ports that may be connected to, wherever they are, if the network is governed. */
  readonly ports: readonly number[];
  /** What holds besides, on its own: whatever this governs, both sets of rules have to allow. */
  readonly besides:
    | { readonly governed: LandlockGoverned; readonly rules: readonly PathRule[] }
    | undefined;
}

/** What a thread is told, once, that starts commands from then on. */
export interface ToSpawner {
  readonly restrictions: ThreadRestrictions;
  /** A program for seccomp(2) that is in force besides. */
  readonly threadFilter: Uint8Array | undefined;
  /** What a `ThreadSpawner` shares. */
  readonly spawns: SharedArrayBuffer;
}

/** What a thread that starts commands tells. */
export type FromSpawner =
  /** Once, when it can be told what to do. */
  | { readonly kind: "ready"; readonly thread: number | undefined }
  | { readonly kind: "restricted"; readonly outcome: RestrictOutcome };

/** What came of restricting the thread. */
export type RestrictOutcome =
  /** The descriptors are whoever's hears it. */
  | {
    readonly kind: "done";
    readonly ruleset: Descriptor | undefined;
    /** What tells of calls that are handed over. */
    readonly listener: Descriptor | undefined;
  }
  /** It is of no use any more. */
  | { readonly kind: "failed"; readonly reason: string };
