import {
  type FileMethod,
  type PerformFileMethod,
  performFileMethod,
} from "../../../src/filesystem/operations.ts";
import { PolicyPaths } from "../../../src/filesystem/access/policy_paths.ts";
import { AccessPolicy, type GrantedFiles } from "../../../src/filesystem/access/access_policy.ts";
import { IntendedFiles } from "../../../src/filesystem/access/sandboxed_files.ts";
import type { SandboxContext } from "../../../src/protocol/sandbox.ts";
import { hostDisk } from "../../../src/sandbox/disk.ts";
import { bindPolicy } from "../../../src/sandbox/policy/bind.ts";
import {
  context,
  glob,
  path,
  special,
  type WireEntry,
  workspaceWrite,
} from "../../sandbox/context.ts";
import { type Outcome, performBy } from "../perform.ts";
import { TestDirectory } from "../../support/test_directory.ts";

/** What entries grant to whoever works in a directory. */
export function grantedIn(workspace: string, entries: readonly WireEntry[]): GrantedFiles {
  const sandbox = contextIn(workspace, entries);
  const intent = { sandbox, enforceManagedNetwork: false, managedNetwork: undefined };
  const facts = { convention: "posix", home: undefined, temporaryDirectory: undefined } as const;
  const { files } = bindPolicy(intent, facts, hostDisk);
  if (files.kind === "all") throw new Error("all files are granted");
  return files;
}

function contextIn(workspace: string, entries: readonly WireEntry[]): SandboxContext {
  return context({ entries, cwd: workspace, workspaceRoots: [workspace] });
}

/** Does requests that may do what entries grant. */
export function performIn(workspace: string, entries: readonly WireEntry[]): PerformFileMethod {
  const paths = new PolicyPaths(new AccessPolicy(grantedIn(workspace, entries)));
  return (method, params, signal) => performFileMethod(method, params, signal, paths);
}

/** Only the workspace, and in it neither `denied` nor what is called `*.key`. */
export const confined = (directory: TestDirectory) => [
  special("project_roots", "write"),
  path(directory.at("ws/denied"), "deny"),
  path(directory.at("ws/readable"), "read"),
  path(directory.at("single/file"), "write"),
  glob("**/*.key"),
];
/** What there is beside a workspace that is granted so, and in it. */
export const confinedFiles = {
  "ws/denied/f": "denied",
  "ws/readable/f": "readable",
  "ws/tree/a.key": "key",
  "ws/tree/b": "b",
  "single/file": "old",
  "single/other": "other",
};

/** A workspace `ws`, and `outside` beside it with a file `secret`. */
export class Scene implements AsyncDisposable {
  readonly directory: TestDirectory;
  /** What the workspace's entries are. */
  readonly entries: readonly WireEntry[];
  /** Where requests are performed, if not here. */
  intended: IntendedFiles | undefined;

  private constructor(directory: TestDirectory, entries: readonly WireEntry[]) {
    this.directory = directory;
    this.entries = entries;
  }

  /**
   * @param entries what is granted; reading everything and writing the workspace, if not given
   * @param files what is in the directory besides
   */
  static async create(
    entries: readonly WireEntry[] | ((directory: TestDirectory) => readonly WireEntry[]) =
      workspaceWrite,
    files: Readonly<Record<string, string>> = {},
  ): Promise<Scene> {
    const directory = await TestDirectory.create();
    await directory.fill({ "outside/secret": "secret", "ws/file": "file", ...files });
    return new Scene(directory, typeof entries === "function" ? entries(directory) : entries);
  }

  /** Performs a request about something in the directory, with the intent as the disk is now. */
  on(method: FileMethod, name: string, more: Readonly<Record<string, unknown>> = {}) {
    return this.perform(method, { path: this.directory.uri(name), ...more });
  }

  async perform(method: FileMethod, params: unknown): Promise<Outcome> {
    const workspace = this.directory.at("ws");
    const perform = this.intended === undefined
      ? performIn(workspace, this.entries)
      : (await this.intended.within(contextIn(workspace, this.entries))).perform;
    return await performBy(perform, method, params);
  }

  copy(from: string, to: string, recursive = false): Promise<Outcome> {
    const [sourcePath, destinationPath] = [this.directory.uri(from), this.directory.uri(to)];
    return this.perform("fs/copy", { sourcePath, destinationPath, recursive });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.directory[Symbol.asyncDispose]();
  }
}

/** The code that a request was answered with, or `done`. */
export function codeOf(outcome: Outcome): number | "done" {
  return "code" in outcome ? outcome.code : "done";
}

/** How a sandbox refuses what is read-only, what is denied by name, and what nothing grants. */
export const READ_ONLY = -32603;
export const DENIED = -32600;
export const UNSEEN = -32004;
