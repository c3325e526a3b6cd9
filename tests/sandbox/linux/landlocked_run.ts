import { hostDisk } from "../../../src/sandbox/disk.ts";
import { hostAbilities } from "../../../src/sandbox/host.ts";
import { bindIntent } from "../../../src/sandbox/policy/bind.ts";
import { type LandlockedCommand, prepareLandlock } from "../../../src/sandbox/landlock/prepare.ts";
import { planSandbox } from "../../../src/sandbox/plan.ts";
import { context, type ContextOptions } from "../context.ts";
import { canRunBubblewrap, type TestUser, users } from "./sandboxed_run.ts";

const abilities = await hostAbilities([]);
/** 0 where the kernel has no Landlock. */
const landlock = abilities.os === "linux" ? abilities.landlock : 0;

/** Whether this machine has Landlock with all that the tests are about (Linux 6.12). */
export const canRunLandlock = landlock >= 6;

/** Where a command runs: as which user, and whether the host lets it have user namespaces. */
export interface Place {
  readonly name: string;
  readonly user: TestUser;
  readonly namespaces: boolean;
}

/** Every user, on this host and on one without user namespaces. */
export const places: readonly Place[] = users.flatMap((user) => [
  { name: `as ${user.name}`, user, namespaces: true },
  ...canRunBubblewrap
    ? [{ name: `as ${user.name} without user namespaces`, user, namespaces: false }]
    : [],
]);

/** A command under Landlock; the working directory is also the workspace. */
export interface LandlockedOptions extends ContextOptions {
  readonly cwd: string;
  readonly place: Place;
  readonly env?: Readonly<Record<string, string>>;
  readonly arg0?: string;
}

export interface LandlockedResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Prepares a command without running it. */
export function wrapLandlocked(
  argv: readonly string[],
  options: Omit<LandlockedOptions, "place">,
): LandlockedCommand {
  if (abilities.os !== "linux") throw new Error("Landlock is for Linux");
  const { cwd, arg0, env = { PATH: "/usr/bin:/bin" } } = options;
  const sandbox = context({ workspaceRoots: [cwd], ...options });
  const intent = bindIntent(
    { sandbox, enforceManagedNetwork: false, managedNetwork: undefined },
    { convention: "posix", home: "/home/nobody", temporaryDirectory: undefined },
    hostDisk,
  );
  const plan = planSandbox(intent, { ...abilities, bubblewrap: NO_BUBBLEWRAP }, {
    landlockFirst: false,
  });
  if (plan.kind !== "landlock") throw new Error(`not a plan for Landlock: ${plan.kind}`);
  const command = { argv, arg0, cwd, env, terminal: false };
  return prepareLandlock(plan, command, intent, abilities, intent.workspaceRoots);
}

const NO_BUBBLEWRAP = { kind: "unusable", reason: "not to be used", fix: "none" } as const;

/** Runs a command under Landlock to its end. */
export async function runLandlocked(
  argv: readonly string[],
  options: LandlockedOptions,
): Promise<LandlockedResult> {
  return await startLandlocked(wrapLandlocked(argv, options), options.place);
}

/** Opens what stands under the descriptors' numbers in a directory, and becomes the command. */
const OPEN_AND_EXEC = 'd=$1; shift; exec "$@" 3<"$d/3" 4>"$d/4" 5<"$d/5"';

/** Starts what was prepared, and waits for its end. */
export async function startLandlocked(
  wrapped: LandlockedCommand,
  { user, namespaces }: Place,
): Promise<LandlockedResult> {
  await using descriptors = await temporaryDirectory();
  for (const { number, purpose } of wrapped.descriptors) {
    const file = `${descriptors.path}/${number}`;
    await Deno.writeFile(file, purpose.kind === "data" ? purpose.bytes : new Uint8Array(1));
    if (user.id !== undefined) await Deno.chown(file, user.id, user.id);
  }
  const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
    args: [
      ...["-c", OPEN_AND_EXEC, "sh", descriptors.path],
      ...becoming(user),
      ...namespaces ? [] : WITHOUT_NAMESPACES,
      ...user.id === undefined ? wrapped.argv : [`${await readableLauncher()}/launch`],
    ],
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  return { exitCode: code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

function becoming({ id }: TestUser): string[] {
  return id === undefined
    ? []
    : ["setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups", "--"];
}

/** What makes a host without user namespaces. */
const WITHOUT_NAMESPACES = [
  ...["bwrap", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"],
  ...["--dev-bind", "/", "/", "--"],
];

let launcher: Promise<string> | undefined;

/** A directory where every user may read the launcher. */
function readableLauncher(): Promise<string> {
  return launcher ??= copyLauncher();
}

async function copyLauncher(): Promise<string> {
  const directory = await Deno.makeTempDir();
  globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));
  await Deno.writeTextFile(
    `${directory}/launch.ts`,
    'import { runLauncher } from "./src/sandbox/linux/launcher.ts";\nDeno.exit(runLauncher());\n',
  );
  await Deno.writeTextFile(
    `${directory}/launch`,
    `#!/bin/sh\ncd ${directory} && DENO_DIR=$PWD/cache exec ./deno run -A --no-config launch.ts\n`,
  );
  const source = new URL("../../../src/", import.meta.url).pathname;
  const copy =
    'cp "$1" deno; cp -r "$2" src; mkdir cache; chmod 777 cache; chmod a+rx . launch deno;' +
    " chmod -R a+rX src launch.ts";
  const { success } = await new Deno.Command("/bin/sh", {
    args: ["-ec", copy, "sh", Deno.execPath(), source],
    cwd: directory,
  }).output();
  if (!success) throw new Error("the launcher could not be copied");
  return directory;
}

interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** A directory that everyone may enter, for as long as it is in scope. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await Deno.makeTempDir();
  await Deno.chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
