import { canRunBubblewrap, type RunOptions, type RunResult, runScript } from "./sandboxed_run.ts";
import { type TestUser, users } from "./sandboxed_run.ts";

/** A directory with a workspace in it and something beside that is none of its business. */
export interface Scene {
  /** The directory that holds it all. */
  readonly base: string;
  readonly workspace: string;
  /** A directory beside the workspace, with a file `secret` in it. */
  readonly outside: string;
  readonly user: TestUser;
  /** Runs a script in the workspace as the scene's user. */
  script(script: string, options?: Partial<RunOptions>): Promise<RunResult>;
  /** Runs a shell command on the host, as whoever runs the tests. Fails the test if it fails. */
  host(command: string): Promise<string>;
}

/** Tests something as each user, in a scene of its own that belongs to the user. */
export function testScene(
  name: string,
  setUp: string,
  body: (scene: Scene) => Promise<void>,
): void {
  for (const user of users) {
    Deno.test({
      name: `${name}, as ${user.name}`,
      ignore: !canRunBubblewrap,
      fn: async () => {
        const base = await Deno.makeTempDir();
        try {
          const scene = makeScene(base, user);
          await scene.host(`mkdir ws outside && echo secret > outside/secret && ${setUp || ":"}`);
          if (user.id !== undefined) await scene.host(`chown -R ${user.id}:${user.id} .`);
          await body(scene);
        } finally {
          await Deno.remove(base, { recursive: true });
        }
      },
    });
  }
}

function makeScene(base: string, user: TestUser): Scene {
  const workspace = `${base}/ws`;
  return {
    base,
    workspace,
    outside: `${base}/outside`,
    user,
    script: (script, options) => runScript(script, { cwd: workspace, user, ...options }),
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
