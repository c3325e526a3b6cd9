import type { Descriptor } from "../../os/descriptor.ts";
import type { ByteString } from "./byte_strings.ts";

/** What a call returns. */
export type Answer =
  | { readonly kind: "result"; readonly result: number }
  /** A descriptor, which is then whoever's made the call, too; ours is to be closed. */
  | {
    readonly kind: "descriptor";
    readonly descriptor: Descriptor;
    readonly closeOnExec: boolean;
    /**
     * Whether ours is closed before the command goes on: what somebody has open for writing cannot be
     * executed (ETXTBSY of execve(2)). Answering takes two steps then.
     */
    readonly closedFirst: boolean;
  }
  /** The kernel makes the call itself. */
  | { readonly kind: "goOn" }
  /** Nothing yet: the call has to wait, and can be tried again, from where it is if that is given. */
  | { readonly kind: "later"; readonly begun?: BegunCall };

/** A call that has been made in part. Holds what it needs until it is answered or given up. */
export interface BegunCall extends Disposable {
  /** What it returns by now. Once that is something, it holds nothing any more. */
  goOn(): Answer;
}

/** A path as a call names it. */
export interface NamedPath {
  /** The descriptor of a directory, or AT_FDCWD. */
  readonly base: number;
  readonly path: ByteString;
}

/** What a call is about that changes something that is there. */
export type Subject =
  | NamedPath & { readonly kind: "path"; readonly follow: boolean | "ifDirectory" }
  | { readonly kind: "descriptor"; readonly descriptor: number };

/** The answer of a call that has nothing to return. */
export const DONE: Answer = { kind: "result", result: 0 };
/** The answer of a call that has to wait. */
export const LATER: Answer = { kind: "later" };
