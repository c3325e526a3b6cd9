import type { CommandToSandbox } from "../mechanism.ts";
import { accessTo, type BoundPolicy } from "../policy/bound_policy.ts";

/** Common programs, by their absolute paths, that can do what whoever starts a command cannot. */
export interface HelperTools {
  readonly env?: string | undefined;
  readonly perl?: string | undefined;
  readonly setsid?: string | undefined;
}

/** Only what the command may read can run before it; most commands need none of them. */
export function readableTools(tools: HelperTools, { files }: BoundPolicy): HelperTools {
  const readable = (path: string | undefined) =>
    path !== undefined && accessTo(files, Deno.realPathSync(path)) !== "deny" ? path : undefined;
  return {
    get env() {
      return readable(tools.env);
    },
    get perl() {
      return readable(tools.perl);
    },
    get setsid() {
      return readable(tools.setsid);
    },
  };
}

/** What is started in the place of the command, or what stands in the way. */
export type FinalStage = ReadyStage | { readonly kind: "refused"; readonly reason: string };

/** What is started in the place of the command. */
export interface ReadyStage {
  readonly kind: "ready";
  readonly argv: readonly string[];
  /** A name for the first program, to be given by whoever starts it (as by `bwrap --argv0`). */
  readonly arg0: string | undefined;
  /** Variables for the programs before the command, which do not pass them on. */
  readonly env: Readonly<Record<string, string>>;
}

/** What whoever starts a command does to it unasked: bubblewrap, or a restricted thread. */
export interface StarterHabits {
  /** What PWD is then, without links in it; undefined if there is none. */
  readonly pwd: string | undefined;
  /** Whether it can give the program another name. */
  readonly canSetArg0: boolean;
}

/**
 * Shells that look up their working directory if no PWD says it, and give the same PWD to what they run
 * (sh(1p)): what is started by them finds no difference, and another program before them takes long.
 */
const SHELL = /(^|\/)(ba|da|z)?sh$/;

/**
 * The last programs before the command, each of which replaces itself by the next, so that the
 * command gets its environment, its name and its terminal exactly as they were asked for.
 */
export function finalStage(
  command: CommandToSandbox,
  habits: StarterHabits,
  tools: HelperTools,
): FinalStage {
  const { argv, env } = command;
  const program = argv[0] ?? "";
  const arg0 = command.arg0 === program ? undefined : command.arg0;
  const pwdIsRight = env.PWD === habits.pwd || (env.PWD === undefined && SHELL.test(program));
  const setsid = command.terminal ? tools.setsid : undefined;

  if (arg0 === undefined && pwdIsRight) return ready(setsid, argv);
  if (arg0 !== undefined && pwdIsRight && habits.canSetArg0 && setsid === undefined) {
    return { ...ready(setsid, argv), arg0 };
  }
  // env(1) would take a name with `=` for a variable.
  if (arg0 === undefined && tools.env !== undefined && !program.includes("=")) {
    return ready(setsid, [tools.env, ...pwdForEnv(env.PWD), ...argv]);
  }
  // What perl is told by its own variables would change what it does.
  if (tools.perl !== undefined && !Object.keys(env).some((name) => name.startsWith("PERL"))) {
    const stage = [tools.perl, "-e", PERL_STAGE, "--", ...pwdForPerl(env.PWD), arg0 ?? program];
    return { ...ready(setsid, [...stage, ...argv]), env: QUIET_PERL };
  }
  return { kind: "refused", reason: missingTool(arg0 !== undefined) };
}

/** Only the leader of a session can have a terminal, and bubblewrap's own session must not. */
function ready(setsid: string | undefined, argv: readonly string[]): ReadyStage {
  const whole = setsid === undefined ? argv : [setsid, "--ctty", "--", ...argv];
  return { kind: "ready", argv: whole, arg0: undefined, env: {} };
}

function pwdForEnv(pwd: string | undefined): string[] {
  return pwd === undefined ? ["-u", "PWD"] : [`PWD=${pwd}`];
}

/** Takes PWD or its absence, the name to give, and the command. */
const PERL_STAGE = "my ($isSet, $pwd, $name, $file) = splice @ARGV, 0, 4; " +
  "delete @ENV{'PWD', 'PERL_BADLANG'}; $ENV{PWD} = $pwd if $isSet; " +
  'exec { $file } $name, @ARGV; die "$file: $!\\n"';

/** Perl complains on stderr about a locale that is not installed, unless told not to (perllocale). */
const QUIET_PERL = { PERL_BADLANG: "0" };

function pwdForPerl(pwd: string | undefined): [string, string] {
  return pwd === undefined ? ["", ""] : ["1", pwd];
}

function missingTool(named: boolean): string {
  return named
    ? "giving a sandboxed command another name (arg0) needs bubblewrap 0.9 or newer, or perl"
    : "keeping PWD as it was asked for needs env(1) or perl inside the sandbox";
}
