import { HttpFailure } from "../http/request.ts";
import { type Proxy, proxyFor, type Variables } from "../http/proxy.ts";
import { type Host, type IpAddress, parseHost } from "./host.ts";
import { authorityOf } from "../http/url.ts";
import { isPublic, OwnAddresses, resolve, type Resolver } from "./addresses.ts";
import type { DomainRules } from "./domain_rules.ts";

/** How a command asked for a connection. */
export type EgressProtocol = "http" | "https_connect" | "socks5_tcp";

/** What a command wants to reach. */
export interface Target {
  readonly protocol: EgressProtocol;
  readonly host: Host;
  readonly port: number;
  /** The method of a request that is no tunnel. */
  readonly method?: string;
  /** The protocol that such a request wants to go on with. */
  readonly upgrade?: string | undefined;
}

/** Why something was denied, as the answer's header and records say it. */
export type DenialReason =
  | "not_allowed"
  | "denied"
  | "not_allowed_local"
  | "method_not_allowed"
  | "port_not_allowed"
  | "server_name_differs"
  | "decided";

/** Who denied. */
export type DenialSource = "baseline_policy" | "mode_guard" | "decider" | "administrator";

/** A connection that is not made. */
export interface Denial {
  readonly kind: "denied";
  readonly reason: DenialReason;
  readonly source: DenialSource;
  /** What the client said, where it decided. */
  readonly said?: string;
  /** One line for a person or a model. */
  readonly message: string;
}

/** Where a connection that is allowed leads. */
export type Route =
  /** To the first of these addresses that takes it: those that the name had when it was judged. */
  | { readonly kind: "direct"; readonly addresses: readonly IpAddress[] }
  | { readonly kind: "upstream"; readonly proxy: Proxy };

/** What becomes of a connection. */
export type Verdict =
  | { readonly kind: "allowed"; readonly route: Route }
  | Denial
  /** It is allowed, and there is no way there. */
  | { readonly kind: "unreachable"; readonly message: string };

/** What a client says of a host that no rule decides, or that it reviews. */
export interface Answer {
  readonly allow: boolean;
  /** Why not. */
  readonly reason?: string;
}

/** Asks the client. Never rejects: without an answer it is a denial. */
export type Asker = (target: Target) => Promise<Answer>;

/** What an administrator demands of the network, whatever a client asks for. */
export interface EgressBounds {
  /** Outside of which nothing is reached; undefined for no such demand. */
  readonly allowed: DomainRules | undefined;
  readonly denied: DomainRules | undefined;
  /** Whether the executor's own proxies may be used. */
  readonly upstreamProxy: boolean;
}

/** What decides about the connections of one command. */
export interface EgressPolicyOptions {
  readonly rules: DomainRules;
  /** The hosts that the client is asked about even where a rule allows them. @default none */
  readonly reviewed?: DomainRules | undefined;
  /** `limited` leaves GET, HEAD and OPTIONS without encryption, and nothing else. */
  readonly mode: "full" | "limited";
  /** The variables that name the executor's own proxies, if they may be used. */
  readonly upstream: Variables | undefined;
  readonly bounds: EgressBounds | undefined;
  /** Undefined if what no rule decides is denied. */
  readonly ask: Asker | undefined;
  /** Ports of this machine that no rule reaches: the executor listens there. @default none */
  readonly ownPorts?: readonly number[] | undefined;
  /** @default the system's */
  readonly resolve?: Resolver;
}

/** Methods that change nothing (RFC 9110, section 9.2.1), without TRACE and CONNECT. */
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
/** Mail between servers: what proxies are most often misused for. */
const SMTP = 25;
const LOCALHOST = "localhost";
const LOOPBACK = [LOCALHOST, "127.0.0.1", "::1"].map(parseHost);

/** Decides about the connections of one command. */
export class EgressPolicy {
  readonly #options: EgressPolicyOptions;
  readonly #resolve: Resolver;
  readonly #own = new OwnAddresses();

  constructor(options: EgressPolicyOptions) {
    this.#options = options;
    this.#resolve = options.resolve ?? resolve;
  }

  /** Whether a rule names the loopback of the executor's machine. */
  get namesLoopback(): boolean {
    return this.#options.rules.allowsAny(LOOPBACK);
  }

  /** Judges a connection, and finds out where it leads. The name is not looked up again. */
  async judge(target: Target): Promise<Verdict> {
    return this.#refusedByRules(target) ?? await this.#refusedByClient(target) ??
      this.#refusedByMode(target) ?? await this.#route(target);
  }

  #refusedByRules({ host, port }: Target): Denial | undefined {
    const { rules, bounds } = this.#options;
    if (bounds?.denied?.decide(host) === "deny") {
      return administrators("denied", `${host.name} is denied by this executor's administrator`);
    }
    if (bounds?.allowed !== undefined && bounds.allowed.decide(host) !== "allow") {
      return administrators(
        "not_allowed",
        `${host.name} is not among the domains that this executor's administrator allows`,
      );
    }
    if (port === SMTP) {
      return denied("port_not_allowed", `port ${port} of ${host.name} is not reached by any rule`);
    }
    switch (rules.decide(host)) {
      case "allow":
        return undefined;
      case "deny":
        return denied("denied", `${host.name} is among the denied domains`);
      case "undecided":
        return this.#isLocal(host) ? local(host) : undefined;
    }
  }

  async #refusedByClient(target: Target): Promise<Denial | undefined> {
    const { rules, reviewed, ask } = this.#options;
    const { host } = target;
    const isReviewed = reviewed?.decide(host) === "allow";
    if (rules.decide(host) === "allow" && !isReviewed) return undefined;
    if (ask === undefined) {
      return isReviewed
        ? denied("not_allowed", `${host.name} is reviewed by the client, which cannot be asked`)
        : denied("not_allowed", `${host.name} is not among the allowed domains`);
    }
    const { allow, reason } = await ask(target);
    if (allow) return undefined;
    const why = reason === undefined ? "" : `: ${reason}`;
    return {
      ...denied("decided", `${host.name} was not allowed when the client was asked${why}`),
      source: "decider",
      ...reason === undefined ? {} : { said: reason },
    };
  }

  #refusedByMode({ protocol, method = "", upgrade, host }: Target): Denial | undefined {
    if (this.#options.mode === "full") return undefined;
    if (protocol === "http" && SAFE_METHODS.has(method) && upgrade === undefined) return undefined;
    const request = upgrade === undefined ? method : `${method} with an upgrade`;
    const what = protocol === "http" ? request : "a tunnel";
    const message =
      `${what} to ${host.name}: in limited mode only GET, HEAD and OPTIONS on plain ` +
      "HTTP are allowed";
    return { ...denied("method_not_allowed", message), source: "mode_guard" };
  }

  async #route(target: Target): Promise<Verdict> {
    const { host, port } = target;
    if (host.address !== undefined && !this.#mayReach(host, host.address, port)) {
      return local(host);
    }
    try {
      const proxy = this.#upstreamProxy(target);
      if (proxy !== undefined) return { kind: "allowed", route: { kind: "upstream", proxy } };
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error;
      return { kind: "unreachable", message: `${error.message} that this executor is to use` };
    }
    if (host.address !== undefined) return direct([host.address]);
    return await this.#routeByName(host, port);
  }

  async #routeByName(host: Host, port: number): Promise<Verdict> {
    let addresses: readonly IpAddress[];
    try {
      addresses = await this.#resolve(host.name);
    } catch {
      return { kind: "unreachable", message: `${host.name} has no address` };
    }
    const reachable = addresses.filter((address) => this.#mayReach(host, address, port));
    return reachable.length === 0 ? local(host) : direct(reachable);
  }

  /** An address that is not public is reached if a rule names it itself, never by another name. */
  #mayReach(host: Host, address: IpAddress, port: number): boolean {
    if (this.#isElsewhere(address)) return true;
    const { rules, bounds, ownPorts = [] } = this.#options;
    if (ownPorts.includes(port)) return false;
    const literal = host.address !== undefined || host.name === LOCALHOST &&
        address.range() === "loopback";
    return literal && rules.allowsLiterally(host) &&
      (bounds?.allowed === undefined || bounds.allowed.allowsLiterally(host));
  }

  #isElsewhere(address: IpAddress): boolean {
    return isPublic(address) && !this.#own.has(address);
  }

  #isLocal({ name, address }: Host): boolean {
    return address === undefined
      ? name === LOCALHOST || name.endsWith(`.${LOCALHOST}`)
      : !this.#isElsewhere(address);
  }

  /** Nobody else's proxy is asked for this machine and what is near it. */
  #upstreamProxy({ protocol, host, port }: Target): Proxy | undefined {
    const { upstream, bounds } = this.#options;
    if (upstream === undefined || bounds?.upstreamProxy === false) return undefined;
    if (this.#isLocal(host)) return undefined;
    const scheme = protocol === "http" ? "http" : "https";
    return proxyFor(new URL(`${scheme}://${authorityOf(host, port)}/`), upstream);
  }
}

function direct(addresses: readonly IpAddress[]): Verdict {
  return { kind: "allowed", route: { kind: "direct", addresses } };
}

function local({ name, address }: Host): Denial {
  const what = address === undefined ? `${name} leads to an address` : `${name} is an address`;
  return denied(
    "not_allowed_local",
    `${what} of this machine or a private network, which no rule names`,
  );
}

function administrators(reason: DenialReason, message: string): Denial {
  return { ...denied(reason, message), source: "administrator" };
}

function denied(reason: DenialReason, message: string): Denial {
  return { kind: "denied", reason, source: "baseline_policy", message: `remex: ${message}` };
}
