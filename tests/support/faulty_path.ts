import { delay } from "@std/async/delay";
import { UnitSplitter } from "./unit_splitter.ts";

export type Direction = "toServer" | "toClient";

/** Something that goes wrong on a connection's way, once. */
export interface Fault {
  readonly direction: Direction;
  /** Which unit of that direction it strikes: 0 is the handshake, then come the frames. */
  readonly unit: number;
  readonly kind:
    /** Both ends see the connection break: before the unit, in the midst of it, or right after. */
    | { readonly kind: "cut"; readonly where: "before" | "within" | "after" }
    /** Nothing moves in either direction for a while, and then everything that waited. */
    | { readonly kind: "stall"; readonly milliseconds: number }
    /** Everything from here on is lost, and nobody is told. */
    | { readonly kind: "vanish" };
}

/** How one connection is carried. */
export interface Carriage {
  readonly faults?: readonly Fault[];
  /** Milliseconds that everything takes in each direction. */
  readonly delayMs?: number;
  /** Milliseconds until the server learns that the client has gone. */
  readonly lingerMs?: number;
}

/** How many units have come from each side of a connection. */
export interface Traffic {
  toServer: number;
  toClient: number;
}

/** A way from clients to a server on which connections suffer what a test has planned for them. */
export class FaultyPath implements AsyncDisposable {
  /** What was carried, a line a connection. */
  readonly traffic: Traffic[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #target: number;
  readonly #carriage: (connection: number) => Carriage;
  readonly #ended: Promise<void>;
  readonly #carried = new Set<CarriedConnection>();

  /** @param carriage what happens to a connection, counted from 1 */
  constructor(target: string, carriage: (connection: number) => Carriage) {
    this.#target = portOf(target);
    this.#carriage = carriage;
    this.#ended = this.#accept();
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Lets new connections lead to another server. */
  leadTo(target: string): void {
    this.#target = portOf(target);
  }

  /** Breaks all connections that there are. */
  cutAll(): void {
    for (const connection of this.#carried) connection.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cutAll();
    await this.#ended;
  }

  async #accept(): Promise<void> {
    const ends: Promise<void>[] = [];
    for await (const near of this.#listener) ends.push(this.#carry(near));
    await Promise.all(ends);
  }

  async #carry(near: Deno.TcpConn): Promise<void> {
    const traffic = { toServer: 0, toClient: 0 };
    this.traffic.push(traffic);
    const carriage = this.#carriage(this.traffic.length);
    const far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target }).catch(() => {});
    if (far === undefined) return closeQuietly(near);
    near.setNoDelay();
    far.setNoDelay();
    const connection = new CarriedConnection(near, far, carriage, traffic);
    this.#carried.add(connection);
    await connection.ended;
    this.#carried.delete(connection);
  }
}

/** One connection on its way. */
class CarriedConnection {
  readonly ended: Promise<void>;
  readonly #near: Deno.Conn;
  readonly #far: Deno.Conn;
  readonly #carriage: Carriage;
  readonly #traffic: Traffic;
  #stall = Promise.resolve();
  #vanished = false;
  #isCut = false;

  constructor(near: Deno.Conn, far: Deno.Conn, carriage: Carriage, traffic: Traffic) {
    this.#near = near;
    this.#far = far;
    this.#carriage = carriage;
    this.#traffic = traffic;
    this.ended = Promise.all([
      this.#carry(near, far, "toServer"),
      this.#carry(far, near, "toClient"),
    ]).then(() => {});
  }

  cut(): void {
    closeQuietly(this.#near);
    closeQuietly(this.#far);
  }

  async #carry(from: Deno.Conn, to: Deno.Conn, direction: Direction): Promise<void> {
    const splitter = new UnitSplitter();
    const buffer = new Uint8Array(64 * 1024);
    let sent = Promise.resolve();
    try {
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        for (const unit of splitter.push(buffer.subarray(0, count))) {
          const due = delay(this.#carriage.delayMs ?? 0);
          const earlier = sent;
          sent = (async () => {
            if (this.#carriage.delayMs !== undefined) await due;
            await earlier;
            await this.#deliver(unit, to, direction);
          })();
          sent.catch(() => {});
          if (this.#carriage.delayMs === undefined) await sent;
        }
      }
    } catch {
      // One end is gone, or the connection was cut.
    }
    await sent.catch(() => {});
    if (direction === "toServer" && !this.#isCut) await delay(this.#carriage.lingerMs ?? 0);
    this.cut();
  }

  async #deliver(unit: Uint8Array, to: Deno.Conn, direction: Direction): Promise<void> {
    await this.#stall;
    const number = this.#traffic[direction]++;
    const fault = this.#carriage.faults?.find((fault) =>
      fault.direction === direction && fault.unit === number
    )?.kind;
    switch (fault?.kind) {
      case "stall":
        this.#stall = delay(fault.milliseconds);
        await this.#stall;
        break;
      case "vanish":
        this.#vanished = true;
        break;
      case "cut":
        this.#isCut = true;
        if (fault.where === "within") await this.#write(to, unit.subarray(0, unit.length / 2));
        if (fault.where === "after") await this.#write(to, unit);
        return this.cut();
    }
    await this.#write(to, unit);
  }

  async #write(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0 && !this.#vanished;) {
      rest = rest.subarray(await to.write(rest));
    }
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already, from the other side.
  }
}
