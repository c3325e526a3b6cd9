import { type WireEntry, workspaceWrite } from "../../../sandbox/context.ts";
import { canRunBubblewrap, type TestUser, users } from "../../../sandbox/linux/sandboxed_run.ts";
import { type SceneDirectory, shareDirectory } from "../../../sandbox/linux/scene_directory.ts";
import { command, type Outcome, run, shell } from "../../support/commands.ts";
import type { LaunchOptions } from "../../support/executor.ts";
import type { Message } from "../../support/inbox.ts";
import type { RawClient } from "../../support/raw_client.ts";
import { shareExecutor } from "../../support/shared_executor.ts";

/** A workspace, something beside it that is none of its business, and an executor. */
export interface SandboxedScene {
  readonly client: RawClient;
  readonly workspace: string;
  /** A directory beside the workspace, with a file `secret` in it. */
  readonly outside: string;
  readonly user: TestUser;
  /** Members of `process/start` that enclose a command: it reads everything, writes the workspace. */
  readonly enclosed: Message;
  /** Runs a shell script in the workspace, enclosed. */
  script(script: string, more?: Message): Promise<Outcome>;
  /** Runs a command in the workspace, enclosed. */
  run(argv: readonly string[], more?: Message): Promise<Outcome>;
}

/** Tests something as each user, in a scene of its own that belongs to the user. */
export function testSandboxed(name: string, body: (scene: SandboxedScene) => Promise<void>): void {
  if (!canRunBubblewrap) return Deno.test.ignore(`sandbox: ${name}`, () => {});
  for (const user of users) {
    const executor = shareExecutor(launchAs(user));
    const directory = shareDirectory(user.name);
    Deno.test(`sandbox: ${name}, as ${user.name}`, async () => {
      await directory.setUp("", user.id);
      await executor.withClient((client) => body(makeScene(client, directory, user)));
    });
  }
}

/** How to run an executor as a user. */
export function launchAs({ id }: TestUser): LaunchOptions {
  return id === undefined
    ? {}
    : { launcher: ["/usr/bin/setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups", "--"] };
}

/**
 * Members of `process/start` that let a command read everything and write one directory.
 *
 * @param more further entries of the permissions
 */
export function enclosedIn(workspace: string, more: readonly WireEntry[] = []): Message {
  const cwd = `file://${workspace}`;
  const fileSystem = { type: "restricted", entries: [...workspaceWrite, ...more] };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  const sandbox = { permissions, cwd, workspaceRoots: [cwd], windowsSandboxLevel: "disabled" };
  return { cwd, sandbox };
}

function makeScene(client: RawClient, directory: SceneDirectory, user: TestUser) {
  const [workspace, outside] = [`${directory.path}/ws`, `${directory.path}/outside`];
  const enclosed = enclosedIn(workspace);
  let started = 0;
  const next = () => `process ${++started}`;
  return {
    client,
    workspace,
    outside,
    user,
    enclosed,
    script: (script: string, more: Message = {}) =>
      run(client, shell(next(), script, { ...enclosed, ...more })),
    run: (argv: readonly string[], more: Message = {}) =>
      run(client, command(next(), argv, { ...enclosed, ...more })),
  };
}
