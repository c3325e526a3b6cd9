import { EACCES, ENOENT, ENOTDIR } from "../../os/constants.ts";
import { type ChildCommand, StartError, startFailureOf } from "../child.ts";
import { executableCandidates } from "../executable.ts";
import { isAbsolute, join } from "@std/path/posix";

/**
 * The program that sets what Deno.Command cannot, argv[0] and a controlling terminal, and then becomes the
 * command. Perl is part of macOS and of most Linux systems, and unlike a shell passes the environment on
 * unchanged.
 */
const PERL = "/usr/bin/perl";

/** The variable that suppresses perl's warnings about locales; removed before the command starts. */
const QUIET = "PERL_BADLANG";

/** TIOCSWINSZ (tty(4), tty_ioctl(2)): four unsigned shorts, of which the last two are unused. */
const SET_SIZE = Deno.build.os === "darwin" ? 0x80087467 : 0x5414;

const SET_NAME = "my $file = shift; exec {$file} @ARGV or exit 127;";

/** The first terminal that a session leader opens becomes its controlling terminal. */
const OPEN_TERMINAL = `
  my ($terminal, $rows, $cols) = splice @ARGV, 0, 3;
  open STDIN, "+<", $terminal or exit 126;
  ioctl STDIN, ${SET_SIZE}, pack "S4", $rows, $cols, 0, 0;
  open STDOUT, ">&STDIN" or exit 126;
  open STDERR, ">&STDIN" or exit 126;
`;

/** A program with its arguments and its environment. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A pseudo-terminal that becomes the controlling terminal of a command. */
export interface LaunchTerminal {
  readonly path: string;
  readonly rows: number;
  readonly cols: number;
}

/** Runs a file with another argv[0]. */
export function launchNamed(launch: Launch, name: string): Launch {
  return throughPerl(SET_NAME, [launch.file, name, ...launch.args], launch.env);
}

/** Runs a file with another argv[0] on a terminal. Its process must lead a new session. */
export function launchOnTerminal(launch: Launch, name: string, terminal: LaunchTerminal): Launch {
  const { path, rows, cols } = terminal;
  const args = [path, String(rows), String(cols), launch.file, name, ...launch.args];
  return throughPerl(OPEN_TERMINAL + SET_NAME, args, launch.env);
}

/** Sets the size of a terminal; the system sends SIGWINCH to the foreground process group. */
export function launchResize(terminal: LaunchTerminal): Launch {
  const { path, rows, cols } = terminal;
  const script = `open my $terminal, "+<", shift or exit 1;
    ioctl $terminal, ${SET_SIZE}, pack "S4", @ARGV, 0, 0;`;
  return throughPerl(script, [path, String(rows), String(cols)], {});
}

function throughPerl(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Launch {
  if (QUIET in env) return { file: PERL, args: ["-e", script, "--", ...args], env };
  const restoring = `delete $ENV{${QUIET}}; ${script}`;
  return { file: PERL, args: ["-e", restoring, "--", ...args], env: { ...env, [QUIET]: "0" } };
}

const NOT_FOUND = "No such file or directory (os error 2)";
const DENIED = "Permission denied (os error 13)";
const ANY_EXECUTE_BIT = 0o111;

/**
 * Finds the file of a command on Unix, as execvp(3) does; a relative path starts from the command's
 * working directory. A start that fails later gives no reason.
 *
 * @throws {StartError}
 */
export function locateExecutable(command: ChildCommand): string {
  const { argv: [name = ""], cwd, env } = command;
  requireDirectory(cwd);
  const candidates = executableCandidates(name, env);
  const states = candidates.map((path) => stateOf(isAbsolute(path) ? path : join(cwd, path)));
  const found = candidates[states.indexOf("executable")];
  if (found !== undefined) return found;
  const denied = states.includes("denied");
  throw new StartError(`${name}: ${denied ? DENIED : NOT_FOUND}`, {
    failure: startFailureOf("program", denied ? EACCES : ENOENT),
  });
}

function requireDirectory(path: string): void {
  try {
    if (Deno.statSync(path).isDirectory) return;
  } catch (error) {
    const denied = error instanceof Deno.errors.PermissionDenied;
    throw new StartError(`${path}: ${denied ? DENIED : NOT_FOUND}`, {
      failure: startFailureOf("workingDirectory", denied ? EACCES : ENOENT),
    });
  }
  throw new StartError(`${path}: Not a directory (os error ${ENOTDIR})`, {
    failure: startFailureOf("workingDirectory", ENOTDIR),
  });
}

function stateOf(path: string): "executable" | "denied" | "absent" {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & ANY_EXECUTE_BIT) !== 0 ? "executable" : "denied";
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied ? "denied" : "absent";
  }
}
