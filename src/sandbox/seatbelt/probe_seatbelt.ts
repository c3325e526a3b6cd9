import { StartError } from "../../process/child.ts";
import { runChild } from "../../process/start_child.ts";
import { RetriedProbe } from "../retried_probe.ts";
import type { BoundIntent, BoundNetwork } from "../policy/bound_policy.ts";
import { seatbeltCommand } from "./seatbelt_command.ts";

/** Between them they take every template and every kind of rule. */
const NETWORKS: readonly BoundNetwork[] = [
  { kind: "host" },
  { kind: "loopback", ports: [1], localBinding: true },
];

const probe = new RetriedProbe({
  ask: async () => (await Promise.all(NETWORKS.map(takes))).every(Boolean),
  isFinal: (works) => works,
});

/**
 * Whether Seatbelt takes our profiles here; asked again after a refusal, which may have been for want
 * of processes, descriptors or memory. It takes none from a process that is in a
 * sandbox itself, and a version of macOS may lack a word of its language: once a command's wrapper
 * runs, that could not be told from the command's own failure.
 */
export function probeSeatbelt(): Promise<boolean> {
  return probe.answer();
}

async function takes(network: BoundNetwork): Promise<boolean> {
  const command = { argv: ["/usr/bin/true"], cwd: "/", env: {}, terminal: false };
  const argv = seatbeltCommand({ intent: trialIntent(network) }, command);
  try {
    return (await runChild({ argv, cwd: "/", env: {} })).exitCode === 0;
  } catch (error) {
    if (error instanceof StartError) return false;
    throw error;
  }
}

function trialIntent(network: BoundNetwork): BoundIntent {
  return {
    files: {
      kind: "granted",
      grants: [
        { path: "/", access: "read", kind: "directory", links: [] },
        { path: "/private/tmp", access: "write", kind: "directory", links: [] },
        { path: "/private/tmp/.git", access: "read", kind: "missing", links: [] },
      ],
      deniedGlobs: [],
      globMaxDepth: undefined,
    },
    network,
    workspaceRoots: [],
  };
}
