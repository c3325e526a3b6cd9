import { networkInterfaces } from "node:os";
import { setImmediate } from "node:timers/promises";
import { delay } from "@std/async/delay";
import { logSeldom } from "../log/log.ts";
import { parseAddress } from "../net/addresses.ts";
import { openFilesOf, openSocketsOf } from "../os/descriptor_table.ts";
import { findTcpSocket, type TcpEnd, type TcpSocket } from "../os/inet_diag.ts";
import { ownInternetSockets, peerKey, type SocketAddress, socketKey } from "../os/own_sockets.ts";
import { readProc, readProcLink } from "../os/procfs.ts";
import type { StartedProcesses } from "../process/process_keeper.ts";

/** Why a process of this executor's is refused. */
export const OWN_COMMAND = "a process that this executor has started must not connect to it";
const VANISHED = "the process that connected cannot be found";
const UNSEEN = "the process that connects cannot be seen from here, and may be a command: where " +
  "clients are in another PID namespace, a token (--ws-auth) tells them from commands";

/** How often it is looked who has a socket: it may be passed on meanwhile, and be seen the next time. */
const LOOKS = 3;
/**
 * How often nobody of ours may be seen to have a socket before that is believed, how long that may take and
 * the longest pause before another look, in milliseconds: two processes could pass it to each other in the
 * rhythm of the looks.
 */
const CERTAIN_LOOKS = 20;
const CERTAIN_WITHIN_MS = 2000;
const MAX_PAUSE_MS = 5;
/** Whose commands can act for any other user; those of others cannot, nor can they be looked at. */
const ROOT = 0;

/** The check for TCP. */
export class TcpPeerCheck {
  readonly #started: StartedProcesses;
  readonly #acceptsUnseen: boolean;
  readonly #ownSockets = new SharedSearch<void, OwnSockets>(findOwnSockets);
  readonly #holders = new SocketHolders();

  /** @param acceptsUnseen whether a peer on this machine is accepted that no process is seen to be */
  constructor(started: StartedProcesses, acceptsUnseen: boolean) {
    this.#started = started;
    this.#acceptsUnseen = acceptsUnseen;
  }

  /**
   * Finds the peer's socket. It is refused if a process that was started here may have it, and if no
   * process has it any more, as what was sent before would still be carried out.
   */
  async refusal(peer: Deno.NetAddr, port: number): Promise<string | undefined> {
    const { accepted, own } = await this.#ownSockets.ask();
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
   * Why the process that has a socket is refused; undefined if it is not. That no command is seen to have
   * it does not count: it may go from one to the next, and be under way between them, as fast as anybody
   * can look. Somebody else has to be seen who has it.
   */
  async #holderRefusal({ inode, uid }: TcpSocket): Promise<string | undefined> {
    if (inode === 0) return VANISHED;
    for (let look = 0; look < LOOKS; look++) {
      // While there are no commands, nobody has to be told from them.
      if (!this.#started.any()) return undefined;
      const holder = await this.#holders.holderOf(inode);
      const origin = holder === undefined ? "gone" : this.#started.originOf(holder);
      if (origin === "ours") return OWN_COMMAND;
      if (origin === "foreign") return undefined;
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
    const slices = new WorkSlices();
    for (let certain = 0; certain < CERTAIN_LOOKS;) {
      const processes = this.#started.processes();
      let unclear = false;
      for (const pid of processes) {
        if (performance.now() > deadline) return false;
        const { sockets, hidden, descriptorsUnderWay } = openFilesOf(pid);
        if (sockets.includes(inode)) return false;
        unclear ||= hidden || descriptorsUnderWay;
        await slices.pause();
      }
      const changed = new Set(processes).symmetricDifference(new Set(this.#started.processes()));
      if (!unclear && changed.size === 0) certain++;
      await delay(Math.random() * MAX_PAUSE_MS);
      if (performance.now() > deadline) return false;
    }
    return true;
  }
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
  await setImmediate();
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

/** How long a search runs without yielding to other work, in milliseconds. */
const WORK_MS = 20;
/** So many processes that have been found are looked at first: clients come back. */
const REMEMBERED = 16;

/** Yields to other work now and then. */
class WorkSlices {
  #end = performance.now() + WORK_MS;

  async pause(): Promise<void> {
    if (performance.now() < this.#end) return;
    await setImmediate();
    this.#end = performance.now() + WORK_MS;
  }
}

/** Searches once for all who ask before the search begins: hundreds may connect at the same time. */
class SharedSearch<Question, Answer> {
  readonly #search: (asked: ReadonlySet<Question>) => Promise<Answer>;
  #running: Promise<unknown> = Promise.resolve();
  #waiting: { readonly asked: Set<Question>; readonly found: Promise<Answer> } | undefined;

  constructor(search: (asked: ReadonlySet<Question>) => Promise<Answer>) {
    this.#search = search;
  }

  /** What is found by a search that begins after the call. */
  ask(question: Question): Promise<Answer> {
    this.#waiting ??= this.#plan();
    this.#waiting.asked.add(question);
    return this.#waiting.found;
  }

  #plan() {
    const asked = new Set<Question>();
    const found = this.#running.then(() => {
      this.#waiting = undefined;
      return this.#search(asked);
    });
    this.#running = found.catch(() => {});
    return { asked, found };
  }
}

/** Finds processes by the sockets that they have. */
class SocketHolders {
  readonly #search = new SharedSearch((inodes: ReadonlySet<number>) => this.#find(inodes));
  /** The last to have been found, the newest at the end. */
  readonly #found = new Set<number>();

  /** A process that has a socket, as far as that is to be seen. */
  async holderOf(inode: number): Promise<number | undefined> {
    return (await this.#search.ask(inode)).get(inode);
  }

  /** Those that have just been started come first: a client connects when it has begun. */
  async #find(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, number>> {
    const holders = new Map<number, number>();
    const slices = new WorkSlices();
    const look = (pid: number) => {
      for (const inode of openSocketsOf(pid)) {
        if (inodes.has(inode)) holders.set(inode, pid);
      }
    };
    for (const pid of this.#found) look(pid);
    if (holders.size < inodes.size) {
      for (const pid of allProcesses().filter((pid) => !this.#found.has(pid))) {
        look(pid);
        if (holders.size === inodes.size) break;
        await slices.pause();
      }
    }
    for (const pid of holders.values()) this.#remember(pid);
    return holders;
  }

  #remember(pid: number): void {
    this.#found.delete(pid);
    this.#found.add(pid);
    for (const oldest of this.#found) {
      if (this.#found.size <= REMEMBERED) break;
      this.#found.delete(oldest);
    }
  }
}

/** Those with the highest numbers come first. */
function allProcesses(): number[] {
  return Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name))
    .filter((pid) => Number.isInteger(pid) && pid !== Deno.pid)
    .sort((one, other) => other - one);
}
