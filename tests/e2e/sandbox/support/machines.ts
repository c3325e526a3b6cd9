import { findPrograms } from "../../../../src/sandbox/linux/host.ts";
import { workspaceWrite } from "../../../sandbox/context.ts";
import { canRunLandlock, WITHOUT_NAMESPACES } from "../../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap, type TestUser, users } from "../../../sandbox/linux/sandboxed_run.ts";
import { type SceneDirectory, shareDirectory } from "../../../sandbox/linux/scene_directory.ts";
import { command, type Outcome, run } from "../../support/commands.ts";
import type { LaunchOptions } from "../../support/executor.ts";
import { isRecord, type Message } from "../../support/inbox.ts";
import type { RawClient } from "../../support/raw_client.ts";
import { shareExecutor } from "../../support/shared_executor.ts";
import { connectStdio } from "../../support/stdio_client.ts";
import { enclosedIn, launchAs } from "./sandboxed.ts";

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
  /**
   * Members of `process/start` by which tools may use the memory that programs share, of which
   * Landlock has no view of its own: there only the network is restricted.
   */
  readonly withSharedMemory: Message;
  /** Runs a command in the workspace, enclosed. */
  run(argv: readonly string[], more?: Message): Promise<Outcome>;
}

/** Where tools are looked for. */
export const TOOLS_PATH = "/usr/local/bin:/usr/bin:/bin";

interface MachineOptions {
  /** Programs that the executor is started by, given what is beside the workspace. */
  readonly through?: (outside: string) => readonly string[];
  /** Programs without which there is nothing to test. */
  readonly needs?: readonly string[];
}

/**
 * Tests something as each user, on a machine with user namespaces and on one without, where
 * Landlock has to do. The workspace and what is beside it belong to the user.
 */
export function testOnMachines(
  name: string,
  body: (scene: MachineScene) => Promise<void>,
  { through, needs = [] }: MachineOptions = {},
): void {
  const missing = needs.filter((program) => findPrograms(program, TOOLS_PATH).length === 0);
  const reason = missing.length > 0 ? ` (not installed: ${missing.join(", ")})` : "";
  for (const user of users) {
    for (const mechanism of ["bubblewrap", "landlock"] as const) {
      const ignore = missing.length > 0 || !canRunBubblewrap ||
        mechanism === "landlock" && !canRunLandlock;
      const shared = ignore || through !== undefined
        ? undefined
        : shareExecutor(machineFor(mechanism, user));
      const directory = shareDirectory(`${mechanism}, ${user.name}`);
      Deno.test({
        name: `sandbox: ${name}, ${mechanism}, as ${user.name}${reason}`,
        ignore,
        fn: async () => {
          await directory.setUp("echo file > ws/file", user.id);
          const scene = makeScene(directory, mechanism, user);
          const withClient = async (client: RawClient) => {
            let started = 0;
            await body({
              ...scene,
              client,
              run: (argv, more = {}) => {
                const params = { ...scene.enclosed, ...more };
                return run(client, command(`process ${++started}`, argv, params));
              },
            });
          };
          if (shared !== undefined) return await shared.withClient(withClient);
          await using client = connectStdio(machineFor(mechanism, user, through?.(scene.outside)));
          await client.initialize();
          await withClient(client);
        },
      });
    }
  }
}

function makeScene(
  directory: SceneDirectory,
  mechanism: MachineScene["mechanism"],
  user: TestUser,
) {
  const [workspace, outside] = [`${directory.path}/ws`, `${directory.path}/outside`];
  const enclosing = (fileSystem: Message): Message => {
    const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
    const { cwd, sandbox } = enclosedIn(workspace);
    return { cwd, sandbox: { ...isRecord(sandbox) ? sandbox : {}, permissions } };
  };
  const enclosed = enclosing({ type: "restricted", entries: workspaceWrite });
  const withSharedMemory = mechanism === "bubblewrap"
    ? enclosed
    : enclosing({ type: "unrestricted" });
  return { mechanism, user, workspace, outside, enclosed, withSharedMemory };
}

function machineFor(
  mechanism: MachineScene["mechanism"],
  user: TestUser,
  through: readonly string[] = [],
): LaunchOptions {
  const { launcher = [] } = launchAs(user);
  const machine = mechanism === "landlock" ? WITHOUT_NAMESPACES : [];
  return { launcher: [...launcher, ...machine, ...through] };
}
