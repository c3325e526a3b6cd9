import { setImmediate } from "node:timers";
import type { HttpResponse } from "../../http/exchange.ts";
import { OutgoingBodies, type OutgoingBody, RequestEnd } from "../../http/outgoing_bodies.ts";
import type { Variables } from "../../http/proxy.ts";
import { errorFields, log } from "../../log/log.ts";
import { JsonText } from "../../protocol/envelope.ts";
import { RpcError } from "../../protocol/errors.ts";
import { methods, type Params } from "../../protocol/methods.ts";
import { enforceNoConnections, type SandboxBounds } from "../../sandbox/policy/bounds.ts";
import { handler, type RequestContext, type RequestHandler } from "../request_handler.ts";
import type { Transport } from "../../transport/transport.ts";
import { Turns } from "../turns.ts";

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

/** The handler of `http/request`. */
export function httpHandlers(
  environment: () => Variables,
  bounds?: SandboxBounds,
): Record<string, RequestHandler> {
  return {
    "http/request": handler(
      methods["http/request"],
      (params, context) => {
        enforceNoConnections(bounds);
        return params.streamResponse
          ? streamed(params, context, environment())
          : buffered(params, context, environment());
      },
    ),
  };
}

async function buffered(
  params: Params<"http/request">,
  { signal, http }: RequestContext,
  environment: Variables,
): Promise<JsonText> {
  using end = new RequestEnd(signal, params.timeoutMs);
  // The HTTP client is loaded when a request first needs it.
  const { checkRequest, failedRequest, perform, wholeBody } = await import("../../http/perform.ts");
  const request = checkRequest(params, environment);
  try {
    return await http.turns.run(async () => {
      using response = await perform(request, params.redirectPolicy, environment, end.signal);
      return result(response, await wholeBody(response));
    }, end.signal);
  } catch (error) {
    // A request whose turn never came fails like one without an answer.
    throw error instanceof RpcError ? error : failedRequest(request, error);
  }
}

/** Answers with the head of the response; the body follows in notifications. */
async function streamed(
  params: Params<"http/request">,
  { signal, http }: RequestContext,
  environment: Variables,
): Promise<JsonText> {
  // Reserved before the first wait, so that of two requests with one id the first gets it.
  using resources = new DisposableStack();
  const outgoing = resources.use(http.bodies.reserve(params.requestId));
  const end = resources.use(new RequestEnd(signal, params.timeoutMs));
  const { BODY_BROKEN, checkRequest, perform } = await import("../../http/perform.ts");
  const request = checkRequest(params, environment);
  const response = await perform(request, params.redirectPolicy, environment, end.signal);
  const kept = resources.move();
  kept.use(response);
  // By the next turn of the event loop the answer has been sent.
  setImmediate(() => void pump(response, outgoing, BODY_BROKEN).finally(() => kept.dispose()));
  return result(response, new Uint8Array());
}

/** Streams a body as fast as the client reads it. */
async function pump(
  { body }: HttpResponse,
  outgoing: OutgoingBody,
  brokenOff: string,
): Promise<void> {
  try {
    for await (const piece of body) {
      outgoing.piece(piece);
      await outgoing.room();
    }
  } catch (error) {
    log("debug", "a streamed body broke off", errorFields(error));
    return outgoing.end(brokenOff);
  }
  outgoing.end(null);
}

/** Encodes the result by hand: base64 needs no escaping, and looking for what does is slow. */
function result({ status, headers }: HttpResponse, body: Uint8Array): JsonText {
  return new JsonText(
    `{"status":${status},"headers":${JSON.stringify(headers)},"bodyBase64":"${body.toBase64()}"}`,
  );
}
