import { OutgoingBodies } from "../http/outgoing_bodies.ts";
import type { Transport } from "../transport/transport.ts";
import { Turns } from "./turns.ts";

/** Responses of one connection that may be read whole at the same time. */
const BUFFERED_AT_ONCE = 16;

/** What a connection's HTTP requests share. */
export class HttpTraffic {
  /** Orders the requests whose responses are answered whole. */
  readonly turns: Turns;
  /** The responses that are streamed. */
  readonly bodies: OutgoingBodies;

  constructor(transport: Pick<Transport, "send" | "saturated">) {
    this.turns = new Turns(BUFFERED_AT_ONCE, () => transport.saturated);
    this.bodies = new OutgoingBodies(transport);
  }

  /** What was sent has gone far enough that more may follow. */
  proceed(): void {
    this.turns.proceed();
    this.bodies.proceed();
  }
}
