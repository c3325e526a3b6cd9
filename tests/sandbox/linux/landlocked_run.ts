import { shippedSeccompProfile } from "../../../src/sandbox/seccomp/profile.ts";
import { RpcError } from "../../../src/protocol/errors.ts";
import { landlockVersion } from "../../../src/os/thread_restrictions.ts";
import { SINCE } from "../../../src/sandbox/landlock/rights.ts";
import { command, outcomeOf } from "../../e2e/support/commands.ts";
import { isRecord, type Message } from "../../e2e/support/inbox.ts";
import type { RawClient } from "../../e2e/support/raw_client.ts";
import { type SharedExecutor, shareExecutor } from "../../e2e/support/shared_executor.ts";
import { EPERM, withoutCalls } from "../../support/without_calls.ts";
import { contextMessage, type ContextOptions } from "../context.ts";
import { canRunBubblewrap, type TestUser, users } from "./sandboxed_run.ts";

/** Whether this machine has a Landlock that commands are sandboxed by. */
export const canRunLandlock = Deno.build.os === "linux" && landlockVersion() >= SINCE.moving;

/** Where a command runs: as which user, and whether the host lets it have user namespaces. */
export interface Place {
  readonly name: string;
  readonly user: TestUser;
  readonly namespaces: boolean;
}

/** Every user, on this host and on one without user namespaces. */
export const places: readonly Place[] = users.flatMap((user) => [
  { name: `as ${user.name}`, user, namespaces: true },
  ...canRunBubblewrap
    ? [{ name: `as ${user.name} without user namespaces`, user, namespaces: false }]
    : [],
]);

/** A command in a sandbox; the working directory is also the workspace if nothing else is said. */
export interface RunOptions extends ContextOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly arg0?: string;
}

/** How a command in a sandbox has ended. */
export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What containers refuse with Docker's defaults (see tests/hosts/docker_seccomp.jsonc). */
const REFUSED_IN_CONTAINERS = ["unshare", "setns", "mount", "umount2", "pivot_root", "pidfd_getfd"];

/** What makes a host without user namespaces, as most containers are, of the program that follows. */
export const WITHOUT_NAMESPACES: readonly string[] = withoutCalls(
  numbersOf(REFUSED_IN_CONTAINERS),
  EPERM,
  ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"],
);

function numbersOf(names: readonly string[]): number[] {
  const rules = Object.values(shippedSeccompProfile().sections).flat();
  const numbers = rules.filter(({ call }) => names.includes(call))
    .flatMap((rule) => rule[Deno.build.arch] ?? []);
  return [...new Set(numbers)];
}

/** What sandboxes commands. */
export type TestMechanism = "bubblewrap" | "landlock";

/** An executor in a place, for the top level of a file of tests. */
export function executorIn(
  { user: { id }, namespaces }: Place,
  mechanism: TestMechanism,
): SharedExecutor {
  const become = id === undefined
    ? []
    : ["/usr/bin/setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups", "--"];
  return shareExecutor({
    launcher: [...become, ...namespaces ? [] : WITHOUT_NAMESPACES],
    env: { PATH: "/usr/bin:/bin", HOME: "/", REMEX_SANDBOX_MECHANISM: mechanism },
  });
}

/** Runs sandboxed commands for one client of an executor. */
export class SandboxRunner {
  readonly #client: RawClient;
  #started = 0;

  constructor(client: RawClient) {
    this.#client = client;
  }

  /** Runs a command to its end. @throws {RpcError} if it is refused */
  async run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
    const client = this.#client;
    const { cwd, arg0, env = { PATH: "/usr/bin:/bin" } } = options;
    const sandbox = contextMessage({ workspaceRoots: [cwd], ...options });
    const id = `process ${++this.#started}`;
    const params: Message = {
      ...command(id, argv, { env, sandbox }),
      cwd: `file://${cwd.split("/").map(encodeURIComponent).join("/")}`,
      ...arg0 === undefined ? {} : { arg0 },
    };
    const { error } = await client.request("process/start", params);
    if (isRecord(error)) throw new RpcError(Number(error.code), String(error.message));
    const { exitCode, stdout, stderr } = outcomeOf(await client.events(id));
    return { exitCode: Number(exitCode), stdout, stderr };
  }
}
