import {
  admit,
  dialServer,
  dialTunnel,
  type Inside,
  outside,
  type ProxyContext,
  type Refusal,
} from "./dial.ts";
import { HostError } from "./host.ts";
import { relayBody, responseBodyLength } from "./http_body.ts";
import {
  bytesOf,
  encodeHead,
  endToEnd,
  type Field,
  MessageError,
  readHead,
  valuesOf,
} from "./http_head.ts";
import { encodeRequest, keepsAlive, parseRequest, type ProxyRequest } from "./http_request.ts";
import { type ByteStream, type StreamReader, writeAll } from "./stream.ts";
import { passOn, tunnel } from "./tunnel.ts";
import type { Denial } from "./policy.ts";

/** How long a command may take from its first byte to the end of a head, in milliseconds. */
const HEAD_TIMEOUT_MS = 60_000;

/** Serves a connection that speaks HTTP until it has ended. */
export async function serveHttp(inside: Inside, context: ProxyContext): Promise<void> {
  for (let more = true; more;) {
    const request = await nextRequest(inside);
    if (request === undefined) return;
    if (!isAdmitted(request, context)) return await askForPassword(inside.stream);
    more = request.method === "CONNECT"
      ? await serveConnect(request, inside, context)
      : await serveRequest(request, inside, context);
  }
}

/** Undefined when there is none, or one that has been answered as malformed. */
async function nextRequest({ stream, reader }: Inside): Promise<ProxyRequest | undefined> {
  // Between requests a command may wait as long as it likes.
  if (reader.unread.length === 0 && !await reader.more()) return undefined;
  const timer = setTimeout(() => stream.close(), HEAD_TIMEOUT_MS);
  try {
    const head = await readHead(reader);
    return head === undefined ? undefined : parseRequest(head);
  } catch (error) {
    if (!(error instanceof MessageError || error instanceof HostError)) throw error;
    await refuseMalformed(stream, error);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function isAdmitted({ fields }: ProxyRequest, { password }: ProxyContext): boolean {
  return password === undefined ||
    password.isAuthorization(valuesOf(fields, "proxy-authorization").at(0) ?? "");
}

async function serveConnect(
  { target }: ProxyRequest,
  inside: Inside,
  context: ProxyContext,
): Promise<false> {
  const admission = await admit(target, context, dialTunnel);
  if (admission.kind !== "admitted") {
    await refuse(inside.stream, admission);
    return false;
  }
  const { outside } = admission;
  try {
    await writeAll(inside.stream, bytesOf("HTTP/1.1 200 Connection established\r\n\r\n"));
    await tunnel(inside, outside, target.host, (name) => context.asksForOther(target, name));
  } finally {
    outside.stream.close();
  }
  return false;
}

/** Serves one request on a connection of its own to the server. Returns whether another may follow. */
async function serveRequest(
  request: ProxyRequest,
  inside: Inside,
  context: ProxyContext,
): Promise<boolean> {
  const { target } = request;
  const admission = await admit(target, context, dialServer);
  if (admission.kind !== "admitted") {
    await refuse(inside.stream, admission);
    return false;
  }
  const { outside: server, route } = admission;
  let body: "sending" | "sent" | { readonly failure: unknown } = "sending";
  const sending = () => body;
  try {
    await writeAll(server, encodeRequest(request, route));
    // A server may answer before it has read everything, and instead of reading it.
    relayBody(inside.reader, server, request.body).then(() => body = "sent", (failure) => {
      body = { failure };
      // What is malformed must not end like what is complete.
      if (failure instanceof MessageError) server.close();
    });
    const reusable = await relayResponse(inside, server, request);
    return reusable && sending() === "sent" && keepsAlive(request);
  } catch (error) {
    if (!(error instanceof BeforeResponse)) throw error;
    const state = sending();
    if (typeof state === "object" && state.failure instanceof MessageError) {
      await refuseMalformed(inside.stream, state.failure);
    } else {
      const message = `${target.host.name} gave no answer that can be understood`;
      await refuse(inside.stream, { kind: "unreachable", message });
    }
    return false;
  } finally {
    server.close();
  }
}

/** The server failed before anything of its answer was passed on. */
class BeforeResponse extends Error {
  override readonly name = "BeforeResponse";
}

/** Passes the answer on. Returns whether its end is known to the command. */
async function relayResponse(
  inside: Inside,
  server: ByteStream,
  request: ProxyRequest,
): Promise<boolean> {
  const { method, version } = request;
  const { upgrade } = request.target;
  const { reader } = outside(server);
  for (;;) {
    const { start, fields, status, length } = await responseHead(reader, method);
    if (status === 101 && upgrade !== undefined) {
      const switched = [...endToEnd(fields), { name: "Connection", value: "Upgrade" }, {
        name: "Upgrade",
        value: valuesOf(fields, "upgrade")[0] ?? upgrade,
      }];
      await writeAll(inside.stream, encodeHead({ start, fields: switched }));
      await tunnelPlain(inside, { stream: server, reader });
      return false;
    }
    const final = status >= 200;
    const close = final && (length.kind === "untilClose" || version === "1.0");
    await writeAll(
      inside.stream,
      encodeHead({
        start,
        fields: [...endToEnd(fields), ...close ? [{ name: "Connection", value: "close" }] : []],
      }),
    );
    if (!final) continue;
    await relayBody(reader, inside.stream, length);
    return !close;
  }
}

async function responseHead(reader: StreamReader, method: string) {
  try {
    const head = await readHead(reader);
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(head?.start ?? "")?.[1]);
    if (head === undefined || Number.isNaN(status)) {
      throw new BeforeResponse("the connection ended, or it is no HTTP/1");
    }
    return { ...head, status, length: responseBodyLength(head.fields, status, method) };
  } catch (error) {
    throw error instanceof BeforeResponse
      ? error
      : new BeforeResponse("the answer cannot be read", { cause: error });
  }
}

/** What was switched to is no TLS that could name another server. */
async function tunnelPlain(inside: Inside, server: Inside): Promise<void> {
  await Promise.all([
    passOn(server.reader, server.stream, inside.stream),
    passOn(inside.reader, inside.stream, server.stream),
  ]);
}

const PROXY_ERROR = "x-proxy-error";

/** Answers that there is no connection, and why, and ends the connection. */
async function refuse(stream: ByteStream, refusal: Refusal): Promise<void> {
  await (refusal.kind === "denied"
    ? answer(stream, 403, "Forbidden", headerOf(refusal), refusal.message)
    : answer(stream, 502, "Bad Gateway", "unreachable", `remex: ${refusal.message}`));
}

/** Answers that a request cannot be understood, and ends the connection. */
async function refuseMalformed(stream: ByteStream, { message }: Error): Promise<void> {
  await answer(stream, 400, "Bad Request", "malformed-request", `remex: ${message}`);
}

/** The words that the reference has for the same reasons. */
function headerOf({ reason, source }: Denial): string {
  if (source === "decider") return "blocked-by-policy";
  switch (reason) {
    case "denied":
      return "blocked-by-denylist";
    case "method_not_allowed":
      return "blocked-by-method-policy";
    case "not_allowed":
    case "not_allowed_local":
      return "blocked-by-allowlist";
    default:
      return "blocked-by-policy";
  }
}

/** Answers who came without the password (RFC 9110, section 11.7.1), and ends the connection. */
async function askForPassword(stream: ByteStream): Promise<void> {
  const challenge = { name: "Proxy-Authenticate", value: 'Basic realm="remex"' };
  const message = "remex: this proxy is another command's";
  await answer(stream, 407, "Proxy Authentication Required", "no-password", message, [challenge]);
}

/** Answers in this program's own name, and ends the connection. */
async function answer(
  stream: ByteStream,
  status: number,
  reason: string,
  error: string,
  message: string,
  more: readonly Field[] = [],
): Promise<void> {
  const body = new TextEncoder().encode(`${message}\n`);
  const head = encodeHead({
    start: `HTTP/1.1 ${status} ${reason}`,
    fields: [
      { name: "Content-Type", value: "text/plain; charset=utf-8" },
      { name: "Content-Length", value: `${body.length}` },
      { name: PROXY_ERROR, value: error },
      ...more,
      { name: "Connection", value: "close" },
    ],
  });
  await writeAll(stream, head);
  await writeAll(stream, body);
  await stream.closeWrite();
}
