import { SYS_LANDLOCK_CREATE_RULESET } from "./constants.ts";
import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
});

const LANDLOCK_CREATE_RULESET_VERSION = 1n;

/** Which version of Landlock the kernel has (landlock_create_ruleset(2)); 0 for none. */
export function landlockVersion(): number {
  return Math.max(
    0,
    Number(libc().syscall(SYS_LANDLOCK_CREATE_RULESET, 0n, 0n, LANDLOCK_CREATE_RULESET_VERSION)),
  );
}
