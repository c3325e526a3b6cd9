/** What is asked of a sandbox. Each is a scene of scenes.ts: attacks that fail, work that succeeds. */
export const INTENTS = [
  "read-only",
  "workspace-write",
  "protected names",
  "denied files",
  "no network",
  "managed network",
  "network by name",
  "processes of others",
  "the kernel",
  "a terminal",
  "git",
] as const;

export type Intent = typeof INTENTS[number];

/** Where an executor is run. */
export type Place =
  /** In a container of the image of scripts/deploy. */
  | {
    readonly kind: "container";
    /** Options of the engine's `run`. */
    readonly options: readonly string[];
    /** Whether Docker's rules hold instead of the engine's own (see docker_seccomp.jsonc). */
    readonly dockerRules: boolean;
  }
  /** On another kernel: `port` is the serial line that leads to it. See emulator_init. */
  | { readonly kind: "emulator"; readonly port: number };

/** A kind of machine, and what it is expected to come to there. */
export interface Host {
  /** For the table in docs/sandbox.md. */
  readonly name: string;
  readonly user: "root" | "10001";
  readonly place: Place;
  readonly mechanism: "bubblewrap" | "landlock";
  /** What is refused there with a reason, and why. Everything else is enforced. */
  readonly refused: Partial<Record<Intent, string>>;
  /** What `remex doctor` says of its checks. */
  readonly checks: Readonly<Record<"bubblewrap" | "landlock" | "supervisor", CheckStatus>>;
}

type CheckStatus = "ok" | "warning" | "failed";

const CONFINED = [
  "--read-only",
  "--cap-drop=all",
  "--security-opt=no-new-privileges",
];
const UNCONFINED = ["--security-opt=seccomp=unconfined", "--security-opt=unmask=ALL"];

const ALL_WORK = { bubblewrap: "ok", landlock: "ok", supervisor: "ok" } as const;
const WITHOUT_BUBBLEWRAP = { ...ALL_WORK, bubblewrap: "warning" } as const;

/** Docker's defaults, which most containers have. */
const DOCKER = {
  mechanism: "landlock",
  refused: {},
  checks: WITHOUT_BUBBLEWRAP,
} as const;

/** The machines of scripts/test-hosts. */
export const HOSTS: readonly Host[] = [
  {
    name: "Docker's defaults",
    user: "10001",
    place: { kind: "container", options: [], dockerRules: true },
    ...DOCKER,
  },
  {
    name: "Docker's defaults",
    user: "root",
    place: { kind: "container", options: ["--user=0"], dockerRules: true },
    ...DOCKER,
  },
  {
    name: "Docker's defaults, `--read-only`, `--cap-drop=all`, `no-new-privileges`",
    user: "10001",
    place: { kind: "container", options: [...CONFINED, "--volume=/workspace"], dockerRules: true },
    ...DOCKER,
  },
  {
    name: "the same",
    user: "root",
    place: {
      kind: "container",
      options: [...CONFINED, "--user=0", "--tmpfs=/workspace"],
      dockerRules: true,
    },
    ...DOCKER,
  },
  {
    name: "Podman's defaults",
    user: "10001",
    place: { kind: "container", options: [], dockerRules: false },
    mechanism: "bubblewrap",
    refused: {},
    // It works, but without a /proc of its own.
    checks: WITHOUT_BUBBLEWRAP,
  },
  {
    name: "Podman's defaults",
    user: "root",
    place: { kind: "container", options: ["--user=0"], dockerRules: false },
    mechanism: "bubblewrap",
    refused: {},
    checks: WITHOUT_BUBBLEWRAP,
  },
  {
    name: "`seccomp=unconfined`, `unmask=ALL`",
    user: "10001",
    place: { kind: "container", options: UNCONFINED, dockerRules: false },
    mechanism: "bubblewrap",
    refused: {},
    checks: ALL_WORK,
  },
  {
    name: "Debian 12, Linux 6.1",
    user: "root",
    place: { kind: "emulator", port: 1 },
    mechanism: "bubblewrap",
    refused: {},
    checks: ALL_WORK,
  },
  {
    name: "Debian 12, Linux 6.1, bubblewrap missing",
    user: "10001",
    place: { kind: "emulator", port: 2 },
    mechanism: "landlock",
    refused: {},
    checks: WITHOUT_BUBBLEWRAP,
  },
  {
    name: "Debian 12, Linux 6.1, bubblewrap missing",
    user: "root",
    place: { kind: "emulator", port: 3 },
    mechanism: "landlock",
    refused: {},
    checks: WITHOUT_BUBBLEWRAP,
  },
];
