import { assert, assertEquals, assertMatch } from "@std/assert";
import ipaddr from "ipaddr.js";
import { DomainRules } from "../../src/egress/domain_rules.ts";
import { EgressProxy } from "../../src/egress/egress_proxy.ts";
import { EgressPolicy } from "../../src/egress/policy.ts";

const REQUESTS = 100_000;
const VALID = [
  "GET http://good.example/ HTTP/1.1\r\nHost: good.example\r\n\r\n",
  "POST http://good.example/ HTTP/1.1\r\nHost: good.example\r\nContent-Length: 3\r\n\r\nabc",
  "POST http://a.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  "CONNECT good.example:443 HTTP/1.1\r\nHost: good.example\r\n\r\n\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
  "\x05\x01\x00\x05\x01\x00\x03\x0cgood.example\x01\xbb",
];
const PIECES = [
  "\r\n",
  "\n",
  "\r",
  " ",
  ":",
  "\0",
  "http://",
  "@",
  "[",
  "]",
  "%",
  "\xff",
  "0x",
  "\x16",
];

/** A connection that says something and ends, and keeps what it is told. */
class ScriptedStream {
  readonly #says: Uint8Array;
  #said = 0;
  heard = "";
  closed = false;

  constructor(says: string) {
    this.#says = Uint8Array.from(says, (character) => character.charCodeAt(0));
  }

  read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null> {
    const rest = this.#says.subarray(this.#said, this.#said + buffer.length);
    this.#said += rest.length;
    buffer.set(rest);
    return Promise.resolve(rest.length === 0 ? null : rest.length);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    this.heard += String.fromCharCode(...bytes);
    return Promise.resolve(bytes.length);
  }

  closeWrite(): void {}

  close(): void {
    this.closed = true;
  }
}

Deno.test("a hundred thousand malformed requests: each is answered or closed, none gets anywhere", async () => {
  // Whatever the requests say, the same in every run.
  let seed = 20261128;
  const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below;
  const denied: string[] = [];
  const proxy = new EgressProxy({
    policy: new EgressPolicy({
      rules: new DomainRules([["good.example", "allow"]]),
      mode: "full",
      upstream: undefined,
      bounds: undefined,
      ask: undefined,
      resolve: (name) => {
        assertEquals(name, "good.example");
        return Promise.resolve([ipaddr.parse("93.184.216.34")]);
      },
    }),
    socks: true,
    rules: "",
    localBinding: false,
    connect: (address) => {
      assertEquals(address.toString(), "93.184.216.34");
      return Promise.resolve(new ScriptedStream("HTTP/1.1 204 No Content\r\n\r\n"));
    },
    observer: {
      decided: ({ host }, verdict) => void (verdict.kind === "denied" && denied.push(host.name)),
    },
  });
  for (let count = 0; count < REQUESTS; count++) {
    let text = VALID[random(VALID.length)] ?? "";
    for (let changes = 1 + random(3); changes > 0; changes--) {
      const at = random(text.length);
      const piece = PIECES[random(PIECES.length)] ?? "";
      text = text.slice(0, at) + piece + text.slice(at + random(3));
    }
    const stream = new ScriptedStream(text);
    await proxy.serve(stream);
    assert(stream.closed, text);
    if (stream.heard !== "" && !stream.heard.startsWith("\x05")) {
      assertMatch(stream.heard, /^HTTP\/1\.1 (?:200|204|400|403|502) /);
    }
  }
  assert(denied.length > 0 && !denied.includes("good.example:80"));
});
