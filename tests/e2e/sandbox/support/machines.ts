import { path, special } from "../../../sandbox/context.ts";
import { canRunLandlock } from "../../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap, type TestUser, users } from "../../../sandbox/linux/sandboxed_run.ts";
import { command, type Outcome, run } from "../../support/commands.ts";
import type { LaunchOptions } from "../../support/executor.ts";
import { isRecord, type Message } from "../../support/inbox.ts";
import type { RawClient } from "../../support/raw_client.ts";
import { connectStdio } from "../../support/stdio_client.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { enclosedIn, launchAs } from "./sandboxed.ts";

/** What makes a host without user namespaces of the program that follows. */
export const WITHOUT_NAMESPACES: readonly string[] = [
  ...["/usr/bin/bwrap", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"],
  ...["--dev-bind", "/", "/", "--"],
];

/** A workspace, something beside it that is none of its business, and an executor. */
export interface MachineScene {
  readonly mechanism: "bubblewrap" | "landlock";
  readonly client: RawClient;
  readonly user: TestUser;
  readonly workspace: string;
  /** A directory beside the workspace, with a file `secret` in it. */
  readonly outside: string;
  /** Members of `process/start` by which a command reads everything and writes the workspace. */
  readonly enclosed: Message;
  /** Runs a command in the workspace, enclosed. */
  run(argv: readonly string[], more?: Message): Promise<Outcome>;
}

/**
 * Tests something as each user, on a machine with user namespaces and on one without, where
 * Landlock has to do. The workspace and what is beside it belong to the user.
 *
 * @param through programs that the executor is started by, given what is beside the workspace
 */
export function testOnMachines(
  name: string,
  body: (scene: MachineScene) => Promise<void>,
  through: (outside: string) => readonly string[] = () => [],
): void {
  for (const user of users) {
    for (const mechanism of ["bubblewrap", "landlock"] as const) {
      Deno.test({
        name: `sandbox: ${name}, ${mechanism}, as ${user.name}`,
        ignore: !canRunBubblewrap || mechanism === "landlock" && !canRunLandlock,
        fn: async () => {
          using directory = new TemporaryDirectory();
          const scene = makeScene(directory, mechanism, user);
          const launcher = through(scene.outside);
          await using client = connectStdio(machineFor(mechanism, user, launcher));
          await client.initialize();
          let started = 0;
          await body({
            ...scene,
            client,
            run: (argv, more = {}) => {
              const params = { ...scene.enclosed, ...more };
              return run(client, command(`process ${++started}`, argv, params));
            },
          });
        },
      });
    }
  }
}

function makeScene(
  directory: TemporaryDirectory,
  mechanism: MachineScene["mechanism"],
  user: TestUser,
) {
  const [workspace, outside] = [`${directory.path}/ws`, `${directory.path}/outside`];
  directory.write("outside/secret", "secret\n", 0o644);
  directory.write("ws/file", "file\n", 0o644);
  const paths = [directory.path, workspace, outside, `${outside}/secret`, `${workspace}/file`];
  if (user.id !== undefined) { for (const path of paths) Deno.chownSync(path, user.id, user.id); }
  const enclosed = mechanism === "bubblewrap"
    ? enclosedIn(workspace)
    : withoutProtectedNames(workspace);
  return { mechanism, user, workspace, outside, enclosed };
}

/** Landlock cannot except names from what may be written: here they may be too. */
function withoutProtectedNames(workspace: string): Message {
  const names = [".git", ".agents", ".codex"].map((name) => `${workspace}/${name}`);
  const written = [workspace, ...names].map((name) => path(name, "write"));
  const fileSystem = { type: "restricted", entries: [special("root", "read"), ...written] };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  const { cwd, sandbox } = enclosedIn(workspace);
  return { cwd, sandbox: { ...isRecord(sandbox) ? sandbox : {}, permissions } };
}

function machineFor(
  mechanism: MachineScene["mechanism"],
  user: TestUser,
  through: readonly string[],
): LaunchOptions {
  const { launcher = [] } = launchAs(user);
  const machine = mechanism === "landlock" ? WITHOUT_NAMESPACES : [];
  return { launcher: [...launcher, ...machine, ...through] };
}
