import {
  canRunLandlock,
  executorIn,
  type RunOptions,
  type RunResult,
  SandboxRunner,
  type TestMechanism,
} from "./landlocked_run.ts";
import { type SceneDirectory, shareDirectory } from "./scene_directory.ts";
import { canRunBubblewrap, type TestUser, users } from "./sandboxed_run.ts";

/** A directory with a workspace in it and something beside that is none of its business. */
export interface Scene {
  /** The directory that holds it all. */
  readonly base: string;
  readonly workspace: string;
  /** A directory beside the workspace, with a file `secret` in it. */
  readonly outside: string;
  readonly user: TestUser;
  readonly mechanism: TestMechanism;
  /** Runs a script in the workspace as the scene's user. */
  script(script: string, options?: Partial<RunOptions>): Promise<RunResult>;
  /** Runs a command in the workspace as the scene's user. */
  run(argv: readonly string[], options?: Partial<RunOptions>): Promise<RunResult>;
  /** Runs a shell command on the host, as whoever runs the tests. Fails the test if it fails. */
  host(command: string): Promise<string>;
}

const MECHANISMS: readonly TestMechanism[] = ["bubblewrap", "landlock"];

/** Tests something as each user by each mechanism, in a scene of its own that belongs to the user. */
export function testScene(
  name: string,
  setUp: string,
  body: (scene: Scene) => Promise<void>,
  mechanisms: readonly TestMechanism[] = MECHANISMS,
): void {
  for (const mechanism of mechanisms) {
    for (const user of users) testOne(name, setUp, body, mechanism, user);
  }
}

function testOne(
  name: string,
  setUp: string,
  body: (scene: Scene) => Promise<void>,
  mechanism: TestMechanism,
  user: TestUser,
): void {
  const full = `${name}, ${mechanism}, as ${user.name}`;
  const canRun = mechanism === "bubblewrap" ? canRunBubblewrap : canRunLandlock;
  if (!canRun) return Deno.test.ignore(full, () => {});
  const executor = executorIn({ name: user.name, user, namespaces: true }, mechanism);
  const directory = shareDirectory(`${mechanism}, ${user.name}`);
  Deno.test(full, async () => {
    await directory.setUp(setUp, user.id);
    await executor.withClient((client) =>
      body(makeScene(directory, user, mechanism, new SandboxRunner(client)))
    );
  });
}

function makeScene(
  directory: SceneDirectory,
  user: TestUser,
  mechanism: TestMechanism,
  runner: SandboxRunner,
): Scene {
  const base = directory.path;
  const workspace = `${base}/ws`;
  const run: Scene["run"] = (argv, options) => runner.run(argv, { cwd: workspace, ...options });
  return {
    base,
    workspace,
    outside: `${base}/outside`,
    user,
    mechanism,
    run,
    script: (script, options) => run(["/bin/sh", "-c", script], options),
    host: (command) => directory.run(command),
  };
}
