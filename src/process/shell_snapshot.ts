import { abortable } from "@std/async/abortable";
import type { Environment } from "../os/environment.ts";
import type { ChildCommand } from "./child.ts";

/** What a client asks for: to begin where the shell's startup files end, without running them. */
export interface SnapshotRequest {
  /** What shares the snapshot. */
  readonly scopeId: string;
  readonly shell: { readonly name: string; readonly path: string };
  /** What else the startup files may depend on. */
  readonly key: string;
  /** The variables that the client gave: startup files do not change them. */
  readonly own: Environment;
  readonly capture: Capture;
  /** Aborted when the command is not to wait for a snapshot any more. */
  readonly signal: AbortSignal;
}

/** What a command wrote to its standard output, if it ended with 0 and in time. */
export type Capture = (command: ChildCommand) => Promise<Uint8Array | undefined>;

/** The state of a shell after its startup files. */
interface Snapshot {
  /** Variables that they changed; undefined for those that they removed. */
  readonly variables: ReadonlyMap<string, string | undefined>;
  /** Commands that bring back options, functions, aliases and the umask. */
  readonly commands: string;
}

/** Snapshots that a session keeps; the oldest go first. */
const MAX_SNAPSHOTS = 16;
/** Characters in one variable: the kernel takes 128 KiB of bytes (MAX_ARG_STRLEN, execve(2)). */
const PIECE_LENGTH = 30_000;
/** Characters of a snapshot that is restored at all; all variables and arguments have to fit. */
const MAX_COMMANDS_LENGTH = 480_000;

const STATE = "__REMEX_SHELL_STATE";
/** Between the variables and the commands; startup files may write anything before. */
const MARK = "--remex-shell-state-5d0f3c1e--";

/** Tells the state. `declare -f` after the options, which its output may need; aliases last. */
const TELL = `printf '%s' '${MARK}' && env -0 && printf '%s' '${MARK}' && ` +
  "umask -p && { shopt -p; set +o; } && declare -f && alias -p";

/** Variables that are a process's own. */
const OWN_VARIABLES: readonly string[] = ["_", "PWD", "OLDPWD", "SHLVL"];

/** The snapshots of one session. */
export class ShellSnapshots {
  readonly #taken = new Map<string, Promise<Snapshot | undefined>>();

  /**
   * The command that does the same without running the shell's startup files, once they have been
   * run for it; or the command itself where that cannot be had.
   */
  async restored(
    command: ChildCommand,
    { scopeId, shell, key, own, capture, signal }: SnapshotRequest,
  ): Promise<ChildCommand> {
    const [program, flag, script, ...rest] = command.argv;
    if (shell.name !== "bash" || program !== shell.path || flag !== "-lc") return command;
    if (script === undefined || command.arg0 !== undefined) return command;
    const files = await startupFiles(command.env.HOME);
    const snapshot = await unlessAborted(
      this.#get(
        JSON.stringify([scopeId, shell.path, command.cwd, key, files]),
        signal,
        () => take(command, capture),
      ),
      signal,
    );
    if (snapshot === undefined) return command;
    const pieces = piecesOf(snapshot.commands);
    const names = Object.keys(pieces);
    const restore = `eval "unset -v ${names.join(" ")}\n${
      names.map((name) => `$${name}`).join("")
    }" >/dev/null 2>&1`;
    return {
      ...command,
      argv: [program, "-c", `${restore}\n${script}`, ...rest],
      env: { ...withChanges(command.env, snapshot.variables, own), ...pieces },
    };
  }

  /** @param signal of whoever takes it: what was given up is taken again for the next */
  #get(
    key: string,
    signal: AbortSignal,
    take: () => Promise<Snapshot | undefined>,
  ): Promise<Snapshot | undefined> {
    const known = this.#taken.get(key);
    if (known !== undefined) return known;
    const taking = take().catch(() => undefined);
    this.#taken.set(key, taking);
    const forget = () => {
      if (this.#taken.get(key) === taking) this.#taken.delete(key);
    };
    signal.addEventListener("abort", forget);
    taking.finally(() => signal.removeEventListener("abort", forget));
    for (const oldest of this.#taken.keys()) {
      if (this.#taken.size <= MAX_SNAPSHOTS) break;
      this.#taken.delete(oldest);
    }
    return taking;
  }
}

/** What a promise gives, or undefined as soon as the signal is aborted. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return await abortable(promise, signal).catch((error) => {
    if (signal.aborted) return undefined;
    throw error;
  });
}

async function take(command: ChildCommand, capture: Capture): Promise<Snapshot | undefined> {
  const [program = ""] = command.argv;
  const told = await capture({
    ...command,
    argv: [program, "-lc", TELL],
    stdio: { kind: "pipes", stdin: "empty" },
  });
  if (told === undefined) return undefined;
  const text = decode(told);
  const [, variables, commands, more] = text?.split(MARK) ?? [];
  if (variables === undefined || commands === undefined || more !== undefined) return undefined;
  if (commands.length > MAX_COMMANDS_LENGTH || !commands.startsWith("umask ")) return undefined;
  return { variables: changes(command.env, variables), commands };
}

/** Undefined for what is no text: it could not be given back as it was. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** How variables, as `env -0` tells them, differ from those before. */
function changes(before: Environment, told: string): Map<string, string | undefined> {
  const after = new Map(
    told.split("\0").filter((line) => line !== "").map((line) => {
      const end = line.indexOf("=");
      return [line.slice(0, end), line.slice(end + 1)] as const;
    }),
  );
  const changed = new Map<string, string | undefined>();
  for (const [name, value] of after) if (before[name] !== value) changed.set(name, value);
  for (const name of Object.keys(before)) if (!after.has(name)) changed.set(name, undefined);
  for (const name of OWN_VARIABLES) changed.delete(name);
  return changed;
}

function withChanges(
  env: ChildCommand["env"],
  variables: Snapshot["variables"],
  own: Environment,
): Record<string, string> {
  const changed = new Map(Object.entries(env));
  for (const [name, value] of variables) {
    if (Object.hasOwn(own, name)) continue;
    if (value === undefined) changed.delete(name);
    else changed.set(name, value);
  }
  return Object.fromEntries(changed);
}

function piecesOf(commands: string): Record<string, string> {
  const pieces: Record<string, string> = {};
  for (let at = 0; at < commands.length; at += PIECE_LENGTH) {
    pieces[`${STATE}_${at / PIECE_LENGTH}`] = commands.slice(at, at + PIECE_LENGTH);
  }
  return pieces;
}

/** When the usual startup files were changed: what they do may have changed, too. */
async function startupFiles(home = "/"): Promise<(number | null)[]> {
  const names = [".bash_profile", ".bash_login", ".profile", ".bashrc"];
  const paths = ["/etc/profile", "/etc/bash.bashrc", ...names.map((name) => `${home}/${name}`)];
  return await Promise.all(
    paths.map(async (path) =>
      (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? null
    ),
  );
}
