import { assertEquals, assertThrows } from "@std/assert";
import { OutgoingBodies } from "../../src/http/outgoing_bodies.ts";
import { ErrorCode, RpcError } from "../../src/protocol/errors.ts";
import { FakeSink } from "../support/fake_transport.ts";

Deno.test("the pieces of a body are numbered from 1, and the last says so", () => {
  const sink = new FakeSink();
  const body = new OutgoingBodies(sink).reserve('a "quoted" id');
  body.piece(new TextEncoder().encode("one"));
  body.piece(new Uint8Array([0, 255]));
  body.end("broke off");
  const common = { requestId: 'a "quoted" id', error: null, done: false };
  assertEquals(
    sink.sent.map((text) => JSON.parse(text)),
    [
      { ...common, seq: 1, deltaBase64: btoa("one") },
      { ...common, seq: 2, deltaBase64: "AP8=" },
      { ...common, seq: 3, deltaBase64: "", done: true, error: "broke off" },
    ].map((params) => ({ method: "http/request/bodyDelta", params })),
  );
});

Deno.test("an id is one body's until its end, or until it is given up", () => {
  const bodies = new OutgoingBodies(new FakeSink());
  const first = bodies.reserve("r");
  const error = assertThrows(() => bodies.reserve("r"), RpcError);
  assertEquals(error.code, ErrorCode.InvalidParams);
  assertEquals(error.message, "http/request streamResponse requestId `r` is already active");
  bodies.reserve("other");
  first.end(null);
  const second = bodies.reserve("r");
  // Disposing of the first again takes nothing from the second.
  first[Symbol.dispose]();
  assertThrows(() => bodies.reserve("r"), RpcError);
  second[Symbol.dispose]();
  bodies.reserve("r");
});

Deno.test("there is room again once the client has read", async () => {
  const sink = new FakeSink();
  const bodies = new OutgoingBodies(sink);
  const body = bodies.reserve("r");
  await body.room();
  sink.saturated = true;
  let room = false;
  const waiting = body.room().then(() => room = true);
  bodies.proceed();
  await Promise.resolve();
  assertEquals(room, false);
  sink.saturated = false;
  bodies.proceed();
  await waiting;
});
