import type { StartedProcesses } from "../process/process_keeper.ts";
import { TcpPeerCheck } from "./tcp_peer.ts";
import { UnixPeerCheck } from "./unix_peer.ts";

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
