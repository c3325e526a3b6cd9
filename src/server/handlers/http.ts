import type { HttpResponse } from "../../http/exchange.ts";
import { type OutgoingBody, RequestEnd } from "../../http/http_bodies.ts";
import type { Variables } from "../../http/proxy.ts";
import { errorFields } from "../../log/fields.ts";
import { log } from "../../log/log.ts";
import { JsonText } from "../../protocol/envelope.ts";
import { RpcError } from "../../protocol/errors.ts";
import { methods, type Params } from "../../protocol/methods.ts";
import { enforceNoConnections, type SandboxBounds } from "../../sandbox/policy/bounds.ts";
import { handler, type RequestContext, type RequestHandler } from "../request_handler.ts";

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
  // Loaded when it is first needed.
  const { checkRequest, failedRequest, perform, wholeBody } = await import("../../http/perform.ts");
  const request = checkRequest(params, environment);
  try {
    return await http.turns.run(async () => {
      using response = await perform(request, params.redirectPolicy, environment, end.signal);
      return result(response, await wholeBody(response));
    }, end.signal);
  } catch (error) {
    // Whose turn never came failed like one that got no answer.
    throw error instanceof RpcError ? error : failedRequest(request, error);
  }
}

/** Answers when the head has come; the body follows the answer. */
async function streamed(
  params: Params<"http/request">,
  { signal, http }: RequestContext,
  environment: Variables,
): Promise<JsonText> {
  // Reserved before the first wait, so that requests are taken in the order in which they come.
  using resources = new DisposableStack();
  const outgoing = resources.use(http.bodies.reserve(params.requestId));
  const end = resources.use(new RequestEnd(signal, params.timeoutMs));
  const { BODY_BROKEN, checkRequest, perform } = await import("../../http/perform.ts");
  const request = checkRequest(params, environment);
  const response = await perform(request, params.redirectPolicy, environment, end.signal);
  const kept = resources.move();
  kept.use(response);
  // A turn of the event loop later the answer has been sent.
  setTimeout(() => void pump(response, outgoing, BODY_BROKEN).finally(() => kept.dispose()));
  return result(response, new Uint8Array());
}

/** Passes a body on as fast as the client reads it. */
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

/** Base64 needs no escaping; looking for what does takes longer than all the rest. */
function result({ status, headers }: HttpResponse, body: Uint8Array): JsonText {
  return new JsonText(
    `{"status":${status},"headers":${JSON.stringify(headers)},"bodyBase64":"${body.toBase64()}"}`,
  );
}
