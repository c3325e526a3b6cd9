import type { Descriptor } from "../../os/descriptor.ts";
import { DescriptorStream } from "../../os/descriptor_stream.ts";
import { resetConnection } from "../../os/sockets.ts";
import type { Egress } from "../policy/policy.ts";

/** Connections that a command may have at once: each takes descriptors, which other commands need too. */
export const MAX_CONNECTIONS = 1024;

/** Connections of one command, as they come, that the executor's proxy serves. */
export class ProxyConnections {
  readonly #egress: Egress;
  #open = 0;

  constructor(egress: Egress) {
    this.#egress = egress;
  }

  /** Has a connection served, or breaks it off if there are too many. */
  take(connection: Descriptor): void {
    if (this.#open >= MAX_CONNECTIONS) return resetConnection(connection);
    this.#open++;
    void this.#egress.serve(new DescriptorStream(connection)).finally(() => this.#open--);
  }
}
