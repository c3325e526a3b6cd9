import { networkInterfaces } from "node:os";
import { delay } from "@std/async/delay";
import { findTcpSocket, type TcpEnd, type TcpSocket } from "../os/inet_diag.ts";
import { hasNoNewPrivileges, isAlive, openFilesOf } from "../os/descriptor_table.ts";
import { readProc, readProcLink } from "../os/procfs.ts";
import type { StartedProcesses } from "../process/process_keeper.ts";
import { logSeldom } from "../log/log.ts";
import { parseAddress } from "../net/ip_address.ts";
import { acceptedUnixSockets, localEnd, shutDownSockets, withSockets } from "../os/own_sockets.ts";

/**
 * Returns why a peer is refused; undefined if it is accepted.
 *
 * @param port the port that it connected to; undefined for a unix socket
 */
export type PeerCheck = (peer: Deno.Addr, port: number | undefined) => Promise<string | undefined>;

const OWN_COMMAND = "a process that this executor has started must not connect to it";
const VANISHED = "the process that connected cannot be found";

/** How often descriptors are searched: one may be passed on meanwhile. */
const LOOKS = 2;
/** How long the search runs without yielding to other work, in milliseconds. */
const WORK_MS = 20;
/** How long refused connections may take to close, and the interval of looking, in milliseconds. */
const CUT_WITHIN_MS = 5000;
const CUT_LOOK_MS = 10;

/**
 * Makes a check that refuses processes that the executor has started: a sandboxed command could otherwise
 * ask the executor for what its sandbox denies. Linux only.
 */
export function originCheck(started: StartedProcesses): PeerCheck {
  const tcp = new TcpPeerCheck(started);
  const unix = new UnixPeerCheck(started);
  return async (peer, port) =>
    peer.transport === "tcp" && port !== undefined
      ? await tcp.refusal(peer, port)
      : await unix.refusal();
}

/** The check for TCP. */
class TcpPeerCheck {
  readonly #started: StartedProcesses;
  readonly #startedSockets: SharedSearch;
  readonly #allSockets = new SharedSearch(everyProcess);

  constructor(started: StartedProcesses) {
    this.#started = started;
    this.#startedSockets = new SharedSearch(() => started.processes());
  }

  /**
   * Finds the peer's socket. It is refused if a process that was started here has it or may have it
   * unseen, and if no process has it any more, as what was sent before would still be carried out.
   */
  async refusal(peer: Deno.NetAddr, port: number): Promise<string | undefined> {
    const own = localEnd(peer, port);
    if (own === undefined) return VANISHED;
    const [from, to] = [tcpEnd(peer.hostname, peer.port), tcpEnd(own.host, own.port)];
    if (withSockets("own", { port: peer.port, hostname: peer.hostname }, () => {}) > 0) {
      return "this executor must not connect to itself";
    }
    const socket = findTcpSocket(from, to) ?? listedSocket("self", from, to);
    if (socket !== undefined) return await this.#holderRefusal(socket);
    if (isInOtherNamespace(this.#started.processes(), from, to)) return OWN_COMMAND;
    if (!isOwnAddress(from.address)) return undefined;
    if ((findTcpSocket(to, from) ?? listedSocket("self", to, from)) !== undefined) return VANISHED;
    logSeldom("warn", "the system does not tell who connects: commands could, too", {});
    return undefined;
  }

  /** Why the processes that have a socket are refused; undefined if they are not. */
  async #holderRefusal({ inode, uid }: TcpSocket): Promise<string | undefined> {
    if (inode === 0) return VANISHED;
    let unclear = false;
    for (let look = 0; look < LOOKS; look++) {
      const { holders, hiding } = await this.#startedSockets.next();
      if (holders.has(inode)) return OWN_COMMAND;
      // A command without a sandbox has no reason to hide.
      unclear ||= hiding.some(hasNoNewPrivileges);
    }
    if (!unclear || uid !== Deno.uid()) return undefined;
    // A command may have the socket unseen, unless another process is found to have it.
    const holders = (await this.#allSockets.next()).holders.get(inode) ?? [];
    // It may have been under way between two of our own commands' processes until now.
    if (holders.some((pid) => this.#started.isOurs(pid))) return OWN_COMMAND;
    return holders.length > 0 ? undefined : VANISHED;
  }
}

function everyProcess(): number[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name)).filter(Number.isInteger);
}

/** Who has which sockets. */
interface SocketHolders {
  /** Processes, by the inodes of sockets that they have. */
  readonly holders: ReadonlyMap<number, readonly number[]>;
  /** Processes that may have more than is to be seen. */
  readonly hiding: readonly number[];
}

/** Searches the descriptors of processes, once for all who wait for it. */
class SharedSearch {
  readonly #processes: () => readonly number[];
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<SocketHolders> | undefined;

  constructor(processes: () => readonly number[]) {
    this.#processes = processes;
  }

  /** What is found by a search that begins after the call. */
  next(): Promise<SocketHolders> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = undefined;
      const found = this.#search();
      this.#running = found.catch(() => {});
      return found;
    });
    return this.#waiting;
  }

  /** Yields to other work now and then. */
  async #search(): Promise<SocketHolders> {
    const holders = new Map<number, number[]>();
    const hiding: number[] = [];
    let pause = performance.now() + WORK_MS;
    for (const pid of this.#processes()) {
      if (pid === Deno.pid) continue;
      const files = openFilesOf(pid);
      if (files.hidden || files.descriptorsUnderWay) hiding.push(pid);
      for (const inode of files.sockets) {
        const pids = holders.get(inode);
        if (pids === undefined) holders.set(inode, [pid]);
        else pids.push(pid);
      }
      if (performance.now() < pause) continue;
      await delay(0);
      pause = performance.now() + WORK_MS;
    }
    return { holders, hiding };
  }
}

/** Whether a process has the socket in a network namespace from which this one is reached. */
function isInOtherNamespace(pids: readonly number[], from: TcpEnd, to: TcpEnd): boolean {
  const seen = new Set([readProcLink("self/ns/net")]);
  return pids.some((pid) => {
    const namespace = readProcLink(`${pid}/ns/net`);
    if (namespace === undefined || seen.has(namespace)) return false;
    seen.add(namespace);
    return listedSocket(pid, from, to) !== undefined;
  });
}

/** Looks a connection up in a process's network namespace (proc_pid_net(5)). */
function listedSocket(pid: number | "self", from: TcpEnd, to: TcpEnd): TcpSocket | undefined {
  const ends = [from, to].map(({ address, port }) => `${address.toHex()}:${port}`).join();
  for (const file of ["tcp", "tcp6"]) {
    for (const line of readProc(`${pid}/net/${file}`).split("\n").slice(1)) {
      const [, own = "", remote = "", , , , , uid, , inode] = line.trim().split(/\s+/);
      if (`${listedEnd(own)},${listedEnd(remote)}` !== ends) continue;
      return { uid: Number(uid), inode: Number(inode) };
    }
  }
  return undefined;
}

/** Reads an address and port; the kernel prints 32-bit words in the machine's order. */
function listedEnd(text: string): string {
  const [address = "", port = ""] = text.split(":");
  const words = address.match(/.{8}/g) ?? [];
  const hex = words.map((word) => word.match(/../g)?.reverse().join("") ?? "").join("")
    .toLowerCase();
  const mapped = hex.length === 8 ? `00000000000000000000ffff${hex}` : hex;
  return `${mapped}:${Number.parseInt(port, 16)}`;
}

function isOwnAddress(address: Uint8Array): boolean {
  const hex = address.toHex();
  if (hex.startsWith("00000000000000000000ffff7f")) return true;
  return Object.values(networkInterfaces()).flat()
    .some((own) => own !== undefined && parseAddress(own.address)?.toHex() === hex);
}

function tcpEnd(host: string, port: number): TcpEnd {
  const address = parseAddress(host);
  if (address === undefined) throw new Error(`not an address: ${host}`);
  return { address, port };
}

/**
 * The check for a unix socket. The kernel knows which process connected, but the runtime does not tell
 * which connection a request came on. So at every request the connections of commands are closed, and
 * the check waits until they are gone.
 */
class UnixPeerCheck {
  readonly #started: StartedProcesses;
  /** Connections of other processes than commands. */
  #cleared: ReadonlySet<string> = new Set();

  constructor(started: StartedProcesses) {
    this.#started = started;
  }

  async refusal(): Promise<string | undefined> {
    const deadline = performance.now() + CUT_WITHIN_MS;
    const cut = this.#cutOwn();
    while (cut.size > 0) {
      const present = new Set(acceptedUnixSockets().map(({ inode }) => inode));
      if (cut.isDisjointFrom(present)) break;
      if (performance.now() >= deadline) return OWN_COMMAND;
      await delay(CUT_LOOK_MS);
    }
    return undefined;
  }

  /** Closes the connections of commands and of ended processes. Returns their inodes. */
  #cutOwn(): ReadonlySet<string> {
    const sockets = acceptedUnixSockets();
    const refused = sockets.filter(({ inode, pid }) =>
      !this.#cleared.has(inode) && pid !== 0 &&
      (pid === Deno.pid || !isAlive(pid) || this.#started.isOurs(pid))
    );
    shutDownSockets(refused.map(({ descriptor }) => descriptor));
    const cut = new Set(refused.map(({ inode }) => inode));
    this.#cleared = new Set(sockets.map(({ inode }) => inode).filter((inode) => !cut.has(inode)));
    return cut;
  }
}
