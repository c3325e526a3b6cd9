import type { StartedProcesses } from "../process/process_keeper.ts";
import { OWN_COMMAND, TcpPeerCheck } from "./tcp_peer.ts";
import { delay } from "@std/async/delay";
import { acceptedUnixSockets, shutDownSockets } from "../os/own_sockets.ts";

/**
 * Returns why a peer is refused; undefined if it is accepted.
 *
 * @param port the port that it connected to; undefined for a unix socket
 */
export type PeerCheck = (peer: Deno.Addr, port: number | undefined) => Promise<string | undefined>;

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

/** How long refused connections may take to close, and the interval of looking, in milliseconds. */
const CUT_WITHIN_MS = 5000;
const CUT_LOOK_MS = 10;

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
