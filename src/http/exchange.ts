import { closeAtAbort, closeQuietly, connectTcp, encrypt, writeAll } from "../net/connection.ts";
import { DECODED_CODINGS, decodedResponse } from "./content_coding.ts";
import { ConnectionReader } from "./connection_reader.ts";
import { basicAuthorization, type Proxy, proxyFor, type Variables } from "./proxy.ts";
import { type Header, HttpFailure, type HttpRequest, isNamed } from "./request.ts";
import {
  hasNoBody,
  readResponseHead,
  type ResponseBody,
  responseBody,
  type ResponseHead,
} from "./response.ts";
import { hostOf, portOf } from "./url.ts";

/** A response whose body has not been read yet. Disposing of it closes the connection. */
export interface HttpResponse extends ResponseHead, Disposable {
  readonly body: ResponseBody;
}

/** Methods whose requests tell the length of an empty body too (RFC 9110, section 8.6). */
const METHODS_WITH_BODY: readonly string[] = ["POST", "PUT", "PATCH"];

/**
 * Sends one request over a connection of its own and reads the response's head.
 *
 * @throws {Error} when there is no response, or the signal aborts; aborting it later breaks the body
 */
export async function exchange(
  request: HttpRequest,
  env: Variables,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const proxy = proxyFor(request.url, env);
  const connection = await connect(request.url, proxy, env, signal);
  try {
    const reader = new ConnectionReader(connection);
    const sending = send(connection, request, proxy);
    // A server may answer before it has read everything; one that is gone does not answer.
    sending.catch(() => {});
    const head = await readResponseHead(reader);
    const body = responseBody(reader, request.method, head);
    const response = hasNoBody(request.method, head.status)
      ? { ...head, body }
      : decodedResponse(head, body, signal);
    return { ...response, [Symbol.dispose]: () => closeQuietly(connection) };
  } catch (error) {
    closeQuietly(connection);
    signal.throwIfAborted();
    throw error;
  }
}

async function send(
  connection: Deno.Conn,
  request: HttpRequest,
  proxy: Proxy | undefined,
): Promise<void> {
  const { body = new Uint8Array() } = request;
  const encoder = new TextEncoder();
  await writeAll(connection, encoder.encode(encodeHead(request, proxy)));
  const chunked = request.headers.some((header) => isNamed(header, "transfer-encoding"));
  if (!chunked) return await writeAll(connection, body);
  if (body.length > 0) {
    await writeAll(connection, encoder.encode(`${body.length.toString(16)}\r\n`));
    await writeAll(connection, body);
    await writeAll(connection, encoder.encode("\r\n"));
  }
  await writeAll(connection, encoder.encode("0\r\n\r\n"));
}

function encodeHead(request: HttpRequest, proxy: Proxy | undefined): string {
  const tunnelled = request.url.protocol === "https:";
  const headers = [
    ...request.headers,
    ...impliedHeaders(request, tunnelled ? undefined : proxy?.authorization),
  ];
  const target = targetOf(request, proxy !== undefined && !tunnelled);
  const lines = headers.map(({ name, value }) => `${name}: ${value}\r\n`);
  return `${request.method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** RFC 9112, section 3.2. */
function targetOf({ method, url }: HttpRequest, throughProxy: boolean): string {
  if (method === "CONNECT") return `${url.hostname}:${portOf(url)}`;
  const path = `${url.pathname}${url.search}`;
  return throughProxy ? `${url.protocol}//${url.host}${path}` : path;
}

/** The headers that a request needs besides those that the client gave, which go first. */
function impliedHeaders(
  { method, url, headers, body }: HttpRequest,
  proxyAuthorization: string | undefined,
): Header[] {
  const implied: Header[] = [];
  const add = (name: string, value: string | undefined, unless = [name]) => {
    const given = headers.some((header) => unless.some((other) => isNamed(header, other)));
    if (value !== undefined && !given) implied.push({ name, value });
  };
  add("authorization", basicAuthorization(url));
  add("accept", "*/*");
  // Part of a coded body cannot be decoded.
  add("accept-encoding", DECODED_CODINGS, ["accept-encoding", "range"]);
  add("proxy-authorization", proxyAuthorization);
  add("host", url.host);
  const length = body?.length ?? 0;
  const tellsLength = length > 0 || METHODS_WITH_BODY.includes(method);
  add("content-length", tellsLength ? String(length) : undefined, [
    "content-length",
    "transfer-encoding",
  ]);
  return implied;
}

/**
 * Connects to the server of a URL, through a proxy if one is given, encrypted for https. The
 * certificates in the file that SSL_CERT_FILE names are trusted besides the usual ones.
 *
 * @param signal closes the connection when it aborts
 * @throws {Error} when there is no connection, or the certificate is not trusted
 */
async function connect(
  url: URL,
  proxy: Proxy | undefined,
  env: Variables,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  const [hostname, port] = proxy === undefined
    ? [hostOf(url), portOf(url)]
    : [proxy.host, proxy.port];
  const connection = await connectTcp({ hostname, port }, signal);
  try {
    closeAtAbort(connection, signal);
    connection.setNoDelay();
    if (url.protocol !== "https:") return connection;
    if (proxy !== undefined) await openTunnel(connection, url, proxy);
    const options = { hostname: hostOf(url), caCerts: await trustedCertificates(env) };
    const secured = await encrypt(connection, options, signal);
    closeAtAbort(secured, signal);
    return secured;
  } catch (error) {
    closeQuietly(connection);
    throw error;
  }
}

/** Asks a proxy for a tunnel to the server of a URL (RFC 9110, section 9.3.6). */
async function openTunnel(connection: Deno.Conn, url: URL, proxy: Proxy): Promise<void> {
  const authority = `${url.hostname}:${portOf(url)}`;
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (proxy.authorization !== undefined) lines.push(`Proxy-Authorization: ${proxy.authorization}`);
  await writeAll(connection, new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  // The server sends nothing before the handshake, so nothing is read beyond the head.
  const { status } = await readResponseHead(new ConnectionReader(connection));
  if (status < 200 || status >= 300) throw new HttpFailure(`the proxy answered ${status}`);
}

async function trustedCertificates(env: Variables): Promise<string[]> {
  const file = env.SSL_CERT_FILE;
  return file === undefined || file === "" ? [] : [await Deno.readTextFile(file)];
}
