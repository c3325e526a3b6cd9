/** The directories of this file's scenes, by whom they are for. */
const shared = new Map<string, SceneDirectory>();

/**
 * A directory for one scene after another, with a directory `ws` and a directory `outside` in it. It
 * stays from before the first test of a file to after the last: the same paths are the same sandbox,
 * whose threads take longer to make than most tests.
 */
export class SceneDirectory {
  #path: string | undefined;

  constructor() {
    Deno.test.beforeAll(async () => {
      this.#path = await Deno.makeTempDir();
      await this.run("mkdir ws outside");
    });
    Deno.test.afterAll(async () => {
      await Deno.remove(this.path, { recursive: true });
    });
  }

  get path(): string {
    if (this.#path === undefined) throw new Error("the directory has not been made");
    return this.#path;
  }

  /** Leaves nothing of what is in it but `outside/secret`, and runs a shell command there. */
  async setUp(command: string, owner: number | undefined): Promise<void> {
    await this.run(`find . -mindepth 2 -delete
      find . -mindepth 1 -maxdepth 1 ! -name ws ! -name outside -exec rm -r {} +
      chown ${Deno.uid()} . ws outside; chmod 755 . ws outside; echo secret > outside/secret
      ${command}`);
    if (owner !== undefined) await this.run(`chown -R ${owner}:${owner} .`);
  }

  /** Runs a shell command in it, as whoever runs the tests. Fails the test if it fails. */
  async run(command: string): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-ec", command],
      cwd: this.path,
    }).output();
    const text = new TextDecoder();
    if (!success) throw new Error(`${command}: ${text.decode(stderr)}`);
    return text.decode(stdout);
  }
}

/** The directory that the tests of this file share whose scenes are for the same; for the top level. */
export function shareDirectory(whom: string): SceneDirectory {
  const directory = shared.get(whom) ?? new SceneDirectory();
  shared.set(whom, directory);
  return directory;
}
