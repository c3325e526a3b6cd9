import { ErrorCode, internalError, notFound, RpcError } from "../../protocol/errors.ts";
import {
  type Access,
  accessTo,
  type BoundFiles,
  type Grant,
  grantFor,
} from "../../sandbox/policy/bound_policy.ts";
import { ancestorsOf, isWithin } from "../../os/native_path.ts";
import type { Use } from "../paths.ts";
import { basename, dirname } from "@std/path/posix";

/** Files of which not all may be used. */
export type GrantedFiles = Extract<BoundFiles, { kind: "granted" }>;

const DEVICES = "/dev";
const PROCESSES = "/proc";
/** The devices that every sandbox has of its own; using them does nothing to the machine. */
const HARMLESS_DEVICES = ["null", "zero", "full", "random", "urandom"];
const READ_ONLY = "Read-only file system (os error 30)";
/** Names in /proc that stand for processes (proc(5)). */
const PROCESS_NAME = /^(?:\d+|self|thread-self)$/;

/**
 * What a sandboxed request may do with a path that has no links on its way: what a command in the
 * same sandbox could do.
 */
export class AccessPolicy {
  readonly #files: GrantedFiles;
  #passages: ReadonlySet<string> | undefined;

  constructor(files: GrantedFiles) {
    this.#files = files;
  }

  /** What may be done with a path. */
  access(path: string): Access {
    if (isWithin(path, DEVICES) && !this.#speaksOfDevice(path)) {
      return path === DEVICES ? "read" : "write";
    }
    const access = accessTo(this.#files, path);
    return access === "write" && isWithin(path, PROCESSES) ? "read" : access;
  }

  /** Whether a path is as if not there, whatever is granted: a command would see its own. */
  isHidden(path: string): boolean {
    if (isWithin(path, PROCESSES)) {
      const name = path.split("/")[2];
      return name !== undefined && PROCESS_NAME.test(name);
    }
    if (path === DEVICES || !isWithin(path, DEVICES) || this.#speaksOfDevice(path)) return false;
    return !isHarmlessDevice(path);
  }

  /** Whether one may go through a path to what is granted below it or where it leads. */
  isPassable(path: string): boolean {
    if (this.access(path) !== "deny") return true;
    this.#passages ??= passagesTo(this.#files.grants);
    return this.#passages.has(path);
  }

  /** Whether a directory, of which nothing is granted, shows what is granted below it. */
  isSkeleton(path: string): boolean {
    return this.access(path) === "deny" && this.isPassable(path) && !this.#isDenied(path);
  }

  /** @throws {RpcError} if something that is there may not be used so */
  check(path: string, use: Use): void {
    const allowed = use === "look"
      ? this.isPassable(path)
      : use === "read"
      ? this.access(path) !== "deny"
      : this.access(path) === "write";
    if (!allowed) throw this.refusal(path, use);
  }

  /** @throws {RpcError} if no name may be added to its directory or taken away there */
  checkName(path: string): void {
    this.check(dirname(path), "write");
    this.check(path, "write");
  }

  /** Why a path may not be used so. */
  refusal(path: string, use: Use): RpcError {
    if (this.access(path) === "read") {
      const grant = grantFor(this.#files.grants, path);
      const why = grant?.protected === true
        ? `'${grant.path}' decides what runs without a sandbox and is protected: `
        : "";
      return internalError(`the sandbox does not allow to change '${path}': ${why}${READ_ONLY}`);
    }
    if (this.#isDenied(path)) return denial(`the sandbox denies '${path}'`);
    const what = use === "write" ? "change" : "see";
    return notFound(
      `the sandbox does not allow to ${what} '${path}': No such file or directory (os error 2)`,
    );
  }

  /** What is granted otherwise below a directory that may be used so, if the grants name any. */
  exceptionBelow(directory: string, use: Exclude<Use, "look">): string | undefined {
    return this.#files.grants.find(({ path, access }) =>
      path !== directory && isWithin(path, directory) &&
      (use === "write" ? access !== "write" : access === "deny")
    )?.path;
  }

  /** Whether a denied pattern can match something below a directory. */
  mayDenyBelow(directory: string): boolean {
    return this.#files.deniedGlobs.some((glob) => glob.mayMatchBelow(directory));
  }

  /** Whether the grants themselves are about something in /dev. */
  #speaksOfDevice(path: string): boolean {
    const grant = grantFor(this.#files.grants, path);
    return grant !== undefined && grant.path !== DEVICES && isWithin(grant.path, DEVICES);
  }

  /** Whether it is denied by name, and not only because nothing grants it. */
  #isDenied(path: string): boolean {
    return grantFor(this.#files.grants, path) !== undefined;
  }
}

/** Why something on a file system of the kernel may not be changed, whatever is granted. */
export function kernelsOwn(path: string): RpcError {
  return internalError(
    `the sandbox does not allow to change '${path}', which is the kernel's: ${READ_ONLY}`,
  );
}

/** A refusal in the words of the system. */
export function denial(what: string): RpcError {
  return new RpcError(ErrorCode.InvalidRequest, `${what}: Permission denied (os error 13)`);
}

/** Whether a path is that of a device which does nothing to the machine. */
export function isHarmlessDevice(path: string): boolean {
  return dirname(path) === DEVICES && HARMLESS_DEVICES.includes(basename(path));
}

/** Whether what is on a file system about processes may be seen under a path. */
export function isProcessesPath(path: string): boolean {
  return isWithin(path, PROCESSES);
}

/** The directories above what is granted, and the links that lead to it with those above them. */
function passagesTo(grants: readonly Grant[]): ReadonlySet<string> {
  return new Set(
    grants.filter(({ access }) => access !== "deny").flatMap(({ path, links }) => [
      ...ancestorsOf(path),
      ...links.flatMap((link) => [link.path, ...ancestorsOf(link.path)]),
    ]),
  );
}
