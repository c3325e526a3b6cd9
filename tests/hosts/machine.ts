import { assertEquals } from "@std/assert";
import * as z from "zod/mini";
import { ErrorCode } from "../../src/protocol/errors.ts";
import { pythonActions } from "../e2e/sandbox/support/python.ts";
import { command, type Outcome, outcomeOf, run, start } from "../e2e/support/commands.ts";
import { isRecord, type Message } from "../e2e/support/inbox.ts";
import type { RawClient } from "../e2e/support/raw_client.ts";
import { contextMessage } from "../sandbox/context.ts";
import type { Scene, Surroundings } from "./scenes.ts";

/** Where scenes play, on every machine. Who runs the executor may write there. */
const BASE = "/workspace";
const GIT_AUTHOR = {
  GIT_AUTHOR_NAME: "n",
  GIT_AUTHOR_EMAIL: "a@b",
  GIT_COMMITTER_NAME: "n",
  GIT_COMMITTER_EMAIL: "a@b",
};
const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C.UTF-8", ...GIT_AUTHOR };

const doctorReport = z.object({
  mechanism: z.nullable(z.string()),
  reason: z.string(),
  checks: z.array(z.object({
    name: z.string(),
    status: z.enum(["ok", "warning", "failed"]),
    detail: z.string(),
    fix: z.optional(z.string()),
  })),
});

export type DoctorReport = z.output<typeof doctorReport>;

/** What has become of a scene. */
export type Verdict =
  | { readonly kind: "enforced" }
  | { readonly kind: "refused"; readonly reason: string }
  /** The sandbox let something through, or kept something back that it grants. */
  | { readonly kind: "broken"; readonly findings: readonly string[] };

/** Makes what a scene plays in: $1 is its directory, $2 this machine's number of the call. */
const SET_UP = `
set -eu
mkdir -p "$1/ws/sub" "$1/outside"
cd "$1"
echo secret | tee outside/secret ws/secret.env > ws/key.pem
echo file > ws/file
git init -q ws
git -C ws commit -q --allow-empty -m first
touch ws/.git/hooks/kept
`;

/** All that an attack could change: $1 is the scene's directory, $2 the bystander. */
const STATE = `
cd "$1"
find outside ws/.git -printf '%p %y %m %n %s %T@ %u\\n' | sort
cat outside/secret ws/.git/config ws/secret.env ws/key.pem
grep State "/proc/$2/status"
`;

/** Tells its ports; whoever connects to one of them is greeted, on a socket of files too. */
const SERVERS = `
import os, socket, sys, threading
os.chdir(sys.argv[1])
def serve(server):
    while True:
        connection, _ = server.accept()
        try: connection.sendall(b"hello")
        except OSError: pass
        connection.close()
tcp = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
unix = socket.socket(socket.AF_UNIX); unix.bind("ws/socket"); unix.listen()
for server in (*tcp, unix): threading.Thread(target=serve, args=(server,), daemon=True).start()
print(*(server.getsockname()[1] for server in tcp), flush=True)
sys.stdin.read()
`;

const BYSTANDER = `exec 7<>"$1/outside/secret"; echo $$; exec sleep 600`;

/** A machine, by an executor that runs on it. */
export class Machine implements AsyncDisposable {
  readonly #client: RawClient;
  #commands = 0;

  private constructor(client: RawClient) {
    this.#client = client;
  }

  static async meet(client: RawClient): Promise<Machine> {
    await client.initialize();
    return new Machine(client);
  }

  /** What `remex doctor` says there. */
  async examine(): Promise<DoctorReport> {
    const { stdout } = await this.#bare(["/usr/local/bin/remex", "doctor", "--json"]);
    return doctorReport.parse(JSON.parse(stdout));
  }

  async play(make: (surroundings: Surroundings) => Scene): Promise<Verdict> {
    // Executors of several users may share the machine.
    const directory = `${BASE}/scene-${crypto.randomUUID()}`;
    await this.#bareWell(["/bin/sh", "-c", SET_UP, "sh", directory]);
    const [bystander = 0] = await this.#startTelling(["/bin/sh", "-c", BYSTANDER, "sh", directory]);
    const servers = ["/usr/bin/python3", "-c", SERVERS, directory];
    const [port = 0, otherPort = 0] = await this.#startTelling(servers);
    const [workspace, outside] = [`${directory}/ws`, `${directory}/outside`];
    const scene = make({ workspace, outside, bystander, port, otherPort });
    const state = () => this.#bareWell(["/bin/sh", "-c", STATE, "sh", directory, `${bystander}`]);

    const before = await state();
    const attacked = await this.#try(scene, workspace, scene.attacks);
    if (attacked.kind === "refused") return attacked;
    const changed = differences(before, await state());
    const worked = await this.#try(scene, workspace, scene.within);
    if (worked.kind === "refused") return worked;
    const findings = [
      ...attacked.outcomes.filter(({ outcome }) => !/^E[A-Z]+$/.test(outcome))
        .map(({ action, outcome }) => `attack not held off: ${action}: ${outcome}`),
      ...changed.map((line) => `changed: ${line}`),
      ...worked.outcomes.filter(({ outcome }) => outcome !== "ok")
        .map(({ action, outcome }) => `does not work: ${action}: ${outcome}`),
    ];
    return findings.length === 0 ? { kind: "enforced" } : { kind: "broken", findings };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  async #try({ entries, more = {} }: Scene, workspace: string, actions: readonly string[]) {
    const id = this.#nextId();
    const sandbox = contextMessage({ entries, cwd: workspace, workspaceRoots: [workspace] });
    const { result, error } = await this.#client.request("process/start", {
      ...command(id, pythonActions(actions), { cwd: `file://${workspace}`, env: ENVIRONMENT }),
      sandbox,
      ...more,
    });
    if (isRecord(error)) {
      assertEquals(error.code, ErrorCode.Internal, String(error.message));
      return { kind: "refused", reason: String(error.message) } as const;
    }
    assertEquals(isRecord(result) && result.sandboxType, "linuxSeccomp");
    const { stdout, stderr, pty } = outcomeOf(await this.#client.events(id));
    const lines = (stdout + pty).split(/\r?\n/);
    const outcomes = actions.map((action, index) => ({
      action,
      outcome: lines[index] || `nothing was said; ${stderr}`,
    }));
    return { kind: "tried", outcomes } as const;
  }

  /** Runs a command without a sandbox. */
  #bare(argv: readonly string[]): Promise<Outcome> {
    return run(this.#client, this.#command(argv));
  }

  async #bareWell(argv: readonly string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await this.#bare(argv);
    assertEquals({ stderr, exitCode }, { stderr: "", exitCode: 0 });
    return stdout;
  }

  /** Starts a command that goes on, and says some numbers first. */
  async #startTelling(argv: readonly string[]): Promise<number[]> {
    const params: Message = { ...this.#command(argv), pipeStdin: true };
    await start(this.#client, params);
    const event = await this.#client.event(String(params.processId));
    const chunk = isRecord(event.params) ? String(event.params.chunk) : "";
    const text = new TextDecoder().decode(Uint8Array.fromBase64(chunk));
    return text.trim().split(" ").map(Number);
  }

  #command(argv: readonly string[]): Message {
    return command(this.#nextId(), argv, { cwd: `file://${BASE}`, env: ENVIRONMENT });
  }

  #nextId(): string {
    return `process ${++this.#commands}`;
  }
}

function differences(before: string, after: string): string[] {
  const known = new Set(before.split("\n"));
  const left = new Set(after.split("\n"));
  return [
    ...Array.from(left.difference(known), (line) => `now ${line}`),
    ...Array.from(known.difference(left), (line) => `gone ${line}`),
  ];
}
