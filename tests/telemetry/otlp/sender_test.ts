import { assertEquals } from "@std/assert";
import { OtlpSender } from "../../../src/telemetry/otlp/sender.ts";
import { eventually } from "../../support/patience.ts";
import { selfSigned } from "../../support/self_signed.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/** A collector that answers one after the other, and the last for ever. */
class Collector implements AsyncDisposable {
  readonly bodies: Uint8Array[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answers: readonly (() => Response | Promise<Response>)[]) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (r) => {
      this.bodies.push(await r.bytes());
      const answer = answers[this.bodies.length - 1] ?? answers.at(-1);
      return await answer?.() ?? new Response();
    });
  }

  sender(timeoutMs: number): OtlpSender {
    return new OtlpSender({
      signal: "traces",
      url: `http://127.0.0.1:${this.#server.addr.port}/`,
      encoding: "json",
      headers: new Headers(),
      timeoutMs,
      gzip: false,
      tls: {},
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

const LONG_MS = 3_600_000;
const REQUEST = new TextEncoder().encode("{}");

const status = (status: number, retryAfter?: string) => () =>
  new Response("no", {
    status,
    headers: retryAfter === undefined ? {} : { "retry-after": retryAfter },
  });

Deno.test("what may pass is tried again, as often as need be", async () => {
  await using collector = new Collector([
    status(503, "0"),
    status(429, new Date(0).toUTCString()),
    status(502, "0"),
    status(200),
  ]);
  const sender = collector.sender(LONG_MS);
  assertEquals(await sender.send(REQUEST), true);
  assertEquals(collector.bodies, [REQUEST, REQUEST, REQUEST, REQUEST]);
  sender.abandon();
});

Deno.test("what does not pass is not tried again", async () => {
  for (const code of [400, 401, 404, 413, 500, 307]) {
    await using collector = new Collector([status(code)]);
    const sender = collector.sender(LONG_MS);
    assertEquals([await sender.send(REQUEST), collector.bodies.length], [false, 1], String(code));
    sender.abandon();
  }
});

Deno.test("nobody waits past the time allowed", async () => {
  await using collector = new Collector([status(503, "3600")]);
  const sender = collector.sender(60_000);
  assertEquals([await sender.send(REQUEST), collector.bodies.length], [false, 1]);
  sender.abandon();
});

Deno.test("one that stops tries nothing again", async () => {
  await using collector = new Collector([status(503, "60")]);
  const sender = collector.sender(LONG_MS);
  const sent = sender.send(REQUEST);
  await eventually(() => collector.bodies.length === 1, "the first attempt");
  sender.stop();
  assertEquals(await sent, false);
  assertEquals([await sender.send(REQUEST), collector.bodies.length], [false, 2]);
  sender.abandon();
});

Deno.test("one that gives up waits for no answer", async () => {
  const answer = Promise.withResolvers<Response>();
  await using collector = new Collector([() => answer.promise]);
  const sender = collector.sender(LONG_MS);
  const sent = sender.send(REQUEST);
  await eventually(() => collector.bodies.length === 1, "the request");
  sender.abandon();
  sender.abandon();
  assertEquals(await sent, false);
  answer.resolve(new Response());
});

Deno.test("a collector is trusted by the certificate that is named for it, and not without", async () => {
  using directory = new TemporaryDirectory();
  const paths = await selfSigned(directory.path);
  const [cert, key] = [Deno.readTextFileSync(paths.cert), Deno.readTextFileSync(paths.key)];
  const settings = { hostname: "127.0.0.1", port: 0, onListen: () => {}, cert, key };
  await using server = Deno.serve(settings, () => new Response());
  const send = async (tls: { caCerts?: string[] }) => {
    const sender = new OtlpSender({
      signal: "metrics",
      url: `https://127.0.0.1:${server.addr.port}/`,
      encoding: "protobuf",
      headers: new Headers(),
      timeoutMs: 500,
      gzip: false,
      tls,
    });
    const arrived = await sender.send(REQUEST);
    sender.abandon();
    return arrived;
  };
  assertEquals([await send({ caCerts: [cert] }), await send({})], [true, false]);
});
