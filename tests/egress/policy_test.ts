import { assertEquals, assertMatch } from "@std/assert";
import ipaddr from "ipaddr.js";
import { type DomainPermission, DomainRules } from "../../src/egress/domain_rules.ts";
import { parseHost } from "../../src/egress/host.ts";
import {
  EgressPolicy,
  type EgressPolicyOptions,
  type EgressProtocol,
  type Verdict,
} from "../../src/egress/policy.ts";

/** Names and their addresses, as a name server would tell them; others have none. */
const NAMES: Record<string, readonly string[]> = {
  "good.example": ["93.184.216.34"],
  "two.example": ["10.0.0.1", "93.184.216.34", "2606:4700::1"],
  "inside.example": ["10.0.0.1"],
  "metadata.example": ["169.254.169.254"],
  "rebound.example": ["127.0.0.1"],
  "mapped.example": ["::ffff:127.0.0.1"],
  "localhost": ["127.0.0.1", "::1"],
};

function policy(
  rules: Record<string, DomainPermission>,
  more: Partial<EgressPolicyOptions> = {},
): EgressPolicy {
  return new EgressPolicy({
    rules: new DomainRules(Object.entries(rules)),
    mode: "full",
    upstream: undefined,
    bounds: undefined,
    ask: undefined,
    resolve: (name) => {
      const addresses = NAMES[name];
      return addresses === undefined
        ? Promise.reject(new Error("no such name"))
        : Promise.resolve(addresses.map((address) => ipaddr.parse(address)));
    },
    ...more,
  });
}

function judge(
  judged: EgressPolicy,
  host: string,
  { port = 443, protocol = "https_connect", ...request }: {
    port?: number;
    protocol?: EgressProtocol;
    method?: string;
    upgrade?: string;
  } = {},
): Promise<Verdict> {
  return judged.judge({
    protocol,
    host: parseHost(host),
    port,
    ...request,
  });
}

/** The reason of a denial, or where it leads. */
async function outcome(...args: Parameters<typeof judge>): Promise<string> {
  const verdict = await judge(...args);
  switch (verdict.kind) {
    case "denied":
      return verdict.reason;
    case "unreachable":
      return "unreachable";
    case "allowed":
      return verdict.route.kind === "upstream"
        ? `by ${verdict.route.proxy.host}`
        : verdict.route.addresses.join(" ");
  }
}

Deno.test("a name that is allowed leads to the addresses it has", async () => {
  assertEquals(await outcome(policy({ "good.example": "allow" }), "good.example"), "93.184.216.34");
  assertEquals(await outcome(policy({ "*": "allow" }), "nowhere.example"), "unreachable");
});

Deno.test("no rule, no way; a denial before what allows", async () => {
  assertEquals(await outcome(policy({}), "good.example"), "not_allowed");
  const both = policy({ "*": "allow", "good.example": "deny" });
  assertEquals(await outcome(both, "good.example"), "denied");
});

Deno.test("a name that leads inside is refused though it is allowed", async () => {
  const all = policy({ "*": "allow", "**.example": "allow", "10.0.0.1": "allow" });
  for (const name of ["inside", "metadata", "rebound", "mapped"]) {
    assertEquals(await outcome(all, `${name}.example`), "not_allowed_local");
  }
  assertEquals(await outcome(all, "two.example"), "93.184.216.34 2606:4700::1");
});

Deno.test("an address inside is reached if a rule names it, and only as that", async () => {
  const one = policy({ "*": "allow", "10.0.0.1": "allow" });
  assertEquals(await outcome(one, "10.0.0.1"), "10.0.0.1");
  assertEquals(await outcome(one, "0x0a.1"), "10.0.0.1");
  assertEquals(await outcome(one, "10.0.0.2"), "not_allowed_local");
  assertEquals(await outcome(one, "127.0.0.1"), "not_allowed_local");
  assertEquals(await outcome(one, "[::1]"), "not_allowed_local");
  assertEquals(await outcome(one, "localhost"), "not_allowed_local");
  const below = policy({ "*": "allow", "**.localhost": "allow" });
  assertEquals(await outcome(below, "localhost"), "not_allowed_local");
  assertEquals(await outcome(policy({ localhost: "allow" }), "localhost"), "127.0.0.1 ::1");
});

Deno.test("the executor's own port is nobody's, by whatever name of this machine", async () => {
  const rules = { localhost: "allow", "127.0.0.1": "allow", "*": "allow" } as const;
  const own = policy(rules, { ownPorts: [7777] });
  for (const host of ["localhost", "127.0.0.1"]) {
    assertEquals(await outcome(own, host, { port: 7777 }), "not_allowed_local");
    assertEquals((await outcome(own, host, { port: 7778 })).startsWith("127.0.0.1"), true);
  }
  assertEquals(await outcome(own, "good.example", { port: 7777 }), "93.184.216.34");
});

Deno.test("port 25 is nobody's", async () => {
  const all = policy({ "*": "allow" });
  assertEquals(await outcome(all, "good.example", { port: 25 }), "port_not_allowed");
});

Deno.test("limited leaves reading without encryption", async () => {
  const limited = policy({ "*": "allow" }, { mode: "limited" });
  for (const method of ["GET", "HEAD", "OPTIONS"]) {
    const request = { port: 80, protocol: "http", method } as const;
    assertEquals(await outcome(limited, "good.example", request), "93.184.216.34");
  }
  for (const method of ["POST", "PUT", "get", "TRACE", "PROPFIND"]) {
    const request = { port: 80, protocol: "http", method } as const;
    assertEquals(await outcome(limited, "good.example", request), "method_not_allowed");
  }
  const upgrade = { port: 80, protocol: "http", method: "GET", upgrade: "h2c" } as const;
  assertEquals(await outcome(limited, "good.example", upgrade), "method_not_allowed");
  assertEquals(await outcome(limited, "good.example"), "method_not_allowed");
  assertEquals(
    await outcome(limited, "good.example", { protocol: "socks5_tcp" }),
    "method_not_allowed",
  );
});

Deno.test("what no rule decides is asked, and nothing else", async () => {
  const asked: string[] = [];
  const asking = policy({ "good.example": "allow", "bad.example": "deny" }, {
    ask: ({ host }) => {
      asked.push(host.name);
      return Promise.resolve(
        host.name === "two.example" || host.name === "inside.example"
          ? { allow: true }
          : { allow: false, reason: "not today" },
      );
    },
  });
  assertEquals(await outcome(asking, "good.example"), "93.184.216.34");
  assertEquals(await outcome(asking, "bad.example"), "denied");
  assertEquals(await outcome(asking, "127.0.0.1"), "not_allowed_local");
  assertEquals(asked, []);
  assertEquals(await outcome(asking, "two.example"), "93.184.216.34 2606:4700::1");
  assertEquals(await outcome(asking, "inside.example"), "not_allowed_local");
  const verdict = await judge(asking, "other.example");
  assertEquals(verdict.kind, "denied");
  assertMatch(verdict.kind === "denied" ? verdict.message : "", /other\.example .* not today$/);
  assertEquals(asked, ["two.example", "inside.example", "other.example"]);
});

Deno.test("what an administrator demands binds rules and answers", async () => {
  const bounds = {
    allowed: new DomainRules([["**.example", "allow"], ["127.0.0.1", "allow"]]),
    denied: new DomainRules([["two.example", "deny"]]),
    upstreamProxy: true,
  };
  const asking = policy(
    { "*": "allow", "127.0.0.1": "allow", "10.0.0.1": "allow" },
    { bounds, ask: () => Promise.resolve({ allow: true }) },
  );
  assertEquals(await outcome(asking, "good.example"), "93.184.216.34");
  assertEquals(await outcome(asking, "two.example"), "denied");
  assertEquals(await outcome(asking, "good.test"), "not_allowed");
  assertEquals(await outcome(asking, "127.0.0.1"), "127.0.0.1");
  assertEquals(await outcome(asking, "10.0.0.1"), "not_allowed");
  const anything = { ...bounds, allowed: new DomainRules([["*", "allow"]]) };
  const lax = policy({ "10.0.0.1": "allow" }, { bounds: anything });
  assertEquals(await outcome(lax, "10.0.0.1"), "not_allowed_local");
});

Deno.test("the executor's own proxy is used for what is outside, where that is allowed", async () => {
  const upstream = { HTTPS_PROXY: "http://proxy.test:8080", NO_PROXY: "good.example" };
  const rules = { "*": "allow", "10.0.0.1": "allow", "two.example": "deny" } as const;
  const through = policy(rules, { upstream });
  assertEquals(await outcome(through, "unknown.example"), "by proxy.test");
  assertEquals(await outcome(through, "good.example"), "93.184.216.34");
  assertEquals(await outcome(through, "two.example"), "denied");
  assertEquals(await outcome(through, "10.0.0.1"), "10.0.0.1");
  assertEquals(await outcome(through, "169.254.169.254"), "not_allowed_local");
  const forbidden = { allowed: undefined, denied: undefined, upstreamProxy: false };
  const direct = policy(rules, { upstream, bounds: forbidden });
  assertEquals(await outcome(direct, "good.example"), "93.184.216.34");
  const unsupported = policy(rules, { upstream: { ALL_PROXY: "socks5://proxy.test" } });
  assertEquals(await outcome(unsupported, "good.example"), "unreachable");
});
