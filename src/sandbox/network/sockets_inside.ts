import { closeDescriptor, type Descriptor } from "../../os/descriptor.ts";
import {
  insideNetwork,
  NamespaceError,
  openNetworkNamespace,
  openOwner,
} from "../../os/namespaces.ts";
import { takeDescriptor } from "../../os/socket_passing.ts";
import { openSocketPair, openTcpSocket } from "../../os/sockets.ts";
import { runChild } from "../../process/start_child.ts";
import type { NamespaceEntry } from "../linux/host.ts";
import { ownCommand } from "../../own_program.ts";
import { SocketMakerDescriptor } from "./socket_maker.ts";

/** A helper is a whole program of its own, if a short-lived one. */
const MAX_HELPERS = 4;
const inTurn = fewAtOnce(MAX_HELPERS);

/**
 * Opens TCP sockets in the network namespace of a process, which this program can then use without
 * being there itself.
 *
 * @throws {NamespaceError} when there is no way in
 * @throws {SocketError} when there are no descriptors left
 */
export async function openSocketsInside(
  pid: number,
  count: number,
  entry: NamespaceEntry,
): Promise<Descriptor[]> {
  const namespace = openNetworkNamespace(pid);
  try {
    refuseOwn(namespace);
    switch (entry.kind) {
      case "privileged":
        return insideNetwork(namespace, () => allOf(count, () => openTcpSocket()));
      case "program":
        return await inTurn(() => openByHelper(namespace, count, entry.nsenter));
      case "none":
        throw new NamespaceError("nsenter(1) is missing");
    }
  } finally {
    closeDescriptor(namespace);
  }
}

/** What listens there would listen on this machine. */
function refuseOwn(namespace: Descriptor): void {
  const [theirs, ours] = [`fd/${namespace}`, "ns/net"].map((link) =>
    Deno.readLinkSync(`/proc/self/${link}`)
  );
  if (theirs === ours) throw new NamespaceError("the sandbox has no network of its own");
}

/**
 * Only a process with a single thread may enter a user namespace (setns(2)), which this program
 * never is; so nsenter(1) does, and becomes this program, which opens the sockets and ends.
 */
async function openByHelper(
  namespace: Descriptor,
  count: number,
  nsenter: string,
): Promise<Descriptor[]> {
  const owner = openOwner(namespace);
  const [ours, theirs] = openPair(owner);
  const { Sockets, UserNamespace, NetworkNamespace } = SocketMakerDescriptor;
  try {
    const { exitCode, stderr } = await runChild({
      argv: [
        nsenter,
        `--user=/proc/self/fd/${UserNamespace}`,
        `--net=/proc/self/fd/${NetworkNamespace}`,
        "--preserve-credentials",
        ...["--", ...ownCommand(), "sandbox-sockets", `${count}`],
      ],
      cwd: "/",
      env: {},
      descriptors: [
        { number: Sockets, source: theirs },
        { number: UserNamespace, source: owner },
        { number: NetworkNamespace, source: namespace },
      ],
    });
    if (exitCode !== 0) throw new NamespaceError(stderr.trim());
    return allOf(count, () => takeDescriptor(ours));
  } finally {
    [ours, theirs, owner].forEach(closeDescriptor);
  }
}

function openPair(owner: Descriptor): readonly [Descriptor, Descriptor] {
  try {
    return openSocketPair();
  } catch (error) {
    closeDescriptor(owner);
    throw error;
  }
}

/** All of so many descriptors, or none. */
function allOf(count: number, open: () => Descriptor | undefined): Descriptor[] {
  const opened: Descriptor[] = [];
  try {
    while (opened.length < count) {
      const descriptor = open();
      if (descriptor === undefined) throw new NamespaceError("there are no descriptors left");
      opened.push(descriptor);
    }
    return opened;
  } catch (error) {
    opened.forEach(closeDescriptor);
    throw error;
  }
}

/**
 * Makes a function that runs pieces of work, no more than so many at the same time. What has to wait
 * begins in the order in which it came.
 */
export function fewAtOnce(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < limit) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever is next takes the place over.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
