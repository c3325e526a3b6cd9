import { parseArgs } from "node:util";
import { PathUri } from "../protocol/path_uri.ts";
import { isSandboxProfile, SANDBOX_PROFILES, type SandboxProfile } from "./exec_sandbox.ts";
import { UsageError } from "./usage_error.ts";

/** What `remex exec` was asked to do. */
export interface ExecOptions {
  readonly executor:
    | { readonly kind: "url"; readonly url: string; readonly tokenFile: string | undefined }
    | { readonly kind: "stdio" };
  /** Undefined for the executor's own working directory. */
  readonly cwd: PathUri | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly tty: boolean;
  /** Whether the command reads this program's standard input. */
  readonly stdin: boolean;
  readonly sandbox: SandboxProfile | undefined;
  /** Empty for the working directory. */
  readonly workspaces: readonly PathUri[];
  readonly connectTimeoutMs: number;
  readonly reconnectTimeoutMs: number;
  readonly command: readonly [string, ...string[]];
}

export const EXEC_USAGE =
  `usage: remex exec (--url URL | --stdio) [options] -- COMMAND [ARGUMENT]...

Runs a command on an executor as if it ran here: its output, its exit code, its input, Ctrl-C.

  --url URL             the executor: ws://HOST:PORT, wss://HOST or unix:PATH
  --stdio               start an executor of its own on this machine
  --token-file FILE     authenticate with the token in this file
  --cwd DIR             working directory, an absolute path on the executor's machine (default: the
                        executor's own; giving one saves a round trip)
  --env NAME[=VALUE]    set a variable, without a value to what it is here; may be repeated. The
                        others are the executor's, but for those named like keys and tokens
  --tty                 run the command on a terminal
  --no-stdin            leave standard input alone; the command's is empty
  --sandbox PROFILE     ${SANDBOX_PROFILES.join(", ")}
  --workspace DIR       where workspace-write may write (default: the working directory); may be
                        repeated
  --connect-timeout S   seconds to wait for the executor (default 10)
  --reconnect-timeout S seconds to look for a connection that broke (default 25)
  --help                this text

The exit code is the command's, 128 + n if signal n ended it; 255 if the executor is out of reach,
126 or 127 if the command could not be started. A second Ctrl-C kills the command.
`;

/** Reads the command line of `remex exec`. @throws {UsageError} naming the culprit and the fix */
export function parseExecOptions(args: string[]): ExecOptions | "help" {
  const separator = args.indexOf("--");
  const { values } = parse(separator < 0 ? args : args.slice(0, separator));
  if (values.help) return "help";
  const [program, ...rest] = separator < 0 ? [] : args.slice(separator + 1);
  if (program === undefined) throw new UsageError("no command given; it comes after `--`");
  const executor = executorOf(values);
  const sandbox = sandboxOf(values.sandbox);
  const workspaces = values.workspace.map((path) => directory("--workspace", path, executor));
  if (workspaces.length > 0 && sandbox === undefined) {
    throw new UsageError("--workspace is of use with --sandbox only");
  }
  return {
    executor,
    cwd: workingDirectory(values.cwd, executor),
    env: Object.fromEntries(values.env.flatMap(variable)),
    tty: values.tty,
    stdin: !values["no-stdin"],
    sandbox,
    workspaces,
    connectTimeoutMs: seconds("--connect-timeout", values["connect-timeout"]) * 1000,
    reconnectTimeoutMs: seconds("--reconnect-timeout", values["reconnect-timeout"]) * 1000,
    command: [program, ...rest],
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        url: { type: "string" },
        stdio: { type: "boolean", default: false },
        "token-file": { type: "string" },
        cwd: { type: "string" },
        env: { type: "string", multiple: true, default: [] },
        tty: { type: "boolean", default: false },
        "no-stdin": { type: "boolean", default: false },
        sandbox: { type: "string" },
        workspace: { type: "string", multiple: true, default: [] },
        "connect-timeout": { type: "string", default: "10" },
        "reconnect-timeout": { type: "string", default: "25" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      words.startsWith("Unexpected argument") ? `${words}; the command comes after \`--\`` : words,
    );
  }
}

function executorOf(
  values: { url?: string; stdio: boolean; "token-file"?: string },
): ExecOptions["executor"] {
  const { url, stdio, "token-file": tokenFile } = values;
  if (stdio === (url !== undefined)) {
    throw new UsageError("say where to run the command: either --url URL or --stdio");
  }
  if (url !== undefined) return { kind: "url", url, tokenFile };
  if (tokenFile !== undefined) throw new UsageError("--token-file is of use with --url only");
  return { kind: "stdio" };
}

/** An executor of our own stands where we stand. */
function workingDirectory(
  path: string | undefined,
  executor: ExecOptions["executor"],
): PathUri | undefined {
  if (path !== undefined) return directory("--cwd", path, executor);
  return executor.kind === "stdio" ? PathUri.fromNativePath(Deno.cwd()) : undefined;
}

/** A directory on the executor's machine, whatever system that has. */
function directory(option: string, path: string, executor: ExecOptions["executor"]): PathUri {
  try {
    if (path.startsWith("file:")) return PathUri.parse(path);
    if (path.startsWith("/")) return PathUri.fromNativePath(path, "posix");
    if (/^[A-Za-z]:[\\/]|^\\\\/.test(path)) return PathUri.fromNativePath(path, "windows");
    if (executor.kind === "stdio") return PathUri.fromNativePath(Deno.cwd()).join(path);
  } catch (error) {
    throw new UsageError(`${option}: ${error instanceof Error ? error.message : error}`);
  }
  throw new UsageError(`${option}: \`${path}\` is not an absolute path on the executor's machine`);
}

function variable(text: string): [string, string][] {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === "") throw new UsageError(`--env: \`${text}\` has no name`);
  const value = equals < 0 ? Deno.env.get(name) : text.slice(equals + 1);
  return value === undefined ? [] : [[name, value]];
}

function sandboxOf(name: string | undefined): SandboxProfile | undefined {
  if (name === undefined || isSandboxProfile(name)) return name;
  throw new UsageError(
    `--sandbox: no profile \`${name}\`; there are ${SANDBOX_PROFILES.join(", ")}`,
  );
}

function seconds(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0) {
    throw new UsageError(`${option}: \`${text}\` is not a number of seconds`);
  }
  return value;
}
