import {
  canRunLandlock,
  executorIn,
  type RunOptions,
  type RunResult,
  SandboxRunner,
  type TestMechanism,
} from "./landlocked_run.ts";
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
  Deno.test(full, async () => {
    const base = await Deno.makeTempDir();
    await Deno.chmod(base, 0o755);
    try {
      await executor.withClient(async (client) => {
        const runner = new SandboxRunner(client);
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

function makeScene(
  base: string,
  user: TestUser,
  mechanism: TestMechanism,
  runner: SandboxRunner,
): Scene {
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
