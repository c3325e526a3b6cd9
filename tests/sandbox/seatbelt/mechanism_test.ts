import { assert, assertEquals, assertThrows } from "@std/assert";
import { Seatbelt, seatbeltCommand } from "../../../src/sandbox/seatbelt/mechanism.ts";
import { RpcError } from "../../../src/protocol/errors.ts";
import { workspaceWrite } from "../context.ts";
import { bindOnMac, sandbox } from "./seatbelt_scene.ts";

Deno.test({
  name: "Seatbelt takes every template on macOS",
  ignore: Deno.build.os !== "darwin",
  fn: async () => assertEquals(await new Seatbelt().probe(), true),
});

Deno.test({
  name: "where there is no sandbox-exec there is no Seatbelt",
  ignore: Deno.build.os === "darwin",
  // The C library stays open as long as the program runs.
  sanitizeResources: false,
  fn: async () => assertEquals(await new Seatbelt().probe(), false),
});

const policy = bindOnMac({ entries: workspaceWrite });

function wrapped(argv: string[], env: Record<string, string> = {}, arg0?: string): string[] {
  const command = { argv, arg0, env, cwd: "/ws", terminal: false };
  const whole = seatbeltCommand({ policy }, command, (path) => path);
  return whole.slice(whole.indexOf("--") + 1);
}

Deno.test("the command follows as it is, empty and odd arguments included", () => {
  const argv = ["/bin/echo", "", "--", "-p", "(allow default)", "a\nb", "é"];
  assertEquals(wrapped(argv, { PATH: "/x", "A B": "" }), argv);
});

Deno.test("a name of its own is refused, the program's own name is not one", () => {
  assertThrows(() => wrapped(["/bin/sh"], {}, "-sh"), RpcError, "arg0");
  assertThrows(() => wrapped(["/bin/sh"], {}, ""), RpcError, "arg0");
  assertEquals(wrapped(["/bin/sh"], {}, "/bin/sh"), ["/bin/sh"]);
});

Deno.test("the dynamic linker's variables, which the wrapper loses, are set again", () => {
  const env = { DYLD_LIBRARY_PATH: "/a b", LD_LIBRARY_PATH: "", LD_PRELOAD: "x", XDYLD_: "y" };
  assertEquals(
    wrapped(["cc", "-v"], env),
    ["/usr/bin/env", "DYLD_LIBRARY_PATH=/a b", "LD_LIBRARY_PATH=", "cc", "-v"],
  );
  assertThrows(() => wrapped(["a=b"], { DYLD_X: "" }), RpcError, "DYLD_X");
  assertThrows(() => wrapped(["-i"], { DYLD_X: "" }), RpcError, "DYLD_X");
});

Deno.test("every parameter is defined once and used, and the rules are in their order", () => {
  const { text, definitions } = sandbox({ policy });
  const defined = definitions.map((definition) => definition.slice(0, definition.indexOf("=")));
  assertEquals(new Set(defined).size, defined.length);
  assertEquals(
    new Set(Array.from(text.matchAll(/\(param "([^"]*)"\)/g), ([_, name]) => name)),
    new Set<string | undefined>(defined),
  );
  const order = [
    "(version 1)",
    "(deny default)",
    "(allow process-fork)",
    "(allow user-preference-read)",
    "(allow file-read* file-map-executable process-exec*)",
    "(allow file-write*\n",
    "(deny file-write-create file-write-unlink",
  ].map((rule) => text.indexOf(rule));
  assert(order.every((at) => at >= 0), `${order}`);
  assertEquals(order.toSorted((left, right) => left - right), order);
});

Deno.test("an exception excludes the path itself and all below it", () => {
  const { text } = sandbox({ policy });
  for (
    const rule of [
      '(subpath (param "WRITE_0"))',
      '(require-not (literal (param "WRITE_EXCEPT_0")))',
      '(require-not (subpath (param "WRITE_EXCEPT_0")))',
      '(require-not (regex #"^/ws/\\.[gG][iI][tT](/.*)?$"))',
    ]
  ) {
    assert(text.includes(rule), rule);
  }
});

Deno.test("every command has what its runtime asks for", () => {
  const { profile, text } = sandbox({ policy });
  for (
    const rule of [
      "(allow signal (target same-sandbox))",
      '(sysctl-name-prefix "hw.")',
      '(sysctl-name-prefix "machdep.cpu.")',
      "(allow pseudo-tty)",
      "(allow ipc-posix-sem)",
      '(ipc-posix-name-regex #"^/__KMP_REGISTERED_LIB_[0-9]+$")',
    ]
  ) {
    assert(text.includes(rule), rule);
  }
  const can = (operation: string, path: string) => profile.allows({ operation, path });
  assert(can("file-write-data", "/dev/null") && can("file-read-data", "/dev/urandom"));
  assert(can("file-write-data", "/dev/ptmx") && can("file-ioctl", "/dev/ttys012"));
  assert(!can("file-write-data", "/dev/disk0") && !can("file-ioctl", "/dev/disk0"));
  // A program that a profile lets out of the sandbox would be a way out for everyone.
  assert(!text.includes("no-sandbox"));
  for (const service of ["com.apple.coreservices.launchservicesd", "com.apple.pasteboard.1"]) {
    assert(!profile.allows({ operation: "mach-lookup", machService: service }));
  }
});
