import { assertEquals } from "@std/assert";
import { constants } from "node:os";
import { PathJudge } from "../../../src/sandbox/supervisor/policy.ts";

const { EACCES, EBUSY, EROFS } = constants.errno;

const judge = new PathJudge({
  grants: [
    { path: "/", access: "read" },
    { path: "/ws", access: "write" },
    { path: "/ws/.git", access: "read" },
    { path: "/ws/a/b/keep", access: "read" },
    { path: "/ws/secret", access: "deny" },
    { path: "/ws/.git/open", access: "write" },
  ],
  devices: ["/dev/null"],
});

Deno.test("the most specific grant decides", () => {
  assertEquals(judge.change("/ws/f"), 0);
  assertEquals(judge.change("/etc/f"), EROFS);
  assertEquals(judge.change("/ws/.git/f"), EROFS);
  assertEquals(judge.change("/ws/.gitignore"), 0);
  assertEquals(judge.change("/ws/.git/open/f"), 0);
  assertEquals(judge.change("/ws/secret/f"), EACCES);
  assertEquals([judge.read("/ws/secret/f"), judge.read("/ws/.git/f")], [EACCES, 0]);
});

Deno.test("a name is a matter of its directory too", () => {
  assertEquals(judge.create("/ws", "/ws/new"), 0);
  assertEquals(judge.create("/ws", "/ws/.git"), EROFS);
  assertEquals(judge.create("/ws/.git", "/ws/.git/open"), EROFS);
  assertEquals(judge.create("/", "/ws"), EROFS);
});

Deno.test("what leads to something protected stays where it is", () => {
  assertEquals(judge.replace("/ws", "/ws/f"), 0);
  assertEquals(judge.replace("/ws", "/ws/a"), EBUSY);
  assertEquals(judge.replace("/ws/a", "/ws/a/b"), EBUSY);
  assertEquals(judge.replace("/ws/a/b", "/ws/a/b/other"), 0);
  assertEquals(judge.replace("/ws", "/ws/ab"), 0);
});

Deno.test("devices are written to and stay as they are", () => {
  assertEquals(judge.write("/dev/null"), 0);
  assertEquals(judge.change("/dev/null"), EROFS);
  assertEquals(judge.replace("/dev", "/dev/null"), EROFS);
  assertEquals([judge.write("/dev/sda"), judge.write("/ws/f")], [EROFS, 0]);
});
