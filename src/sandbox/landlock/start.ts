import type { Child, ChildObserver, ChildStdio, Enclosure } from "../../process/child.ts";
import { startLinuxChildBy } from "../../process/linux/start.ts";
import { EnclosedChild } from "../enclosed_child.ts";
import { GroupPool } from "./group_pool.ts";
import type { RestrictedCommand } from "./prepare.ts";

let shared: GroupPool | undefined;

/** The one that starts all commands of this program. */
export function sharedGroups(): GroupPool {
  return shared ??= new GroupPool();
}

/**
 * Starts a command on a thread that is restricted as its plan says.
 *
 * @throws {StartError} when the system refuses
 * @throws {RpcError} -32603 when the plan could not be put in force
 */
export async function startRestricted(
  { key, plan, launch }: RestrictedCommand,
  enclosure: Enclosure,
  stdio: ChildStdio,
  observer: ChildObserver,
  groups: GroupPool = sharedGroups(),
): Promise<Child> {
  const group = await groups.take(key, plan);
  const child: Child = await startLinuxChildBy(
    (whole) => group.spawn(whole),
    launch,
    stdio,
    {
      output: (stream, bytes) => observer.output(stream, bytes),
      exited: (exitCode) => {
        group.exited(child.pid);
        observer.exited(exitCode);
      },
      ended: () => observer.ended(),
    },
  );
  group.watch(child.pid, () => child.kill());
  return new EnclosedChild(child, enclosure);
}
