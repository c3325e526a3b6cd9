import { openWithoutLinks } from "../../../src/os/open_at.ts";
import { closeDescriptor } from "../../../src/os/descriptor.ts";
import { LinuxHost } from "../../../src/sandbox/linux/host.ts";

// Opens the C library, which stays open for good, where no single test is blamed for it.
if (Deno.build.os === "linux") closeDescriptor(openWithoutLinks("/"));

/** Whether this machine can run the tests at all. */
export const canRunBubblewrap = Deno.build.os === "linux" && await isUsable();

/** A user without any privileges, whom root can become. */
const NOBODY = 65534;

/** Who to try everything as: whoever runs the tests and, if that is root, an ordinary user. */
export const users: readonly TestUser[] = Deno.uid() === 0
  ? [{ name: "root" }, { name: "an ordinary user", id: NOBODY }]
  : [{ name: "an ordinary user" }];

export interface TestUser {
  readonly name: string;
  /** Undefined for whoever runs the tests. */
  readonly id?: number;
}

async function isUsable(): Promise<boolean> {
  const { bubblewrap } = await new LinuxHost().probe([]);
  return bubblewrap.kind === "usable";
}
