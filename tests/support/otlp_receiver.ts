import { type Metric, type OtlpRequest, readOtlpRequest, type Span } from "./otlp_request.ts";

/** The number that stands for temporality since the last export. */
const DELTA = 1;

/** A request as it came. */
export interface ReceivedRequest {
  readonly path: string;
  readonly headers: Headers;
  /** As sent, but for compression. */
  readonly body: Uint8Array;
}

/** What a request is answered with. @default 200 */
export type Answer = (request: ReceivedRequest) => Response | Promise<Response>;

/** A collector that understands OTLP over HTTP and keeps all it gets. */
export class OtlpReceiver implements AsyncDisposable {
  readonly requests: ReceivedRequest[] = [];
  readonly #understood: OtlpRequest[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answer: Answer = () => new Response()) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (r) => {
      const path = new URL(r.url).pathname;
      const received = { path, headers: r.headers, body: await plainBody(r) };
      this.requests.push(received);
      this.#understood.push(
        readOtlpRequest(path, r.headers.get("content-type") ?? "", received.body),
      );
      return await answer(received);
    });
  }

  /** Where all signals can be sent. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Everything that came, as text. */
  get text(): string {
    const decoder = new TextDecoder("latin1");
    return this.requests.map(({ path, headers, body }) =>
      [path, ...[...headers].flat(), decoder.decode(body)].join("\n")
    ).join("\n");
  }

  get resources(): readonly Readonly<Record<string, string>>[] {
    return this.#understood.map(({ resource }) => resource);
  }

  get spans(): readonly Span[] {
    return this.#understood.flatMap(({ spans }) => spans);
  }

  get metrics(): readonly Metric[] {
    return this.#understood.flatMap(({ metrics }) => metrics);
  }

  /** What a counter has come to, or how many values a histogram has, by their attributes. */
  totals(name: string): Record<string, number> {
    const totals: Record<string, number> = {};
    for (const { sum, histogram } of this.metrics.filter((metric) => metric.name === name)) {
      const temporality = (sum ?? histogram)?.aggregationTemporality;
      const points = [
        ...(sum?.dataPoints ?? []).map(({ attributes, asInt }) => ({ attributes, value: asInt })),
        ...(histogram?.dataPoints ?? []).map(({ attributes, count }) => ({
          attributes,
          value: count,
        })),
      ];
      for (const { attributes, value } of points) {
        const key = keyOf(attributes);
        totals[key] = value + (temporality === DELTA ? totals[key] ?? 0 : 0);
      }
    }
    return totals;
  }

  /** What a gauge told in each export that had it, by its attributes. */
  gauge(name: string): Record<string, number>[] {
    return this.metrics.filter((metric) => metric.name === name).map(({ gauge }) =>
      Object.fromEntries(
        (gauge?.dataPoints ?? []).map(({ attributes, asInt }) => [keyOf(attributes), asInt]),
      )
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** The values of attributes, in the order of their names. */
function keyOf(attributes: Readonly<Record<string, string>>): string {
  return Object.keys(attributes).sort().map((name) => attributes[name]).join(" ");
}

async function plainBody(request: Request): Promise<Uint8Array> {
  if (request.headers.get("content-encoding") !== "gzip" || request.body === null) {
    return await request.bytes();
  }
  return await new Response(request.body.pipeThrough(new DecompressionStream("gzip"))).bytes();
}
