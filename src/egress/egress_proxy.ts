import type { NetworkReport } from "../protocol/process.ts";
import { admit, type Connector, dialTunnel, type Inside, type ProxyContext } from "./dial.ts";
import { serveHttp } from "./http_proxy.ts";
import type { PortEntrance, ProxyPassword } from "./port_entrance.ts";
import { authorityOf } from "../http/url.ts";
import type { Denial, EgressPolicy, Target, Verdict } from "./policy.ts";
import { answerSocks, readSocksRequest, SOCKS_VERSION, SocksReply } from "./socks5.ts";
import { type ByteStream, StreamReader } from "./stream.ts";
import { tunnel } from "./tunnel.ts";

/** Hosts that a report names, of each kind; a command could think of any number. */
const MAX_REPORTED = 256;
/** What a refused command may still be sending, and for how long that is read, in milliseconds. */
const MAX_DRAINED_BYTES = 4 * 1024 * 1024;
const DRAIN_MS = 2_000;

/** Told of every connection that a command asked for. */
export interface EgressObserver {
  decided(target: Target, verdict: Verdict): void;
}

/** How a proxy does its work. */
export interface EgressProxyOptions {
  readonly policy: EgressPolicy;
  readonly connect: Connector;
  /**
   * By which port commands come, where their sandboxes have no loopback of their own. It is the proxy's
   * from then on. @default none
   */
  readonly entrance?: PortEntrance | undefined;
  /** Whether SOCKS5 is spoken besides HTTP. */
  readonly socks: boolean;
  /** The same for proxies with the same rules. */
  readonly rules: string;
  /** Whether the command may listen on its own loopback. */
  readonly localBinding: boolean;
  readonly observer: EgressObserver;
}

/** The way out of one command: HTTP and SOCKS5 by name, on connections that others accept for it. */
export class EgressProxy implements Disposable {
  readonly #options: EgressProxyOptions;
  readonly #reached = new Set<string>();
  readonly #denied = new Set<string>();
  readonly #open = new Map<ByteStream, AbortController>();
  #ended = false;

  constructor(options: EgressProxyOptions) {
    this.#options = options;
    void options.entrance?.serve((stream) => this.serve(stream));
  }

  /** A port of this machine's loopback by which the command comes; undefined if it has its own. */
  get port(): number | undefined {
    return this.#options.entrance?.port;
  }

  /** The same for proxies with the same rules. */
  get rules(): string {
    return this.#options.rules;
  }

  /** Whether the command may listen on its own loopback. */
  get localBinding(): boolean {
    return this.#options.localBinding;
  }

  /** What was reached and denied so far, in the order of the first time. */
  get report(): NetworkReport {
    return { reached: [...this.#reached], denied: [...this.#denied] };
  }

  /** Serves a connection, which belongs to the proxy from now on, until it has ended. */
  async serve(stream: ByteStream): Promise<void> {
    const ended = new AbortController();
    this.#open.set(stream, ended);
    try {
      if (this.#ended) return;
      await this.#serve({ stream, reader: new StreamReader(stream) }, this.#context(ended.signal));
      await drain(stream);
    } catch {
      // One of the two sides is gone, which the other sees.
    } finally {
      this.#open.delete(stream);
      ended.abort();
      stream.close();
    }
  }

  /** Ends all connections. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.#options.entrance?.[Symbol.dispose]();
    for (const [stream, ended] of this.#open) {
      ended.abort();
      stream.close();
    }
  }

  async #serve(inside: Inside, context: ProxyContext): Promise<void> {
    if (!await inside.reader.more()) return;
    if (inside.reader.unread[0] !== SOCKS_VERSION) return await serveHttp(inside, context);
    if (this.#options.socks) await serveSocks(inside, context);
  }

  #context(signal: AbortSignal): ProxyContext {
    const { policy, connect, observer, entrance } = this.#options;
    const note = (target: Target, verdict: Verdict): Verdict => {
      if (verdict.kind === "denied") remember(this.#denied, target);
      observer.decided(target, verdict);
      return verdict;
    };
    return {
      connect,
      password: entrance?.password,
      signal,
      judge: async (target) => note(target, await policy.judge(target)),
      reached: (target) => remember(this.#reached, target),
      asksForOther: (target, serverName) => void note(target, otherServer(target, serverName)),
    };
  }
}

/** Serves a connection that speaks SOCKS5 until it has ended. */
async function serveSocks(inside: Inside, context: ProxyContext): Promise<void> {
  const { stream, reader } = inside;
  const request = await readSocksRequest(stream, reader, context.password);
  if (request.kind === "malformed") return;
  if (request.kind === "refused") return await answerSocks(stream, request.reply);
  const { host, port } = request;
  const target: Target = { protocol: "socks5_tcp", host, port };
  const admission = await admit(target, context, dialTunnel);
  if (admission.kind !== "admitted") {
    const denied = admission.kind === "denied";
    return await answerSocks(stream, denied ? SocksReply.NotAllowed : SocksReply.HostUnreachable);
  }
  const { outside } = admission;
  try {
    await answerSocks(stream, SocksReply.Succeeded);
    await tunnel(inside, outside, host, (name) => context.asksForOther(target, name));
  } finally {
    outside.stream.close();
  }
}

function remember(known: Set<string>, { host, port }: Target): void {
  if (known.size < MAX_REPORTED) known.add(authorityOf(host, port));
}

function otherServer({ host }: Target, serverName: string): Denial {
  return {
    kind: "denied",
    reason: "server_name_differs",
    source: "baseline_policy",
    message: `remex: a tunnel to ${host.name} asked for ${JSON.stringify(serverName)}`,
  };
}

/**
 * Reads what is still on its way: a connection that is closed before would be reset, and what was
 * answered lost (RFC 9112, section 9.6).
 */
async function drain(stream: ByteStream): Promise<void> {
  const timer = setTimeout(() => stream.close(), DRAIN_MS);
  try {
    await stream.closeWrite();
    const buffer = new Uint8Array(16 * 1024);
    for (let drained = 0; drained < MAX_DRAINED_BYTES;) {
      const count = await stream.read(buffer);
      if (count === null) return;
      drained += count;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** What a command finds the proxy by. */
export interface ProxyAddress {
  /** A port of 127.0.0.1. */
  readonly port: number;
  /** What has to be said there. @default nothing */
  readonly password?: ProxyPassword | undefined;
  /** Whether what listens on its loopback is the command's own, and is reached without a proxy. */
  readonly ownLoopback: boolean;
}

/**
 * The variables by which common tools find the proxy.
 *
 * ALL_PROXY names it as one of HTTP too, though it also speaks SOCKS5: libraries that have no SOCKS
 * (Python's httpx among them) fail at an address of that kind even where they would not use it.
 */
export function proxyEnvironment(
  { port, password, ownLoopback }: ProxyAddress,
): Record<string, string> {
  const login = password === undefined ? "" : `${password.user}:${password.text}@`;
  const proxy = `http://${login}127.0.0.1:${port}`;
  const none = ownLoopback ? "localhost,127.0.0.1,::1" : "";
  const both = (name: string, value: string) => [[name, value], [name.toLowerCase(), value]];
  return Object.fromEntries([
    ...both("HTTP_PROXY", proxy),
    ...both("HTTPS_PROXY", proxy),
    ...both("ALL_PROXY", proxy),
    ...both("WS_PROXY", proxy),
    ...both("WSS_PROXY", proxy),
    ...both("NO_PROXY", none),
    ["NODE_USE_ENV_PROXY", "1"],
    ["npm_config_proxy", proxy],
    ["npm_config_https_proxy", proxy],
    ["npm_config_noproxy", none],
    ["YARN_HTTP_PROXY", proxy],
    ["YARN_HTTPS_PROXY", proxy],
    ["PIP_PROXY", proxy],
    ["CARGO_HTTP_PROXY", proxy],
    ["BUNDLE_HTTP_PROXY", proxy],
    ["BUNDLE_HTTPS_PROXY", proxy],
    ["ELECTRON_GET_USE_PROXY", "true"],
  ]);
}
