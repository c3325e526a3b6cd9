/**
 * Runs a command through a relay that cuts the connection in the middle of it, and shows that no
 * line is lost or comes twice.
 *
 *     deno run --allow-net examples/survive_a_cut_connection.ts ws://127.0.0.1:7777
 */
import { ExecServerClient } from "@remex/remex";

const LINES = 50;

const [url] = Deno.args;
if (url === undefined) throw new TypeError("usage: survive_a_cut_connection.ts URL");
const executor = new URL(url);

/** Passes connections on to the executor, and can cut all that it has. */
class Relay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #accepting = this.#accept();

  get url(): string {
    return `ws://127.0.0.1:${this.#listener.addr.port}`;
  }

  cut(): void {
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) {
      const far = await Deno.connect({ hostname: executor.hostname, port: Number(executor.port) });
      this.#open.add(near).add(far);
      // Cutting them makes both directions fail, which is what this is for.
      void near.readable.pipeTo(far.writable).catch(() => {});
      void far.readable.pipeTo(near.writable).catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#accepting;
  }
}

await using relay = new Relay();
await using client = await ExecServerClient.connect(relay.url);
const command = await client.start({
  argv: ["/bin/sh", "-c", `for i in $(seq ${LINES}); do echo "line $i"; sleep 0.02; done`],
  cwd: "file:///",
  env: { PATH: "/usr/bin:/bin" },
});

let text = "";
let cuts = 0;
for await (const event of command) {
  if (event.kind !== "output") continue;
  text += new TextDecoder().decode(event.bytes);
  // Once after the tenth line and once after the thirtieth.
  if (cuts < 2 && text.includes(`line ${cuts * 20 + 10}\n`)) {
    cuts++;
    relay.cut();
  }
}
const expected = Array.from({ length: LINES }, (_, index) => `line ${index + 1}\n`).join("");
console.info(
  `${cuts} cuts, ${text === expected ? "every line came once" : "lines were lost or doubled"}`,
);
