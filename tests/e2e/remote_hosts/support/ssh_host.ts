import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { sharingDirectory } from "../../../../src/ssh/shared_connections.ts";
import { VERSION } from "../../../../src/version.ts";
import { childrenOf } from "../../../../src/os/procfs.ts";
import { ended, REMEX_BIN } from "../../support/executor.ts";
import { eventually } from "../../../support/patience.ts";
import { TemporaryDirectory } from "../../../support/temporary_directory.ts";

const SSHD = "/usr/sbin/sshd";
/** Where sshd of root separates its privileges. */
const PRIVILEGE_SEPARATION = "/run/sshd";

/** Whether there is an OpenSSH server and a client to test with. */
export const hasSsh: boolean = existsSync(SSHD) && existsSync("/usr/bin/ssh");

/** How a host differs from others. */
export interface HostOptions {
  /** The home directory on it. @default a directory of its own */
  readonly home?: string;
  /** Whether the program is there already. @default false */
  readonly prepared?: boolean;
  /** Lines of the server's configuration. */
  readonly settings?: readonly string[];
}

/**
 * A host with an OpenSSH server on a port of the loopback address, which has a home directory, a key
 * and a configuration of its own. Disposing of it ends the server.
 */
export class SshHost implements AsyncDisposable {
  readonly directory = new TemporaryDirectory();
  readonly home: string;
  /** How ssh is called to reach it as `there`. */
  readonly sshCommand: string;
  readonly port: number = freePort();
  readonly #server: Deno.ChildProcess;

  /** The processes of the server that serve a connection each. */
  get connections(): number[] {
    return childrenOf(this.#server.pid);
  }

  private constructor({ home, settings = [] }: HostOptions) {
    const { path } = this.directory;
    this.home = home ?? `${path}/home`;
    if (home === undefined) Deno.mkdirSync(this.home);
    if (Deno.uid() === 0) Deno.mkdirSync(PRIVILEGE_SEPARATION, { recursive: true, mode: 0o755 });
    for (const name of ["key", "host"]) makeKey(`${path}/${name}`);
    Deno.copyFileSync(`${path}/key.pub`, `${path}/authorized`);
    this.directory.write(
      "sshd",
      lines(
        `Port ${this.port}`,
        "ListenAddress 127.0.0.1",
        `HostKey ${path}/host`,
        `AuthorizedKeysFile ${path}/authorized`,
        "StrictModes no",
        "UsePAM no",
        "PidFile none",
        `SetEnv HOME=${this.home} XDG_CACHE_HOME=${this.home}/.cache XDG_RUNTIME_DIR=/nonexistent`,
        ...settings,
      ),
      0o600,
    );
    this.directory.write(
      "ssh",
      lines(
        "Host there",
        "  HostName 127.0.0.1",
        `  Port ${this.port}`,
        `  IdentityFile ${path}/key`,
        "  IdentitiesOnly yes",
        `  UserKnownHostsFile ${path}/known`,
        "  StrictHostKeyChecking no",
        "  LogLevel ERROR",
      ),
      0o600,
    );
    this.sshCommand = `ssh -F ${path}/ssh`;
    this.#server = new Deno.Command(SSHD, {
      args: ["-D", "-f", `${path}/sshd`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  static async start(options: HostOptions = {}): Promise<SshHost> {
    const host = new SshHost(options);
    if (options.prepared) host.#putProgram();
    await eventually(() => answers(host.port), "the OpenSSH server");
    return host;
  }

  #putProgram(): void {
    const digest = createHash("sha256").update(Deno.readFileSync(REMEX_BIN)).digest("hex");
    const directory = `${this.home}/.cache/remex`;
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = `${directory}/remex-${VERSION}-${digest.slice(0, 16)}`;
    Deno.copyFileSync(REMEX_BIN, path);
    Deno.chmodSync(path, 0o700);
  }

  /** The options of `remex exec` that lead to it. */
  get options(): string[] {
    return ["--ssh", "there", "--ssh-command", this.sshCommand];
  }

  /** What lies where remex is put. */
  get cache(): string[] {
    try {
      return Array.from(Deno.readDirSync(`${this.home}/.cache/remex`), ({ name }) => name).sort();
    } catch {
      return [];
    }
  }

  /** Ends the connection that calls of ssh share, if there is one. */
  async endShared(): Promise<void> {
    const shared = sharingDirectory(Deno.env.toObject());
    if (shared === undefined) return;
    const [program = "", ...args] = this.sshCommand.split(" ");
    const options = ["-S", `${shared}/%C`, "-O", "exit", "there"];
    await new Deno.Command(program, { args: [...args, ...options] }).output();
  }

  /** Kills the executors on it. */
  killExecutors(): void {
    for (const pid of this.executors()) Deno.kill(pid, "SIGKILL");
  }

  /** Those whose socket is on it. */
  executors(): number[] {
    return processesWith(this.home, "serve");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.killExecutors();
    await this.endShared();
    this.#server.kill("SIGTERM");
    await ended(this.#server);
    await eventually(() => this.executors().length === 0, "the executors to be gone");
    this.directory[Symbol.dispose]();
  }
}

/** The processes that have this text and this word in their command lines. */
export function processesWith(text: string, word: string): number[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name)).filter((pid) => {
    if (!(pid > 0)) return false;
    try {
      const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
      return words.includes(word) && words.some((one) => one.includes(text));
    } catch {
      return false;
    }
  });
}

/** Tests something with a real OpenSSH server, where there is one. */
export function testWithSsh(name: string, body: () => Promise<void>): void {
  Deno.test({ name, ignore: !hasSsh, fn: body });
}

function makeKey(path: string): void {
  const { success } = new Deno.Command("ssh-keygen", {
    args: ["-q", "-t", "ed25519", "-N", "", "-f", path],
  }).outputSync();
  if (!success) throw new Error("ssh-keygen failed");
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function answers(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

function lines(...all: string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
