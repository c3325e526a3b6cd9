/** This machine's end and the other one, of the addresses that are for measurements (RFC 2544, C.2.2). */
const NEAR = "198.18.0.1";
const FAR = "198.18.0.2";
const NAMESPACES = "/run/netns";
/** As much as is sent at once, and how long it may wait (tc-tbf(8)). */
const BURST = ["burst", "256k", "latency", "20ms"];

/**
 * A network namespace at the other end of a link of limited rate (ip-netns(8), tc-tbf(8)). Loopback has
 * no rate: what passes it twice is as slow as the processors are, which no network shows.
 */
export class Link implements AsyncDisposable {
  /** The address of the other end. */
  readonly address = FAR;
  readonly #namespace = `remex-bench-${Deno.pid}`;
  readonly #near = `rb${Deno.pid}`;
  /** Whether ip(8) makes its directory for namespaces, which is a mount, for this one. */
  readonly #makesDirectory = !isMounted(NAMESPACES);

  private constructor() {}

  /**
   * Undefined where there is no way to have one: it takes root, ip(8) and tc(8).
   *
   * @param rate as tc(8) has it: `1gbit`
   */
  static async open(rate: string): Promise<Link | undefined> {
    const link = new Link();
    return await link.#setUp(rate) ? link : undefined;
  }

  /** The command line that runs a program at the other end. */
  at(argv: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.#namespace, ...argv];
  }

  async #setUp(rate: string): Promise<boolean> {
    const [near, far, namespace] = [this.#near, "far", this.#namespace];
    const steps = [
      ["ip", "netns", "add", namespace],
      ["ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", namespace],
      ["ip", "address", "add", `${NEAR}/30`, "dev", near],
      ["ip", "link", "set", near, "up"],
      ["ip", "-netns", namespace, "address", "add", `${FAR}/30`, "dev", far],
      ["ip", "-netns", namespace, "link", "set", far, "up"],
      this.at(["tc", "qdisc", "add", "dev", far, "root", "tbf", "rate", rate, ...BURST]),
    ];
    for (const step of steps) {
      if (await succeeds(step)) continue;
      await this[Symbol.asyncDispose]();
      return false;
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeeds(["ip", "link", "delete", this.#near]);
    await succeeds(["ip", "netns", "delete", this.#namespace]);
    if (!this.#makesDirectory) return;
    await succeeds(["umount", NAMESPACES]);
    await succeeds(["rmdir", NAMESPACES]);
  }
}

function isMounted(path: string): boolean {
  return Deno.readTextFileSync("/proc/self/mountinfo").includes(` ${path} `);
}

async function succeeds([program = "", ...args]: readonly string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}
