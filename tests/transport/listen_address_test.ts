import { assertEquals, assertThrows } from "@std/assert";
import {
  formatListenAddress,
  isLoopback,
  type ListenAddress,
  parseListenAddress,
} from "../../src/transport/listen_address.ts";

const websocket = (hostname: string, port: number): ListenAddress => ({
  kind: "websocket",
  hostname,
  port,
});

Deno.test("addresses are read, and written as they were", () => {
  const cases: [text: string, address: ListenAddress][] = [
    ["stdio", { kind: "stdio" }],
    ["unix:/run/a.sock", { kind: "unix", path: "/run/a.sock" }],
    ["unix:a b:c", { kind: "unix", path: "a b:c" }],
    ["ws://127.0.0.1:0", websocket("127.0.0.1", 0)],
    ["ws://0.0.0.0:65535", websocket("0.0.0.0", 65535)],
    ["ws://[::1]:8080", websocket("::1", 8080)],
    ["ws://[::ffff:10.0.0.1]:1", websocket("::ffff:10.0.0.1", 1)],
    ["ws://localhost:80", websocket("localhost", 80)],
  ];
  for (const [text, address] of cases) {
    assertEquals(parseListenAddress(text), address, text);
    assertEquals(formatListenAddress(address), text);
  }
});

Deno.test("other spellings are read too", () => {
  assertEquals(parseListenAddress("stdio://"), { kind: "stdio" });
  assertEquals(parseListenAddress("ws://127.0.0.1:08080/"), websocket("127.0.0.1", 8080));
});

Deno.test("what is no address is refused and named", () => {
  const wrong = [
    "",
    "unix:",
    "STDIO",
    "stdio:",
    "127.0.0.1:80",
    "ws://",
    "ws://:80",
    "ws://127.0.0.1",
    "ws://127.0.0.1:",
    "ws://127.0.0.1:65536",
    "ws://127.0.0.1:99999",
    "ws://127.0.0.1:-1",
    "ws://127.0.0.1:1e3",
    "ws://127.0.0.1:80/path",
    "ws://127.0.0.1:80?a",
    "ws://a@127.0.0.1:80",
    "ws://::1:80",
    "ws://[::1:80",
    "ws://[x]:80",
    "ws://a b:80",
    "wss://127.0.0.1:80",
    "http://127.0.0.1:80",
    "ws://127.0.0.1:80\n",
  ];
  for (const text of wrong) assertThrows(() => parseListenAddress(text), Error, `\`${text}\``);
});

Deno.test("loopback addresses are told from those that others can reach", () => {
  const cases: [hostname: string, loopback: boolean][] = [
    ["127.0.0.1", true],
    ["127.255.0.3", true],
    ["::1", true],
    ["localhost", true],
    ["0.0.0.0", false],
    ["::", false],
    ["", false],
    ["10.127.0.0.1", false],
    ["1270.0.0.1", false],
    ["127.0.0.1.example.org", false],
    ["localhost.example.org", false],
    ["::ffff:10.0.0.1", false],
  ];
  for (const [hostname, loopback] of cases) assertEquals(isLoopback(hostname), loopback, hostname);
});
