import type { PathKind } from "../disk.ts";
import { depthOf, isWithin } from "../../os/native_path.ts";

/** What may be done with the files at and below a path. */
export type Access = "read" | "write" | "deny";

/** A symbolic link on the way to a path. */
export interface CrossedLink {
  /** Where the link is: its directory resolved, its own name as it is. */
  readonly path: string;
  /** What the link says, word for word. */
  readonly target: string;
}

/** One native path and what may be done there, unless a grant below it says otherwise. */
export interface Grant {
  /** Absolute, with every link on the way resolved. */
  readonly path: string;
  readonly access: Access;
  /**
   * What was at the path when the policy was bound. `link` is for a link that has to stay as it is,
   * for what it leads to has been granted under that name.
   */
  readonly kind: PathKind;
  /** The uppermost path on the way that is missing, if the path is. */
  readonly missingFrom?: string;
  /** What of the executor's own it is that nobody is to have, if it is that. */
  readonly withheld?: "secret" | "socket";
  /** The links that lead from the path as it was asked for to the one above. */
  readonly links: readonly CrossedLink[];
  /**
   * Whether no entry asked for it, but what is there decides what runs without a sandbox.
   *
   * @default false
   */
  readonly protected?: boolean;
}

/** Names that no one may read, now or later. */
export interface DeniedGlob {
  /** Absolute, as the client wrote it but for its beginning. */
  readonly pattern: string;
  /** Where matching paths can be: the directories before the first wild character. */
  readonly base: string;
  /** The links that lead to the base. */
  readonly links: readonly CrossedLink[];
  /** The names of the pattern that come after its base, without alternatives in braces. */
  readonly names: readonly string[];
  /** Whether an absolute path matches as a whole. */
  matches(path: string): boolean;
  /** Whether anything below a directory could match. */
  mayMatchBelow(directory: string): boolean;
}

/** What a command may do with files. */
export type BoundFiles =
  | { readonly kind: "all" }
  | {
    readonly kind: "granted";
    /** One for a path, every one after those above it. */
    readonly grants: readonly Grant[];
    readonly deniedGlobs: readonly DeniedGlob[];
    /** How many directories below its base a glob is looked for. */
    readonly globMaxDepth: number | undefined;
  };

/** Where a command finds the executor's proxy on its own 127.0.0.1: where proxies usually are. */
export const EGRESS_PORT = 3128;

/** Which connections a command may make. */
export type BoundNetwork =
  | {
    readonly kind: "none";
    /**
     * Whether the command may use a loopback that nobody else is on, where there is one: a network
     * namespace has it.
     *
     * @default false
     */
    readonly privateLoopback?: boolean;
  }
  | { readonly kind: "host" }
  /** Only to these ports of this machine's loopback. */
  | {
    readonly kind: "loopback";
    readonly ports: readonly number[];
    /** Whether the command may itself listen on its loopback, which is its own. */
    readonly localBinding: boolean;
    /**
     * Whether it may use a loopback that nobody else is on, where there is one.
     *
     * @default false
     */
    readonly privateLoopback?: boolean;
    /**
     * Whether the executor's own proxy is there: at {@linkcode EGRESS_PORT} where the command has a
     * loopback of its own, else at the one port. @default false
     */
    readonly egress?: boolean;
  };

/** A policy in this machine's terms. */
export interface BoundPolicy {
  readonly files: BoundFiles;
  readonly network: BoundNetwork;
  /** Directories whose content the client's commands may have written. */
  readonly workspaceRoots: readonly string[];
  /**
   * What globs deny that is made while the command runs. What they deny that is there already is
   * among the grants.
   *
   * @default nothing
   */
  readonly deniedLater?: readonly DeniedGlob[];
}

/** Where a client's commands may have left programs. */
export function untrustedTrees({ files, workspaceRoots }: BoundPolicy): string[] {
  const granted = files.kind === "all"
    ? []
    : files.grants.filter(({ access }) => access === "write").map(({ path }) => path);
  return [...workspaceRoots, ...granted].filter((path) => path !== "/");
}

/** Among grants for the same path deny wins over write, and write over read. */
const precedence: Record<Access, number> = { read: 0, write: 1, deny: 2 };

const breadth: Record<Access, number> = { deny: 0, read: 1, write: 2 };

/** Whether an access allows more than another. */
export function allowsMore(access: Access, than: Access): boolean {
  return breadth[access] > breadth[than];
}

/** Whether the first access wins over the second where both are granted for the same path. */
export function takesPrecedence(access: Access, over: Access): boolean {
  return precedence[access] > precedence[over];
}

/** The grant that decides about a path: the most specific at or above it. */
export function grantFor(grants: readonly Grant[], path: string): Grant | undefined {
  return grants.findLast((grant) => isWithin(path, grant.path));
}

/**
 * What may be done with a path, every link on the way to which has been resolved.
 *
 * A path that no grant is about may not be used at all. A glob speaks for the paths that match it
 * and for all below them.
 */
export function accessTo(files: BoundFiles, path: string): Access {
  if (files.kind === "all") return "write";
  const grant = grantFor(files.grants, path);
  if (grant === undefined) return "deny";
  return deniedBelow(files.deniedGlobs, path, depthOf(grant.path)) ? "deny" : grant.access;
}

/** Whether the path, or one above it that has at least so many names, matches a denied glob. */
function deniedBelow(globs: readonly DeniedGlob[], path: string, depth: number): boolean {
  if (globs.length === 0) return false;
  const names = path.split("/");
  for (let length = Math.max(depth, 1) + 1; length <= names.length; length++) {
    const part = names.slice(0, length).join("/");
    if (globs.some((glob) => glob.matches(part))) return true;
  }
  return false;
}
