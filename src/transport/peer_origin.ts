import { networkInterfaces } from "node:os";
import { delay } from "@std/async/delay";
import { findTcpSocket, type TcpEnd, type TcpSocket } from "../os/inet_diag.ts";
import { openFilesOf, openSocketsOf } from "../os/descriptor_table.ts";
import { readProc, readProcLink } from "../os/procfs.ts";
import type { StartedProcesses } from "../process/process_keeper.ts";
import { logSeldom } from "../log/log.ts";
import { parseAddress } from "../net/ip_address.ts";
import {
  acceptedUnixSockets,
  ownInternetSockets,
  peerKey,
  shutDownSockets,
  type SocketAddress,
  socketKey,
} from "../os/own_sockets.ts";

/**
 * Returns why a peer is refused; undefined if it is accepted.
 *
 * @param port the port that it connected to; undefined for a unix socket
 */
export type PeerCheck = (peer: Deno.Addr, port: number | undefined) => Promise<string | undefined>;

const OWN_COMMAND = "a process that this executor has started must not connect to it";
const VANISHED = "the process that connected cannot be found";
const UNSEEN = "the process that connects cannot be seen from here, and may be a command: where " +
  "clients are in another PID namespace, a token (--ws-auth) tells them from commands";

/** How often descriptors are searched: one may be passed on meanwhile, and be seen at the next look. */
const LOOKS = 3;
/**
 * How often nobody of ours may be seen to have a descriptor before that is believed, how long that may take
 * and the longest pause before another look, in milliseconds: two processes could pass it to each other in
 * the rhythm of the looks.
 */
const CERTAIN_LOOKS = 20;
const CERTAIN_WITHIN_MS = 2000;
const MAX_PAUSE_MS = 5;
/** How long the search runs without yielding to other work, in milliseconds. */
const WORK_MS = 20;
/** How long refused connections may take to close, and the interval of looking, in milliseconds. */
const CUT_WITHIN_MS = 5000;
const CUT_LOOK_MS = 10;

/**
 * Makes a check that refuses processes that the executor has started: a sandboxed command could otherwise
 * ask the executor for what its sandbox denies. Linux only.
 *
 * @param acceptsUnseen whether a peer on this machine is accepted that no process can be seen to be: only
 * where something else shows that it is no command, as a token does
 */
export function originCheck(started: StartedProcesses, acceptsUnseen: boolean): PeerCheck {
  const tcp = new TcpPeerCheck(started, acceptsUnseen);
  const unix = new UnixPeerCheck(started);
  return async (peer, port) =>
    peer.transport === "tcp" && port !== undefined
      ? await tcp.refusal(peer, port)
      : await unix.refusal();
}

/** The check for TCP. */
class TcpPeerCheck {
  readonly #started: StartedProcesses;
  readonly #acceptsUnseen: boolean;
  readonly #ownSockets = new SharedSearch(findOwnSockets);
  readonly #holders: SharedSearch<SocketHolders | undefined>;

  constructor(started: StartedProcesses, acceptsUnseen: boolean) {
    this.#started = started;
    this.#acceptsUnseen = acceptsUnseen;
    this.#holders = new SharedSearch(async () =>
      started.processes().length === 0 ? undefined : await findHolders()
    );
  }

  /**
   * Finds the peer's socket. It is refused if a process that was started here may have it, and if no
   * process has it any more, as what was sent before would still be carried out.
   */
  async refusal(peer: Deno.NetAddr, port: number): Promise<string | undefined> {
    const { accepted, own } = await this.#ownSockets.next();
    const here = accepted.get(peerKey(peer))?.find((end) => end.port === port);
    if (here === undefined) return VANISHED;
    if (own.has(peerKey(peer))) return "this executor must not connect to itself";
    const [from, to] = [tcpEnd(peer.hostname, peer.port), tcpEnd(here.host, here.port)];
    const find = () => findTcpSocket(from, to) ?? listedSocket("self", from, to);
    const socket = find();
    if (socket !== undefined) {
      const refusal = await this.#holderRefusal(socket);
      // Who had it may have closed it meanwhile, and so not have been found.
      return refusal ?? (find()?.inode === socket.inode ? undefined : VANISHED);
    }
    if (isInOtherNamespace(this.#started.processes(), from, to)) return OWN_COMMAND;
    if (!isOwnAddress(from.address)) return undefined;
    if ((findTcpSocket(to, from) ?? listedSocket("self", to, from)) !== undefined) return VANISHED;
    logSeldom("warn", "the system does not tell who connects: commands could, too", {});
    return undefined;
  }

  /**
   * Why the processes that have a socket are refused; undefined if they are not. That no command is seen
   * to have it does not count: it may go from one to the next, and be under way between them, as fast as
   * anybody can look. Somebody else has to be seen who has it.
   */
  async #holderRefusal({ inode, uid }: TcpSocket): Promise<string | undefined> {
    if (inode === 0) return VANISHED;
    for (let look = 0; look < LOOKS; look++) {
      const found = await this.#holders.next();
      // While there are no commands, nobody has to be told from them.
      if (found === undefined) return undefined;
      const origins = found.get(inode)?.map((pid) => this.#started.originOf(pid)) ?? [];
      if (origins.includes("ours")) return OWN_COMMAND;
      if (origins.includes("foreign")) return undefined;
    }
    const belongsToOthers = Deno.uid() !== ROOT && uid !== Deno.uid();
    if (this.#acceptsUnseen || belongsToOthers) return undefined;
    return await this.#isNobodys(inode) ? undefined : UNSEEN;
  }

  /**
   * Whether no command has a socket, nor is it under way between two: seen again and again while none of
   * them started or ended, so that it cannot have been where nobody looked.
   */
  async #isNobodys(inode: number): Promise<boolean> {
    const deadline = performance.now() + CERTAIN_WITHIN_MS;
    for (let certain = 0; certain < CERTAIN_LOOKS;) {
      if (performance.now() > deadline) return false;
      const processes = this.#started.processes();
      const files = processes.map(openFilesOf);
      if (files.some(({ sockets }) => sockets.includes(inode))) return false;
      const unclear = files.some(({ hidden, descriptorsUnderWay }) =>
        hidden || descriptorsUnderWay
      );
      const same = new Set(processes).symmetricDifference(new Set(this.#started.processes()));
      if (!unclear && same.size === 0) certain++;
      await delay(Math.random() * MAX_PAUSE_MS);
    }
    return true;
  }
}

/** Whose commands can act for any other user; those of others cannot, nor can they be looked at. */
const ROOT = 0;

/** The processes that have a socket, by its inode. */
type SocketHolders = ReadonlyMap<number, readonly number[]>;

/** Searches once for all who wait for it: hundreds may connect at the same time. */
class SharedSearch<T> {
  readonly #search: () => Promise<T>;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: Promise<T> | undefined;

  constructor(search: () => Promise<T>) {
    this.#search = search;
  }

  /** What is found by a search that begins after the call. */
  next(): Promise<T> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = undefined;
      const found = this.#search();
      this.#running = found.catch(() => {});
      return found;
    });
    return this.#waiting;
  }
}

/** Searches the descriptors of all processes, and yields to other work now and then. */
async function findHolders(): Promise<SocketHolders> {
  const holders = new Map<number, number[]>();
  let pause = performance.now() + WORK_MS;
  for (const { name } of Deno.readDirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === Deno.pid) continue;
    for (const inode of openSocketsOf(pid)) {
      const pids = holders.get(inode);
      if (pids === undefined) holders.set(inode, [pid]);
      else pids.push(pid);
    }
    if (performance.now() < pause) continue;
    await delay(0);
    pause = performance.now() + WORK_MS;
  }
  return holders;
}

/** This program's sockets. */
interface OwnSockets {
  /** This side of connections, by {@linkcode peerKey} of the other. */
  readonly accepted: ReadonlyMap<string, readonly SocketAddress[]>;
  /** All own ends, by {@linkcode socketKey}. */
  readonly own: ReadonlySet<string>;
}

/** Begins in a later turn, with all connections that have come until then. */
async function findOwnSockets(): Promise<OwnSockets> {
  await delay(0);
  const sockets = ownInternetSockets();
  const connected = sockets.flatMap(({ own, peer }) => peer === undefined ? [] : { own, peer });
  const groups = Map.groupBy(connected, ({ peer }) => socketKey(peer));
  return {
    accepted: new Map(Array.from(groups, ([peer, ends]) => [peer, ends.map(({ own }) => own)])),
    own: new Set(sockets.map(({ own }) => socketKey(own))),
  };
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
    const refused = sockets.filter(({ inode, pid, ended }) =>
      !this.#cleared.has(inode) && pid !== 0 &&
      (ended || pid === Deno.pid || this.#started.originOf(pid) !== "foreign")
    );
    shutDownSockets(refused.map(({ descriptor }) => descriptor));
    const cut = new Set(refused.map(({ inode }) => inode));
    this.#cleared = new Set(sockets.map(({ inode }) => inode).filter((inode) => !cut.has(inode)));
    return cut;
  }
}
