/** A path to a server on which everything takes so many milliseconds longer, in each direction. */
export class DelayingProxy implements Disposable {
  readonly url: string;
  readonly #listener: Deno.TcpListener;
  readonly #target: URL;
  readonly #delayMs: number;

  constructor(target: string, delayMs: number) {
    this.#target = new URL(target);
    this.#delayMs = delayMs;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.url = `ws://127.0.0.1:${this.#listener.addr.port}`;
    this.#accept();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      const { hostname, port } = this.#target;
      const far = await Deno.connect({ hostname, port: Number(port) });
      near.setNoDelay(true);
      far.setNoDelay(true);
      this.#carry(near, far).catch(() => far.close());
      this.#carry(far, near).catch(() => near.close());
    }
  }

  /** Timers of the same delay run in the order in which they were set. */
  async #carry(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
      const part = buffer.slice(0, count);
      setTimeout(() => to.write(part).catch(() => {}), this.#delayMs);
    }
    setTimeout(() => to.closeWrite().catch(() => {}), this.#delayMs);
  }
}
