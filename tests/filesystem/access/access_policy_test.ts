import { assertEquals, assertThrows } from "@std/assert";
import { AccessPolicy } from "../../../src/filesystem/access/access_policy.ts";
import { RpcError } from "../../../src/protocol/errors.ts";
import { glob, path, special, type WireEntry } from "../../sandbox/context.ts";
import { grantedIn } from "./scene.ts";

const ignore = Deno.build.os === "windows";

function policy(...entries: WireEntry[]): AccessPolicy {
  return new AccessPolicy(grantedIn("/", entries));
}

Deno.test({
  name: "a policy says what the most specific grant says, of /proc at most that it may be read",
  ignore,
  fn: () => {
    const cautious = policy(
      path("/", "read"),
      path("/nowhere/w", "write"),
      path("/nowhere/w/r", "read"),
      path("/nowhere/w/r/w", "write"),
      path("/nowhere/d", "deny"),
      glob("/nowhere/w/**/*.key"),
    );
    const expected = {
      "/nowhere": "read",
      "/nowhere/w": "write",
      "/nowhere/w/x": "write",
      "/nowhere/wx": "read",
      "/nowhere/w/r/x": "read",
      "/nowhere/w/r/w/x": "write",
      "/nowhere/d/x": "deny",
      "/nowhere/w/a.key": "deny",
      "/nowhere/w/a.key/below": "deny",
      "/proc/version": "read",
    };
    for (const [path, access] of Object.entries(expected)) {
      assertEquals(cautious.access(path), access, path);
    }
    assertEquals(policy(path("/", "write"), path("/x", "deny")).access("/proc/version"), "read");
    assertEquals(policy(path("/nowhere", "read")).access("/proc/version"), "deny");
  },
});

Deno.test({
  name: "a policy lets everybody use the devices that a sandbox has of its own",
  ignore,
  fn: () => {
    const cautious = policy(path("/nowhere", "read"), path("/dev/nowhere", "read"));
    assertEquals(cautious.access("/dev/null"), "write");
    assertEquals(cautious.access("/dev"), "read");
    assertEquals(cautious.isHidden("/dev/null"), false);
    assertEquals(cautious.isHidden("/dev/sda"), true);
    assertEquals(cautious.isHidden("/dev/null/x"), true);
    assertEquals(cautious.isHidden("/dev/nowhere/x"), false);
    assertEquals(cautious.access("/dev/nowhere/x"), "read");
    assertEquals(policy(path("/dev/null", "deny")).access("/dev/null"), "deny");
  },
});

Deno.test({
  name: "a policy hides processes, by whatever name",
  ignore,
  fn: () => {
    const cautious = policy(path("/", "read"));
    for (const name of ["1", "123/environ", "self", "self/fd/3", "thread-self/mem"]) {
      assertEquals(cautious.isHidden(`/proc/${name}`), true, name);
    }
    for (const name of ["version", "sys/kernel", "selfish"]) {
      assertEquals(cautious.isHidden(`/proc/${name}`), false, name);
    }
  },
});

Deno.test({
  name: "a policy lets pass to what is granted, and shows the way to it",
  ignore,
  fn: () => {
    const cautious = policy(
      path("/nowhere/a/b", "read"),
      path("/nowhere/d", "deny"),
      path("/nowhere/d/e/f", "read"),
    );
    for (const path of ["/", "/nowhere", "/nowhere/a", "/nowhere/a/b/c", "/nowhere/d/e"]) {
      assertEquals(cautious.isPassable(path), true, path);
    }
    for (const path of ["/etc", "/nowhere/x", "/nowhere/d/x"]) {
      assertEquals(cautious.isPassable(path), false, path);
    }
    assertEquals(cautious.isSkeleton("/nowhere"), true);
    // It has been denied by name: one may pass, but not look around.
    assertEquals(cautious.isSkeleton("/nowhere/d"), false);
    assertEquals(cautious.isSkeleton("/nowhere/a/b"), false);
  },
});

Deno.test({
  name: "a policy says which path it is about, and why not",
  ignore,
  fn: () => {
    const cautious = policy(
      special("minimal", "read"),
      path("/nowhere/r", "read"),
      path("/nowhere/d", "deny"),
    );
    const refusal = (path: string, use: "look" | "read" | "write") => {
      const { code, message } = assertThrows(() => cautious.check(path, use), RpcError);
      return [code, message];
    };
    assertEquals(refusal("/nowhere/r/f", "write"), [
      -32603,
      "the sandbox does not allow to change '/nowhere/r/f': Read-only file system (os error 30)",
    ]);
    assertEquals(refusal("/nowhere/d", "read"), [
      -32600,
      "the sandbox denies '/nowhere/d': Permission denied (os error 13)",
    ]);
    assertEquals(refusal("/nowhere/x", "look"), [
      -32004,
      "the sandbox does not allow to see '/nowhere/x': No such file or directory (os error 2)",
    ]);
    assertEquals(refusal("/nowhere/x", "write"), [
      -32004,
      "the sandbox does not allow to change '/nowhere/x': No such file or directory (os error 2)",
    ]);
  },
});
