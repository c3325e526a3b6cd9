import { canRunBubblewrap } from "../../sandbox/linux/sandboxed_run.ts";
import type { LaunchOptions } from "./executor.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/** What programs need of /etc to run as they do outside. */
const KEPT = ["passwd", "group", "ld.so.cache", "nsswitch.conf", "alternatives", "ssl", "hosts"];

/** An ordinary user, whom root can become. */
const NOBODY = 65534;

/**
 * Where a program sees an /etc/remex of its own, and a home without settings: a mount namespace.
 * The program has no way to be told where the administrator's files are, which users had as well.
 */
export class Machine implements Disposable {
  readonly directory = new TemporaryDirectory();

  constructor() {
    Deno.mkdirSync(`${this.directory.path}/etc`);
    Deno.mkdirSync(`${this.directory.path}/home`);
    Deno.chmodSync(this.directory.path, 0o755);
  }

  /** Writes `/etc/remex/NAME`. */
  etc(name: string, content: string, mode = 0o644): void {
    this.directory.write(`etc/${name}`, content, mode);
  }

  /** Writes the user's own file. */
  user(content: string): void {
    this.directory.write("home/.config/remex/config.jsonc", content, 0o644);
  }

  /** How to run a program here. */
  launch(env: Readonly<Record<string, string>> = {}, as?: "an ordinary user"): LaunchOptions {
    const { path } = this.directory;
    const kept = KEPT.flatMap((name) => ["--ro-bind-try", `/etc/${name}`, `/etc/${name}`]);
    const become = as === undefined || Deno.uid() !== 0
      ? []
      : ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"];
    return {
      env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", HOME: `${path}/home`, ...env },
      launcher: [
        ...["bwrap", "--dev-bind", "/", "/", "--tmpfs", "/etc", ...kept],
        ...["--ro-bind", `${path}/etc`, "/etc/remex", "--", ...become],
      ],
    };
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

/** Tests something on a machine of its own. */
export function testOnMachine(name: string, body: (machine: Machine) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !canRunBubblewrap,
    fn: async () => {
      using machine = new Machine();
      await body(machine);
    },
  });
}
