import { assert } from "@std/assert";
import { fileURLToPath } from "node:url";
import { canRunLandlock } from "../../../sandbox/linux/landlocked_run.ts";
import { canRunBubblewrap } from "../../../sandbox/linux/sandboxed_run.ts";
import { command, type Outcome, run } from "../../support/commands.ts";
import { childrenOf } from "../../../../src/os/procfs.ts";
import { exists } from "../../support/files.ts";
import { isRecord, type Message } from "../../support/inbox.ts";
import { type Domains, networkProxy } from "./network_proxy.ts";
import { eventually } from "../../../support/patience.ts";
import type { RawClient } from "../../support/raw_client.ts";
import { connectStdio } from "../../support/stdio_client.ts";
import { TemporaryDirectory } from "../../../support/temporary_directory.ts";
import { enclosedIn } from "../../sandbox/support/sandboxed.ts";

/** Names that stand in the executor's /etc/hosts. */
const HOSTS = `127.0.0.1 localhost rebound.example
11.0.0.2 good.example www.good.example registry.example packages.example git.example other.example
11.0.0.3 second.example
11.0.0.1 own.example
10.9.9.9 private.example
`;

/** An executor in a small world of its own, and a place for commands. */
export interface World {
  /** What encloses the commands. */
  readonly mechanism: "bubblewrap" | "landlock";
  readonly client: RawClient;
  readonly directory: TemporaryDirectory;
  readonly workspace: string;
  /** What the servers outside serve as files. */
  readonly files: string;
  /** Runs a shell script that may reach these names. */
  script(script: string, domains: Domains, more?: Message): Promise<Outcome>;
}

const NAMESPACES = [
  ...["--user", "--map-root-user", "--net", "--mount"],
  ...["--pid", "--fork", "--kill-child", "--mount-proc"],
];

/** Whether such a world can be made here. */
const canMakeWorlds = canRunBubblewrap && new Deno.Command("/usr/bin/unshare", {
  args: [
    ...NAMESPACES,
    ...["sh", "-c"],
    "ip link add cable0 type veth peer name cable1 && command -v nsenter python3 openssl",
  ],
  stdout: "null",
  stderr: "null",
}).outputSync().success;

/**
 * Tests something in the world, which the tests of a file share, by each mechanism, with an executor
 * and a workspace of the test's own.
 */
export function testInWorld(
  name: string,
  body: (world: World) => Promise<void>,
  { needs = [], env = {}, only }: {
    /** Programs without which the test is left out. */
    readonly needs?: readonly string[];
    /** The only mechanism that it is about. @default each */
    readonly only?: World["mechanism"];
    /** More variables of the executor. */
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): void {
  const canRun = canMakeWorlds && needs.every(isInstalled);
  for (const mechanism of only === undefined ? ["bubblewrap", "landlock"] as const : [only]) {
    const full = `network by name: ${name}, by ${mechanism}`;
    if (canRun && (mechanism === "bubblewrap" || canRunLandlock)) {
      testBy(mechanism, full, body, env);
    } else Deno.test.ignore(full, () => {});
  }
}

function testBy(
  mechanism: World["mechanism"],
  name: string,
  body: (world: World) => Promise<void>,
  env: Readonly<Record<string, string>>,
): void {
  const world = (shared ??= new SharedWorld());
  Deno.test(name, async () => {
    const { path } = world.directory;
    const workspace = Deno.makeTempDirSync({ dir: path });
    await using client = connectStdio({
      launcher: world.launcher,
      env: { PATH, HOME: workspace, REMEX_SANDBOX_MECHANISM: mechanism, ...env },
    });
    await client.initialize();
    let started = 0;
    await body({
      mechanism,
      client,
      directory: world.directory,
      workspace,
      files: `${path}/www`,
      script: (script, domains, more = {}) =>
        run(
          client,
          command(`process ${++started}`, ["/bin/sh", "-c", script], {
            ...enclosedIn(workspace),
            networkProxy: { proxy: networkProxy(domains) },
            ...more,
            env: { ...toolEnvironment(path, workspace), ...isRecord(more.env) ? more.env : {} },
          }),
        ),
    });
  });
}

let shared: SharedWorld | undefined;

/** The world of a file's tests, from before the first to after the last. */
class SharedWorld {
  #directory: TemporaryDirectory | undefined;
  #process: Deno.ChildProcess | undefined;
  /** The first process in its namespaces. */
  #first: number | undefined;

  constructor() {
    Deno.test.beforeAll(() => this.#start());
    Deno.test.afterAll(async () => {
      this.#process?.kill("SIGKILL");
      await this.#process?.status;
      this.#directory?.[Symbol.dispose]();
    });
  }

  get directory(): TemporaryDirectory {
    if (this.#directory === undefined) throw new Error("the world has not been made");
    return this.#directory;
  }

  /** Programs that run another one in it. */
  get launcher(): readonly string[] {
    return [
      ...["/usr/bin/nsenter", `--target=${this.#first}`, "--user", "--preserve-credentials"],
      ...["--net", "--mount", "--pid", "--"],
    ];
  }

  async #start(): Promise<void> {
    const directory = this.#directory = new TemporaryDirectory();
    const { path } = directory;
    directory.write("hosts", HOSTS);
    directory.write("resolv.conf", "nameserver 11.0.0.2\noptions timeout:2 attempts:3\n");
    directory.write("nsswitch.conf", "passwd: files\nhosts: files dns\n");
    Deno.copyFileSync(new URL("servers.py", import.meta.url), `${path}/servers.py`);
    makeCertificate(path);
    Deno.mkdirSync(`${path}/www`);
    this.#process = new Deno.Command("/usr/bin/unshare", {
      args: [...NAMESPACES, "/bin/sh", fileURLToPath(new URL("world.sh", import.meta.url))],
      clearEnv: true,
      env: { PATH, WORLD: path },
      stdin: "null",
      stdout: "null",
    }).spawn();
    const { pid } = this.#process;
    await eventually(() => exists(`${path}/ready`), "servers of the world");
    this.#first = childrenOf(pid)[0];
  }
}

const PATH = Deno.env.get("PATH") ?? "/usr/local/bin:/usr/bin:/bin";

/** Tools that trust the world's servers and leave nothing outside of their workspace. */
function toolEnvironment(world: string, workspace: string): Record<string, string> {
  const certificate = `${world}/server.crt`;
  return {
    PATH,
    HOME: workspace,
    SSL_CERT_FILE: certificate,
    NODE_EXTRA_CA_CERTS: certificate,
    npm_config_cafile: certificate,
    GIT_SSL_CAINFO: certificate,
    PIP_CERT: certificate,
    CURL_CA_BUNDLE: certificate,
    REQUESTS_CA_BUNDLE: certificate,
    npm_config_cache: `${workspace}/.npm`,
    npm_config_update_notifier: "false",
  };
}

function makeCertificate(directory: string): void {
  const names = ["good", "www.good", "registry", "packages", "git", "second"]
    .map((name) => `DNS:${name}.example`).join();
  const { success, stderr } = new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "1", "-subj", "/CN=outside", "-addext", `subjectAltName=${names}`],
      ...["-keyout", `${directory}/server.key`, "-out", `${directory}/server.crt`],
    ],
  }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
}

function isInstalled(program: string): boolean {
  return new Deno.Command("/bin/sh", {
    args: ["-c", `command -v ${program}`],
    stdout: "null",
  }).outputSync().success;
}
