import ipaddr from "ipaddr.js";
import { type DomainPermission, DomainRules } from "../../../src/egress/domain_rules.ts";
import { EgressProxy } from "../../../src/egress/egress_proxy.ts";
import type { PortEntrance } from "../../../src/egress/port_entrance.ts";
import { EgressPolicy, type EgressPolicyOptions } from "../../../src/egress/policy.ts";
import { type LoopbackServer, serveLoopback } from "../../e2e/sandbox/support/http_proxy.ts";

/** A proxy on a port of this test's, for which every name leads to one server of it. */
export interface ServedProxy extends AsyncDisposable {
  readonly proxy: EgressProxy;
  readonly port: number;
  /** Sends something, and gives all that comes back. Further parts go out as they are pulled. */
  send(...parts: (string | Uint8Array<ArrayBuffer>)[]): Promise<string>;
}

/** Serves a proxy with these rules; `good.example` and what is below it is allowed. */
export function serveProxy(
  origin: LoopbackServer,
  { rules = { "**.good.example": "allow" }, entrance, ...more }: {
    readonly rules?: Record<string, DomainPermission>;
    readonly entrance?: PortEntrance;
  } & Partial<Omit<EgressPolicyOptions, "rules">> = {},
): ServedProxy {
  const policy = new EgressPolicy({
    rules: new DomainRules(Object.entries(rules)),
    mode: "full",
    upstream: undefined,
    bounds: undefined,
    ask: undefined,
    resolve: () => Promise.resolve([ipaddr.parse("93.184.216.34")]),
    ...more,
  });
  const proxy = new EgressProxy({
    policy,
    entrance,
    socks: true,
    rules: "",
    localBinding: false,
    connect: () => Deno.connect({ hostname: "127.0.0.1", port: origin.port }),
    observer: { decided: () => {} },
  });
  const server = serveLoopback((connection) => proxy.serve(once(connection)));
  return {
    proxy,
    port: server.port,
    send: (...parts) => converse(server.port, parts),
    async [Symbol.asyncDispose]() {
      proxy[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The runtime's connections mind being closed twice. */
export function once(connection: Deno.Conn) {
  let closed = false;
  return {
    read: (buffer: Uint8Array<ArrayBuffer>) => connection.read(buffer),
    write: (bytes: Uint8Array<ArrayBuffer>) => connection.write(bytes),
    closeWrite: () => connection.closeWrite(),
    close: () => {
      if (!closed) connection.close();
      closed = true;
    },
  };
}

/** Sends parts, each when something has come back since the last, and reads to the end. */
async function converse(
  port: number,
  parts: readonly (string | Uint8Array<ArrayBuffer>)[],
): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const buffer = new Uint8Array(64 * 1024);
  let answer = "";
  const [first, ...rest] = parts;
  try {
    await write(connection, first ?? "");
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      answer += new TextDecoder("latin1").decode(buffer.subarray(0, count));
      const next = rest.shift();
      if (next !== undefined) await write(connection, next);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    answer += "<reset>";
  }
  return answer;
}

async function write(connection: Deno.Conn, part: string | Uint8Array<ArrayBuffer>) {
  const bytes = typeof part === "string" ? new TextEncoder().encode(part) : part;
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** A server that answers every request with what it was asked, and remembers all that it read. */
export function serveEcho(
  answer: (request: string) => string = (request) => {
    const body = `saw ${request.split("\r\n")[0]}\n`;
    return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  },
): LoopbackServer {
  return serveLoopback(async (connection, requests) => {
    const buffer = new Uint8Array(64 * 1024);
    const index = requests.push("") - 1;
    let answered = false;
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) return;
      requests[index] += new TextDecoder().decode(buffer.subarray(0, count));
      if (answered || !requests[index]?.includes("\r\n\r\n")) continue;
      answered = true;
      await write(connection, answer(requests[index] ?? ""));
    }
  });
}
