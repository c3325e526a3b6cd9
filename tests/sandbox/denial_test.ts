import { assertEquals } from "@std/assert";
import { isSandboxDenial } from "../../src/sandbox/denial.ts";

for (
  const [what, sandboxType, exitCode, output, expected] of [
    ["bare commands are never denied", "none", 1, "Permission denied", false],
    ["success is never denied", "linuxSeccomp", 0, "permission denied", false],
    ["words tell, in any case", "linuxSeccomp", 1, "x: Read-Only File System", true],
    ["words tell on macOS", "macosSeatbelt", 1, "Operation not permitted", true],
    ["words outweigh an ordinary code", "linuxSeccomp", 126, "sh: Permission denied", true],
    ["'seccomp' tells", "linuxSeccomp", 3, "SECCOMP", true],
    ["'sandbox' tells", "linuxSeccomp", 3, "sandboxed", true],
    ["'landlock' tells", "linuxSeccomp", 3, "Landlock", true],
    ["'failed to write file' tells", "linuxSeccomp", 3, "Failed to write file x", true],
    ["wrong usage is ordinary", "linuxSeccomp", 2, "usage", false],
    ["not executable is ordinary", "linuxSeccomp", 126, "", false],
    ["not found is ordinary", "linuxSeccomp", 127, "not found", false],
    ["other failures are ordinary", "linuxSeccomp", 1, "assertion failed", false],
    ["a filter's kill is a denial", "linuxSeccomp", 159, "", true],
    ["on macOS there is no such kill", "macosSeatbelt", 159, "", false],
  ] as const
) {
  Deno.test(what, () => assertEquals(isSandboxDenial({ sandboxType, exitCode, output }), expected));
}
