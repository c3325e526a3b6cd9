import { assertEquals } from "@std/assert";
import { shippedSeccompProfile } from "../../../../src/sandbox/seccomp/profile.ts";
import { type MachineScene, testOnMachines } from "./machines.ts";
import { pythonActions } from "./python.ts";

/** A process of the same user outside of the sandbox, with a file open that it may not touch. */
export interface Bystander extends AsyncDisposable {
  readonly pid: number;
}

/** Python expressions, see `python.ts`. */
export interface Attack {
  /** Each of them must fail. */
  readonly attacks: readonly string[];
  /** The same where it is granted: each of them must work. */
  readonly within: readonly string[];
}

/** Numbers of system calls on this machine. */
const numbers = new Map(
  Object.values(shippedSeccompProfile().sections).flat()
    .map((rule) => [rule.call, rule[Deno.build.arch]]),
);

/** A system call, in Python. */
export function call(name: string, ...values: string[]): string {
  return `call(${[numbers.get(name), ...values].join(", ")})`;
}

async function standBy({ user, outside }: MachineScene): Promise<Bystander> {
  const { id } = user;
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `exec 7<>${outside}/secret; echo ready; exec sleep 600`],
    ...id === undefined ? {} : { uid: id, gid: id },
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      await reader.cancel();
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

/** Everything that an attack could change. */
function stateOf({ outside }: MachineScene, { pid }: Bystander) {
  const files = Array.from(Deno.readDirSync(outside), ({ name }) => {
    const { mode, mtime, size, nlink, ino } = Deno.lstatSync(`${outside}/${name}`);
    return { name, mode, mtime, size, nlink, ino };
  });
  const running = !/^State:\s+[ZXT]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  return { files, secret: Deno.readTextFileSync(`${outside}/secret`), running };
}

/** A system call is denied by the filter, whatever its arguments, or there is no such process. */
function isRefusal(outcome: string): boolean {
  return outcome.startsWith("call(")
    ? /: (EPERM|ENOSYS|ESRCH)$/.test(outcome)
    : /: E[A-Z]+$/.test(outcome);
}

/**
 * Tests on every machine that nothing gets out of a sandbox, that what is outside stays as it was, and
 * that the same works within the grant.
 */
export function testAttack(
  name: string,
  attack: (scene: MachineScene, bystander: Bystander) => Attack,
): void {
  testOnMachines(`no way out by ${name}`, async (scene) => {
    await using bystander = await standBy(scene);
    const { attacks, within } = attack(scene, bystander);
    const before = stateOf(scene, bystander);
    const { stdout, stderr } = await scene.run(pythonActions(attacks));
    assertEquals(stderr, "");
    const outcomes = stdout.split("\n").slice(0, -1);
    assertEquals(outcomes.length, attacks.length);
    const worked = attacks.map((action, index) => `${action}: ${outcomes[index]}`)
      .filter((outcome) => !isRefusal(outcome));
    assertEquals(worked, []);
    assertEquals(stateOf(scene, bystander), before);
    const inside = await scene.run(pythonActions(within));
    assertEquals([inside.stderr, inside.stdout], ["", "ok\n".repeat(within.length)]);
  });
}
