import { assertEquals } from "@std/assert";
import { type NetworkMode, seccompFilter } from "../../../src/sandbox/seccomp/filter.ts";
import { type Architecture, shippedSeccompProfile } from "../../../src/sandbox/seccomp/profile.ts";

const architecture: Architecture = Deno.build.arch;
const probePath = new URL("seccomp_probe.py", import.meta.url).pathname;

/** Whether a program runs here. */
export function isInstalled(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

export interface Enclosed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command under bubblewrap with the filter, or without one for `undefined`.
 *
 * The command has all capabilities of its user namespace, so that nothing but the filter denies it
 * anything. Apart from `/tmp`, which is its own, and `writable`, it sees the host.
 */
export async function runEnclosed(
  network: NetworkMode | undefined,
  command: readonly string[],
  writable?: string,
): Promise<Enclosed> {
  const filterPath = await Deno.makeTempFile();
  try {
    if (network) await Deno.writeFile(filterPath, seccompFilter({ architecture, network }));
    const script = network
      ? 'exec 3<"$1" && shift && exec bwrap --seccomp 3 "$@"'
      : 'shift && exec bwrap "$@"';
    const view = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"];
    // These tests may stand below /tmp themselves.
    view.push("--ro-bind", probePath, probePath);
    if (writable) view.push("--bind", writable, writable);
    const rights = ["--unshare-user", "--unshare-pid", "--cap-add", "ALL", "--die-with-parent"];
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", script, "sh", filterPath, ...view, ...rights, "--", ...command],
      env: { HOME: "/tmp", TMPDIR: "/tmp" },
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } finally {
    await Deno.remove(filterPath);
  }
}

/** The command line that runs one group of `seccomp_probe.py`. */
export function probeCommand(group: string, ...values: string[]): string[] {
  const numbers = Object.fromEntries(
    Object.values(shippedSeccompProfile().sections).flat()
      .map((rule) => [rule.call, rule[architecture]]),
  );
  return ["python3", probePath, JSON.stringify(numbers), group, ...values];
}

/** What a probe's calls came to: "ok" or the name of an error, by name. */
export async function probe(
  network: NetworkMode | undefined,
  group: string,
  values: readonly string[] = [],
  writable?: string,
): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await runEnclosed(
    network,
    probeCommand(group, ...values),
    writable,
  );
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}
