import type { NetworkReport } from "../../protocol/process.ts";
import type { ByteStream } from "../../egress/stream.ts";
import type { ManagedNetwork, SandboxContext } from "../../protocol/sandbox.ts";
import type { ReservedResources } from "./reserved.ts";
import type { SandboxBounds } from "./bounds.ts";

/** The executor's proxy for one command, as the command's sandbox knows it. */
export interface Egress extends Disposable {
  /** The same for proxies with the same rules. */
  readonly rules: string;
  /** Whether the command may listen on its loopback. */
  readonly localBinding: boolean;
  /** A port of this machine's loopback by which the command comes; undefined where it has its own. */
  readonly port: number | undefined;
  /** Serves a connection of the command's, which belongs to it from now on, until it has ended. */
  serve(stream: ByteStream): Promise<void>;
  /** What the command reached and what it was denied so far. */
  readonly report: NetworkReport;
}

/** What a client and this machine's administrator ask of a command's sandbox, as it came. */
export interface Policy {
  readonly sandbox: SandboxContext | undefined;
  readonly enforceManagedNetwork: boolean;
  readonly managedNetwork: ManagedNetwork | undefined;
  /** The proxy through which the command reaches others, and by nothing else. */
  readonly egress?: Egress | undefined;
  /**
   * Whose command it is: commands of one owner may reach each other's processes where a mechanism
   * cannot keep every command apart. @default one and the same
   */
  readonly owner?: object | undefined;
  /** What this machine's administrator demands, whatever is asked for. */
  readonly bounds?: SandboxBounds | undefined;
  /** What no sandbox may have, whatever is asked for. @default nothing */
  readonly reserved?: ReservedResources | undefined;
}

/**
 * Whether a policy asks for anything that has to be enforced here.
 *
 * Nothing is asked without a sandbox, with one that is disabled, and with one that leaves files and
 * network alone. Where someone outside isolates, only the network is left to enforce. A managed
 * network always is. An administrator's demands are looked at in any case.
 */
export function requiresSandbox(policy: Policy): boolean {
  if (policy.bounds !== undefined) return true;
  if (policy.enforceManagedNetwork || policy.managedNetwork !== undefined) return true;
  if (policy.egress !== undefined) return true;
  const permissions = policy.sandbox?.permissions;
  if (permissions === undefined || permissions.type === "disabled") return false;
  if (permissions.network === "restricted") return true;
  return permissions.type === "managed" && permissions.file_system.type === "restricted";
}
