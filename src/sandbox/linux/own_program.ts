import { cannotEnforce } from "../cannot_enforce.ts";
import { isWithin } from "../../os/native_path.ts";

/**
 * How to start this program again; run from its source, Deno with the source.
 *
 * A program that was replaced while it runs is told to be deleted (proc_pid_exe(5)). Its successor
 * is as good.
 */
export function ownProgram(): readonly [string, ...string[]] {
  const main = Deno.build.standalone
    ? []
    : ["run", "--allow-all", "--no-prompt", import.meta.resolve("../../../main.ts")];
  return [Deno.execPath().replace(/ \(deleted\)$/, ""), ...main];
}

/**
 * What is at a path can be trusted only if no command could have put it there.
 *
 * @param outside directories from which no program is run unenclosed: a client's commands may have
 * written it
 * @throws {RpcError} -32603
 */
export function refuseWritableProgram(outside: readonly string[]): void {
  const [program] = ownProgram();
  const path = orUndefined(() => Deno.realPathSync(program));
  if (path === undefined) throw cannotEnforce(`'${program}', which sets it up, is gone`);
  const tree = outside.find((tree) => isWithin(path, tree));
  if (tree === undefined) return;
  throw cannotEnforce(
    `'${path}', which sets it up, lies in '${tree}', where commands may have changed it`,
  );
}

function orUndefined<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
