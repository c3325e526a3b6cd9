import { isAbsolute, join } from "@std/path";

/** Where execvp(3) of glibc looks when the environment has no PATH. */
const DEFAULT_PATH = "/bin:/usr/bin";

/**
 * The files that a command name may stand for, to be tried in order.
 *
 * A name with a slash is a path, relative to the command's working directory; any other is looked
 * up in the command's own PATH, where an empty entry is the working directory (execvp(3)).
 */
export function executableCandidates(
  name: string,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  if (name === "") return [];
  if (name.includes("/")) return [name];
  return (env.PATH ?? DEFAULT_PATH).split(":").map((directory) =>
    directory === "" ? name : `${directory}/${name}`
  );
}

/** The working directory and the files that the system looks for when it starts a command. */
export function startingPaths(
  { argv: [name = ""], cwd, env }: {
    readonly argv: readonly string[];
    readonly cwd: string;
    readonly env: Readonly<Record<string, string>>;
  },
): string[] {
  const files = executableCandidates(name, env);
  return [cwd, ...files.map((file) => isAbsolute(file) ? file : join(cwd, file))];
}
