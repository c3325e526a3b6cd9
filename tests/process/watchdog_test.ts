import { assertEquals, assertNotEquals } from "@std/assert";
import { eventually } from "../support/patience.ts";
import { tryKill, WatchedExecutor } from "./watched_executor.ts";

/** What `sleep` processes each command leads to. */
const COMMANDS: readonly [script: string, sleeping: number][] = [
  ["sleep 600", 1],
  ["trap '' HUP INT TERM; sleep 600; true", 1],
  ["sleep 600 & sleep 600; true", 2],
  ["sleep 600 & kill -STOP $$", 1],
  // The command itself has ended.
  ["nohup sleep 600 &", 1],
  // In a session of their own, while the command runs and when it has ended.
  ["setsid sleep 600 & wait", 1],
  ["setsid sh -c 'sleep 600 & setsid sleep 600; true' & wait", 2],
  ["setsid sleep 600 &", 1],
  // Daemons: nobody is left to tell where they came from.
  ["(setsid sleep 600 &); sleep 600; true", 2],
  ["(setsid sh -c 'sleep 600; true' &); true", 1],
];

Deno.test("watchdog: nothing outlives an executor that is killed", async () => {
  await using executor = new WatchedExecutor();
  for (const [script] of COMMANDS) await executor.order(`run owner ${script}`);
  await executor.runs("sleep 600", COMMANDS.reduce((sum, [, sleeping]) => sum + sleeping, 0));
  await executor.watchesAll();
  await executor.kill();
  await eventually(() => executor.descendants().length === 0, "the end of all descendants");
});

Deno.test("watchdog: what starts others all the time does not get away", async () => {
  await using executor = new WatchedExecutor();
  const starter = "while :; do sleep 600 & sleep 0.01; done";
  await executor.order(`run owner setsid sh -c '${starter}' & wait`);
  await eventually(() => executor.count("sleep 600") > 10, "the first ten");
  await executor.kill();
  await eventually(() => executor.descendants().length === 0, "the end of all descendants");
});

Deno.test("watchdog: a session that was released is not killed", async () => {
  await using executor = new WatchedExecutor();
  const sessions = [0, 1, 2].map(() =>
    new Deno.Command("setsid", { args: ["sleep", "600"] }).spawn()
  );
  const [kept, released, never] = sessions;
  await executor.order(`watch ${released?.pid}`);
  await executor.order(`release ${released?.pid}`);
  // The end of a session is told with the begin of the next.
  await executor.order(`watch ${kept?.pid}`);
  await executor.kill();
  assertEquals((await kept?.status)?.signal, "SIGKILL");
  for (const session of [released, never]) {
    session?.kill("SIGTERM");
    assertEquals((await session?.status)?.signal, "SIGTERM");
  }
});

Deno.test("watchdog: one that is killed is replaced, and the new one knows all", async () => {
  await using executor = new WatchedExecutor();
  await executor.order("run owner sleep 600 & sleep 600");
  await executor.runs("sleep 600", 2);
  const first = await executor.order("watchdog");
  tryKill(first, "SIGKILL");
  await eventually(() => executor.hasSaidSomething("lost"), "the loss to be noticed");
  await eventually(async () => (await executor.order("watchdog")) > 0, "a new watchdog");
  assertNotEquals(await executor.order("watchdog"), first);
  await executor.kill();
  await eventually(() => executor.descendants().length === 0, "the end of all descendants");
});

Deno.test("watchdog: signals that end an executor do not end its watchdog", async () => {
  await using executor = new WatchedExecutor();
  await executor.order("run owner sleep 600");
  const watchdog = await executor.order("watchdog");
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) tryKill(watchdog, signal);
  await executor.kill();
  await eventually(() => executor.descendants().length === 0, "the end of all descendants");
});

Deno.test("watchdog: directories are removed in the end, if nobody uses them", async () => {
  const directory = await Deno.makeTempDir();
  const names = [
    "a b",
    "it's $(x) *",
    "full",
    "locked",
    "dropped",
    "back\\",
    "never",
    "kept again",
  ];
  for (const name of names) await Deno.mkdir(`${directory}/${name}`);
  await Deno.writeTextFile(`${directory}/full/file`, "");
  using locked = await Deno.open(`${directory}/locked`);
  await locked.lock(false);
  try {
    await using executor = new WatchedExecutor();
    await executor.order("run owner sleep 600");
    for (const name of names.filter((name) => name !== "never")) {
      await executor.order(`keep ${directory}/${name}`);
    }
    for (const name of ["dropped", "kept again"]) await executor.order(`drop ${directory}/${name}`);
    await executor.order(`keep ${directory}/kept again`);
    const watchdog = await executor.order("watchdog");
    await executor.order("settle");
    await executor.kill();
    await eventually(() => !isAlive(watchdog), "the watchdog's end");
    const left = Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
    assertEquals(left, ["dropped", "full", "locked", "never"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
