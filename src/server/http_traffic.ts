import { OutgoingBodies } from "../http/outgoing_bodies.ts";
import type { Transport } from "../transport/transport.ts";
import { Turns } from "./turns.ts";

/** Responses of one connection that may be buffered at the same time. */
const BUFFERED_AT_ONCE = 16;

/** State that the HTTP requests of a connection share. */
export class HttpTraffic {
  /** Limits how many responses are buffered at the same time. */
  readonly turns: Turns;
  /** The response bodies being streamed. */
  readonly bodies: OutgoingBodies;

  constructor(transport: Pick<Transport, "send" | "saturated">) {
    this.turns = new Turns(BUFFERED_AT_ONCE, () => transport.saturated);
    this.bodies = new OutgoingBodies(transport);
  }

  /** Continues what waited for the client to read. */
  proceed(): void {
    this.turns.proceed();
    this.bodies.proceed();
  }
}
