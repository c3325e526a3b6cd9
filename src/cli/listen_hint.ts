import type { ListenAddress } from "../transport/listen_address.ts";
import type { ListenError } from "../transport/websocket_server.ts";

/** What can be done about an address that cannot be had, to follow on what is wrong. */
export function listenHint(address: ListenAddress, { cause }: ListenError): string {
  if (cause instanceof Deno.errors.AddrInUse) {
    return address.kind === "unix"
      ? "; a program listens there, or it is no socket file: end it or use another path"
      : "; another program listens there: use another port, or 0 for any that is free";
  }
  if (cause instanceof Deno.errors.AddrNotAvailable) return "; this machine has no such address";
  if (cause instanceof Deno.errors.PermissionDenied) {
    return address.kind === "unix"
      ? "; use a directory that this user can write"
      : "; use a port above 1023";
  }
  if (cause instanceof Deno.errors.NotFound) return "; make the directory first";
  return "";
}
