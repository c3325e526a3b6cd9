import { type Host, HostError, parseHost } from "./host.ts";

/** What a rule says of the hosts that it is about; `none` says nothing. */
export type DomainPermission = "allow" | "deny" | "none";

/** A rule's pattern cannot be understood. */
export class DomainPatternError extends Error {
  override readonly name = "DomainPatternError";
}

type Pattern =
  /** One host. */
  | { readonly kind: "host"; readonly host: Host }
  /** What is below a name, and with `apex` the name too. */
  | { readonly kind: "below"; readonly name: string; readonly apex: boolean }
  /** Every host. */
  | { readonly kind: "any" };

/**
 * Reads a pattern: `example.com` is that host, `*.example.com` what is below it, `**.example.com`
 * both, `*` every public host. An address is a name of its own.
 *
 * @throws {DomainPatternError}
 */
function parsePattern(text: string): Pattern {
  if (text === "") throw new DomainPatternError("a domain pattern is empty");
  if (text === "*") return { kind: "any" };
  const prefix = /^\*\*?\./.exec(text)?.[0] ?? "";
  const host = hostIn(text, text.slice(prefix.length));
  if (prefix === "") return { kind: "host", host };
  if (host.address !== undefined) {
    throw new DomainPatternError(`the domain pattern '${text}' is about what is below an address`);
  }
  return { kind: "below", name: host.name, apex: prefix === "**." };
}

function hostIn(pattern: string, rest: string): Host {
  try {
    return parseHost(rest);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new DomainPatternError(
      `the domain pattern '${pattern}' is none of NAME, *.NAME, **.NAME, an address and *` +
        (/[:/]/.test(rest) ? "; it has neither a scheme nor a port nor a path" : ""),
    );
  }
}

/** Which hosts are allowed and which are denied. */
export class DomainRules {
  readonly #allowed: PatternSet;
  readonly #denied: PatternSet;

  /** @throws {DomainPatternError} naming the pattern that cannot be understood */
  constructor(rules: Iterable<readonly [pattern: string, permission: DomainPermission]>) {
    const patterns = Array.from(rules, ([pattern, permission]) => ({
      pattern: parsePattern(pattern),
      permission,
    }));
    const having = (wanted: DomainPermission) =>
      new PatternSet(
        patterns.filter(({ permission }) => permission === wanted).map(({ pattern }) => pattern),
      );
    this.#allowed = having("allow");
    this.#denied = having("deny");
  }

  /** What the rules say of a host; a denial goes before everything else. */
  decide(host: Host): "allow" | "deny" | "undecided" {
    if (this.#denied.matches(host)) return "deny";
    return this.#allowed.matches(host) ? "allow" : "undecided";
  }

  /** Whether a rule allows exactly this host, and none denies it. */
  allowsLiterally(host: Host): boolean {
    return this.#allowed.names(host) && !this.#denied.matches(host);
  }

  /** Whether a rule allows one of the hosts literally. */
  allowsAny(hosts: readonly Host[]): boolean {
    return hosts.some((host) => this.allowsLiterally(host));
  }
}

class PatternSet {
  readonly #hosts = new Set<string>();
  /** Names that are allowed along with what is below them. */
  readonly #apexes = new Set<string>();
  readonly #below = new Set<string>();
  readonly #any: boolean;

  constructor(patterns: readonly Pattern[]) {
    this.#any = patterns.some(({ kind }) => kind === "any");
    for (const pattern of patterns) {
      if (pattern.kind === "host") this.#hosts.add(pattern.host.name);
      if (pattern.kind !== "below") continue;
      this.#below.add(pattern.name);
      if (pattern.apex) this.#apexes.add(pattern.name);
    }
  }

  /** Whether a pattern is this host and no other. */
  names(host: Host): boolean {
    return this.#hosts.has(host.name);
  }

  matches(host: Host): boolean {
    if (this.#any || this.names(host)) return true;
    return host.address === undefined && (this.#apexes.has(host.name) || this.#isBelow(host));
  }

  #isBelow({ name }: Host): boolean {
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      if (this.#below.has(name.slice(dot + 1))) return true;
    }
    return false;
  }
}
