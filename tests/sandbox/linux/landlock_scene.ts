import {
  canRunLandlock,
  executorIn,
  type Place,
  places,
  type RunOptions,
  type RunResult,
  SandboxRunner,
} from "./landlocked_run.ts";
import { type SceneDirectory, shareDirectory } from "./scene_directory.ts";

/** A directory with a workspace in it and something beside that is none of its business. */
export interface LandlockScene {
  /** The directory that holds it all. */
  readonly base: string;
  readonly workspace: string;
  /** A directory beside the workspace, with a file `secret` in it. */
  readonly outside: string;
  readonly place: Place;
  /** Runs a command in the workspace, in the scene's place. */
  run(argv: readonly string[], options: Partial<RunOptions>): Promise<RunResult>;
  /** Runs a shell script in the workspace, in the scene's place. */
  script(script: string, options: Partial<RunOptions>): Promise<RunResult>;
  /** Runs a shell command on the host, as whoever runs the tests. Fails the test if it fails. */
  host(command: string): Promise<string>;
}

/** Tests something in each place, in a scene that belongs to its user. */
export function testLandlock(
  name: string,
  setUp: string,
  body: (scene: LandlockScene) => Promise<void>,
): void {
  if (!canRunLandlock) return Deno.test.ignore(`Landlock: ${name}`, () => {});
  for (const place of places) {
    const executor = executorIn(place, "landlock");
    const directory = shareDirectory(place.name);
    Deno.test(`Landlock: ${name}, ${place.name}`, async () => {
      await directory.setUp(setUp, place.user.id);
      await executor.withClient((client) =>
        body(makeScene(directory, place, new SandboxRunner(client)))
      );
    });
  }
}

function makeScene(directory: SceneDirectory, place: Place, runner: SandboxRunner): LandlockScene {
  const base = directory.path;
  const workspace = `${base}/ws`;
  const run: LandlockScene["run"] = (argv, options) =>
    runner.run(argv, { cwd: workspace, ...options });
  return {
    base,
    workspace,
    outside: `${base}/outside`,
    place,
    run,
    script: (script, options) => run(["/bin/sh", "-c", script], options),
    host: (command) => directory.run(command),
  };
}
