import { assertEquals } from "@std/assert";
import { readClientHello } from "../../src/egress/client_hello.ts";

/** A TLS record or several, of one ClientHello. */
function clientHello(
  { name, extensions = name === undefined ? [] : serverName(name), recordBytes = 1 << 14 }: {
    name?: string;
    extensions?: readonly number[];
    recordBytes?: number;
  },
): Uint8Array {
  const body = [
    ...[3, 3],
    ...Array(32).fill(7),
    0,
    ...sized(2, [0x13, 1]),
    ...sized(1, [0]),
    ...sized(2, extensions),
  ];
  const message = [1, ...sized(3, body)];
  const records: number[] = [];
  for (let at = 0; at < message.length; at += recordBytes) {
    records.push(22, 3, 1, ...sized(2, message.slice(at, at + recordBytes)));
  }
  return Uint8Array.from(records);
}

function serverName(name: string): number[] {
  const bytes = [...new TextEncoder().encode(name)];
  return [0, 0, ...sized(2, sized(2, [0, ...sized(2, bytes)]))];
}

function sized(octets: number, bytes: readonly number[]): number[] {
  const size = Array.from(
    { length: octets },
    (_, index) => bytes.length >> 8 * (octets - 1 - index),
  );
  return [...size.map((byte) => byte & 255), ...bytes];
}

Deno.test("the name of the server is found", () => {
  const bytes = clientHello({ name: "example.com" });
  assertEquals(readClientHello(bytes), { kind: "clientHello", serverName: "example.com" });
});

Deno.test("the name is found among others, and in several records", () => {
  const extensions = [0, 43, ...sized(2, [2, 3, 4]), ...serverName("a.example"), 0, 10, 0, 0];
  for (const recordBytes of [1, 5, 40, 1 << 14]) {
    assertEquals(
      readClientHello(clientHello({ extensions, recordBytes })),
      { kind: "clientHello", serverName: "a.example" },
    );
  }
});

Deno.test("without the extension there is no name", () => {
  assertEquals(readClientHello(clientHello({})), { kind: "clientHello", serverName: undefined });
});

Deno.test("it takes all of the message to tell", () => {
  const bytes = clientHello({ name: "example.com", recordBytes: 30 });
  for (let length = 0; length < bytes.length; length++) {
    assertEquals(readClientHello(bytes.subarray(0, length)), { kind: "incomplete" });
  }
});

Deno.test("what is no TLS is left alone", () => {
  for (const text of ["GET / HTTP/1.1\r\n", "SSH-2.0-x\r\n", "\x00", "\x15\x02\x01", "\x19\x03"]) {
    assertEquals(readClientHello(new TextEncoder().encode(text)), { kind: "notTls" });
  }
});

Deno.test("what begins like TLS and is none is malformed", () => {
  const twice = [...serverName("a.example"), ...serverName("b.example")];
  const two = [0, 0, ...sized(2, sized(2, [0, ...sized(2, [97]), 0, ...sized(2, [98])]))];
  const cases = [
    // Records that some servers pass over: an alert, a change of the cipher, a heartbeat.
    Uint8Array.of(21, 3, 1, 0, 2, 1, 90, ...clientHello({ name: "b.example" })),
    Uint8Array.of(20, 3),
    Uint8Array.of(24, 3),
    Uint8Array.of(22, 2),
    Uint8Array.of(22, 3, 1, 0, 0),
    Uint8Array.of(22, 3, 1, 255, 255),
    Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0),
    Uint8Array.of(22, 3, 1, 0, 4, 1, 255, 255, 255),
    Uint8Array.of(22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3),
    clientHello({ extensions: twice }),
    clientHello({ extensions: two }),
    clientHello({ extensions: [0, 0, 0, 200, 1] }),
    clientHello({ extensions: [0, 0, 0, 0] }),
  ];
  for (const bytes of cases) {
    assertEquals(readClientHello(bytes), { kind: "malformed" }, `${bytes}`);
  }
});
