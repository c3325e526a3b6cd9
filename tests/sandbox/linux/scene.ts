import { canRunLandlock, executorIn, LandlockRunner } from "./landlocked_run.ts";
import {
  canRunBubblewrap,
  run,
  type RunOptions,
  type RunResult,
  type TestUser,
  users,
} from "./sandboxed_run.ts";

/** What sandboxes commands. */
export type TestMechanism = "bubblewrap" | "landlock";

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
  script(script: string, options?: Partial<RunOptions>): Promise<SceneResult>;
  /** Runs a command in the workspace as the scene's user. */
  run(argv: readonly string[], options?: Partial<RunOptions>): Promise<SceneResult>;
  /** Runs a shell command on the host, as whoever runs the tests. Fails the test if it fails. */
  host(command: string): Promise<string>;
}

/** How a command in a scene has ended. */
export type SceneResult = Pick<RunResult, "exitCode" | "stdout" | "stderr">;

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
  const withRunner = mechanism === "bubblewrap" ? withBubblewrap : withLandlock(user);
  Deno.test(full, async () => {
    const base = await Deno.makeTempDir();
    await Deno.chmod(base, 0o755);
    try {
      await withRunner(async (runner) => {
        const scene = makeScene(base, user, mechanism, runner);
        await scene.host(`mkdir ws outside && echo secret > outside/secret && ${setUp || ":"}`);
        if (user.id !== undefined) await scene.host(`chown -R ${user.id}:${user.id} .`);
        await body(scene);
      });
    } finally {
      await Deno.remove(base, { recursive: true });
    }
  });
}

type Runner = (argv: readonly string[], options: RunOptions) => Promise<SceneResult>;

function withBubblewrap(body: (runner: Runner) => Promise<void>): Promise<void> {
  return body(run);
}

function withLandlock(user: TestUser): typeof withBubblewrap {
  const executor = executorIn({ name: user.name, user, namespaces: true });
  return (body) =>
    executor.withClient((client) => {
      const runner = new LandlockRunner(client);
      return body((argv, options) => runner.run(argv, options));
    });
}

function makeScene(
  base: string,
  user: TestUser,
  mechanism: TestMechanism,
  runner: Runner,
): Scene {
  const workspace = `${base}/ws`;
  const runs: Scene["run"] = (argv, options) => runner(argv, { cwd: workspace, user, ...options });
  return {
    base,
    workspace,
    outside: `${base}/outside`,
    user,
    mechanism,
    run: runs,
    script: (script, options) => runs(["/bin/sh", "-c", script], options),
    host: async (command) => {
      const { success, stdout, stderr } = await new Deno.Command("/bin/sh", {
        args: ["-ec", command],
        cwd: base,
      }).output();
      const text = new TextDecoder();
      if (!success) throw new Error(`${command}: ${text.decode(stderr)}`);
      return text.decode(stdout);
    },
  };
}
