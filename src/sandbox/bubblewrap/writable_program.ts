import { cannotEnforce } from "../mechanism.ts";
import { isWithin } from "../../os/native_path.ts";
import { ownPath } from "../../own_program.ts";

/**
 * What is at a path can be trusted only if no command could have put it there.
 *
 * @param untrusted directories in which commands may have put programs: none is run from there
 * @throws {RpcError} -32603
 */
export function refuseWritableProgram(untrusted: readonly string[]): void {
  const program = ownPath();
  const path = orUndefined(() => Deno.realPathSync(program));
  if (path === undefined) throw cannotEnforce(`'${program}', which sets it up, is gone`);
  const tree = untrusted.find((tree) => isWithin(path, tree));
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
