import type { Descriptor } from "../../os/descriptor.ts";
import type { AdmittedCommand } from "./policy.ts";
import type { Supervision } from "./call_service.ts";

/** What a thread of a supervisor is told. */
export type ToSupervisorThread =
  | { readonly kind: "supervise"; readonly supervision: Supervision }
  /** The bell is rung for this one and for each of the next. */
  | {
    readonly kind: "admit";
    readonly id: number;
    readonly command: AdmittedCommand;
    /** Commands admitted before of which nothing is left. */
    readonly dismissed: readonly number[];
  }
  | { readonly kind: "end" }
  | {
    readonly kind: "perform";
    /** Landlock's rules for what it does, which are then in force for it. */
    readonly ruleset: Descriptor;
    readonly channel: SharedArrayBuffer;
  };

/** What a thread of a supervisor tells. */
export type FromSupervisorThread =
  /** Once, when it can be told what to do. */
  | { readonly kind: "ready" }
  /** It has begun. */
  | { readonly kind: "begun" }
  /** Calls of a command are judged by its policy from now on. */
  | { readonly kind: "admitted"; readonly id: number }
  /** A thread's connection to the executor's proxy, which is whoever's hears it. */
  | { readonly kind: "connected"; readonly connection: Descriptor; readonly thread: number }
  /** There is nothing left to do. */
  | { readonly kind: "ended" };
