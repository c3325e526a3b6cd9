import { concat } from "@std/bytes/concat";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { once } from "node:events";
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  createZstdCompress,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { decodedResponse } from "../../src/http/content_coding.ts";
import { MAX_BUFFERED_BODY_BYTES } from "../../src/http/perform.ts";
import type { ResponseBody } from "../../src/http/response.ts";
import { settled } from "../support/patience.ts";
import { ScriptedServer } from "../support/scripted_server.ts";
import { ask, failure } from "./requesting.ts";

const BROKEN_BODY = "failed to read http/request response body: error decoding response body";
const TOO_LARGE = "failed to read http/request response body: " +
  `larger than ${MAX_BUFFERED_BODY_BYTES} bytes; ask for it as a stream`;
const MIB = 1024 * 1024;

const CODINGS:
  readonly (readonly [name: string, encode: (body: string | Uint8Array) => Uint8Array])[] = [
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
  ];

/** A server that gives everybody one body in a coding. */
function giving(coding: string, body: Uint8Array, status = 200): ScriptedServer {
  return new ScriptedServer(async ({ send }) => {
    await send(
      `HTTP/1.1 ${status} X\r\nContent-Encoding: ${coding}\r\nX-Own: 1\r\n` +
        `Content-Length: ${body.length}\r\n\r\n`,
    );
    await send(body);
  });
}

/** The pieces of a decoded body. */
function decoded(coding: string, body: ResponseBody, signal = new AbortController().signal) {
  const headers = [{ name: "content-encoding", value: coding }];
  return decodedResponse({ status: 200, headers }, body, signal).body;
}

function damagedAtItsEnd(body: Uint8Array): Uint8Array {
  return body.with(-1, (body.at(-1) ?? 0) ^ 0x5a);
}

/** Bytes that no coding makes fewer. */
function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += 65536) {
    crypto.getRandomValues(bytes.subarray(start, start + 65536));
  }
  return bytes;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("a coded body is decoded, and the headers no longer tell of it", async () => {
  const body = noise(10_000).toHex() + "0123456789".repeat(50_000);
  for (const [coding, encode] of CODINGS) {
    using server = giving(coding, encode(body));
    const answer = await ask(server.url());
    assertEquals(answer.headers, ["x-own: 1"], coding);
    assertEquals(answer.body === body, true, coding);
  }
});

Deno.test("a body is decoded wherever it is cut into pieces", async () => {
  async function* bytes(body: Uint8Array): ResponseBody {
    for (const byte of body) yield Uint8Array.of(byte);
  }
  for (const [coding, encode] of CODINGS) {
    const pieces = await Array.fromAsync(decoded(coding, bytes(encode("0123456789".repeat(500)))));
    assertEquals(text(concat(pieces)), "0123456789".repeat(500), coding);
  }
});

Deno.test("a coding has other names and forms", async () => {
  const skipped = Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const zstd = (value: string, params?: Record<number, number>) =>
    zstdCompressSync(value, params === undefined ? {} : { params });
  const withChecksum = { [constants.ZSTD_c_checksumFlag]: 1 };
  const cases: [coding: string, body: Uint8Array][] = [
    ["x-gzip", gzipSync("hello")],
    ["GZip", gzipSync("hello")],
    ["gzip", concat([gzipSync("hel"), gzipSync("lo")])],
    ["deflate", deflateRawSync("hello")],
    ["zstd", concat([zstd("hel"), skipped, zstd("lo", withChecksum), skipped])],
  ];
  for (const [coding, body] of cases) {
    using server = giving(coding, body);
    assertEquals((await ask(server.url())).body, "hello", coding);
  }
});

Deno.test("the coding that a client asks for itself is decoded too, and that of a part", async () => {
  using server = giving("gzip", gzipSync("hello"), 206);
  const headers = [["Accept-Encoding", "gzip"], ["Range", "bytes=0-"]] as const;
  assertEquals(await ask(server.url(), { headers }), {
    status: 206,
    headers: ["x-own: 1"],
    body: "hello",
  });
});

Deno.test("several codings and unknown ones are left as they are", async () => {
  for (const coding of ["zstd, gzip", "identity", "compress", "gzip\r\nContent-Encoding: gzip"]) {
    using server = giving(coding, new TextEncoder().encode("as it is"));
    const { headers, body } = await ask(server.url());
    assertEquals(body, "as it is");
    assertEquals(headers.at(-1), "content-length: 8");
    assertEquals(
      headers.filter((line) => line.startsWith("content-encoding: ")).join("\r\n"),
      [
        ...coding.split("\r\n").slice(0, 1).map((value) => `content-encoding: ${value}`),
        ...coding.split("\r\n").slice(1).map((line) => line.replace("C", "c").replace("E", "e")),
      ].join("\r\n"),
    );
  }
});

Deno.test("where there is no body, nothing is decoded", async () => {
  const headers = ["content-encoding: gzip", "content-length: 30"];
  for (const [method, status] of [["HEAD", 200], ["GET", 204], ["GET", 304]] as const) {
    using server = new ScriptedServer(({ send }) =>
      send(`HTTP/1.1 ${status} X\r\n${headers.join("\r\n")}\r\n\r\n`)
    );
    assertEquals(await ask(server.url(), { method }), { status, headers, body: "" });
  }
  for (const [coding] of CODINGS) {
    using server = giving(coding, new Uint8Array());
    assertEquals((await ask(server.url())).body, "");
  }
});

Deno.test("a coded body that is broken is an error like one that breaks off", async () => {
  for (const [coding, encode] of CODINGS) {
    const body = encode("0123456789".repeat(20) + noise(100).toHex());
    const cuts = [1, 2, 3, 5, body.length >> 1, body.length - 5, body.length - 1];
    for (
      const broken of [
        new TextEncoder().encode("<!doctype html>"),
        // Its checksum, which br and zstd as they are here do not have.
        ...coding === "br" || coding === "zstd" ? [] : [damagedAtItsEnd(body)],
        ...cuts.map((length) => body.subarray(0, length)),
      ]
    ) {
      using server = giving(coding, broken);
      assertEquals(await failure(server.url()), BROKEN_BODY, `${coding} ${broken}`);
    }
    using server = new ScriptedServer(async ({ send }) => {
      await send(`HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: 9999\r\n\r\n`);
      await send(body);
    });
    assertEquals(await failure(server.url()), BROKEN_BODY, `${coding} that breaks off`);
  }
});

Deno.test("zstd that needs too much memory is refused", async () => {
  const params = { [constants.ZSTD_c_windowLog]: 24 };
  using server = giving("zstd", zstdCompressSync(noise(17 * MIB), { params }));
  assertEquals(await failure(server.url()), BROKEN_BODY);
});

Deno.test("what a server has flushed is decoded before more comes", async () => {
  const coders = {
    gzip: () => createGzip(),
    deflate: () => createDeflate(),
    br: () => createBrotliCompress(),
    zstd: () => createZstdCompress(),
  };
  for (const [coding, create] of Object.entries(coders)) {
    const coder = create();
    const never = Promise.withResolvers<void>();
    const end = new AbortController();
    const flushed = async function* (): ResponseBody {
      for (const event of ["one", "two", "three"]) {
        coder.write(event);
        const done = Promise.withResolvers<void>();
        coder.flush(() => done.resolve());
        await done.promise;
        if (coder.readableLength === 0) await once(coder, "readable");
        yield Uint8Array.from(coder.read());
      }
      await never.promise;
    };
    const body = decoded(coding, flushed(), end.signal);
    for (const event of ["one", "two", "three"]) {
      let got = "";
      while (got.length < event.length) {
        const { value } = await settled(body.next(), `${event} in ${coding}`);
        got += text(value ?? new Uint8Array());
      }
      assertEquals(got, event);
    }
    never.resolve();
    await assertRejects(() => body.next());
    coder.destroy();
  }
});

Deno.test("a small body that becomes too large is not decoded to its end", async () => {
  for (const [coding, encode] of CODINGS) {
    const gone = Promise.withResolvers<void>();
    const zeros = encode(new Uint8Array(MAX_BUFFERED_BODY_BYTES + 1));
    using server = new ScriptedServer(async ({ send, clientGone }) => {
      await send(`HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\n\r\n`);
      await send(zeros);
      await clientGone;
      gone.resolve();
    });
    assertEquals(await failure(server.url()), TOO_LARGE, coding);
    await settled(gone.promise, "the end of the connection");
  }
});

Deno.test("a body that never stops growing is not collected", async () => {
  const member = gzipSync(new Uint8Array(64 * MIB));
  const gone = Promise.withResolvers<void>();
  using server = new ScriptedServer(async ({ send, clientGone }) => {
    await send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
    try {
      for (;;) await send(member);
    } finally {
      await clientGone;
      gone.resolve();
    }
  });
  assertEquals(await failure(server.url()), TOO_LARGE);
  await settled(gone.promise, "the end of the connection");
});

Deno.test("no more is taken from a server than its client takes", async () => {
  const pieceBytes = 8192;
  for (const [coding, encode] of CODINGS) {
    const coded = encode(noise(MIB / 2).toHex());
    let taken = 0;
    const pieces = async function* (): ResponseBody {
      for (; taken < coded.length; taken += pieceBytes) {
        yield Uint8Array.from(coded.subarray(taken, taken + pieceBytes));
      }
    };
    const body = decoded(coding, pieces());
    const first = await body.next();
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setTimeout(resolve));
    assert(taken < MIB / 4, `${taken} bytes of ${coding}`);
    let length = first.value?.length ?? 0;
    for await (const piece of body) length += piece.length;
    assertEquals(length, MIB);
  }
});

Deno.test("the end of a request ends a decoder that still has something to do", async () => {
  for (const [coding, encode] of CODINGS) {
    const zeros = encode(new Uint8Array(4 * MIB));
    const end = new AbortController();
    const pieces = async function* (): ResponseBody {
      yield Uint8Array.from(zeros);
    };
    const body = decoded(coding, pieces(), end.signal);
    await body.next();
    end.abort();
    await assertRejects(() => body.next(), DOMException);
    assertEquals(await body.next(), { done: true, value: undefined });
  }
});
