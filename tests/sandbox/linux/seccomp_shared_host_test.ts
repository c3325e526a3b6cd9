import { assertEquals } from "@std/assert";
import { seccompFilter } from "../../../src/sandbox/seccomp/filter.ts";
import { runBpf } from "../seccomp/bpf_interpreter.ts";

const ALLOW = 0x7fff_0000;
const EPERM = 0x0005_0001;
const FS_IOC_SETFLAGS = 0x4008_6602;
const TCGETS = 0x5401;

const architectures = [
  { architecture: "x86_64", audit: 0xc000_003e, index: 0 },
  { architecture: "aarch64", audit: 0xc000_00b7, index: 1 },
] as const;

/** What a call gets without and with an option, on both architectures. */
function testOption(
  option: "sharedHost" | "fixedMetadata",
  call: string,
  numbers: readonly [number, number],
  denied: readonly number[],
  allowed?: readonly number[],
): void {
  Deno.test(`seccompFilter: ${option} denies ${call}`, () => {
    for (const { architecture, audit, index } of architectures) {
      const verdict = (on: boolean, values: readonly number[]) =>
        runBpf(seccompFilter({ architecture, network: "enabled", [option]: on }), {
          architecture: audit,
          number: numbers[index],
          arguments: values,
        });
      assertEquals([verdict(false, denied), verdict(true, denied)], [ALLOW, EPERM]);
      if (allowed) assertEquals(verdict(true, allowed), ALLOW);
    }
  });
}

testOption("sharedHost", "limits of other processes", [302, 261], [4711], [0]);
const USER = 2;
testOption("sharedHost", "priorities of other processes", [141, 140], [0, 4711, 19], [0, 0, 19]);
testOption("sharedHost", "priorities of all of the user's", [141, 140], [USER, 0, 19], [1, 0, 19]);
testOption("sharedHost", "disk priorities of others", [251, 30], [1, 4711, 0], [1, 0, 0]);
testOption("sharedHost", "disk priorities of all of the user's", [251, 30], [3, 0, 0], [2, 0, 0]);
testOption("sharedHost", "scheduling of others", [144, 119], [4711, 5], [0, 5]);
testOption("sharedHost", "scheduling parameters of others", [142, 118], [4711], [0]);
testOption("sharedHost", "scheduling attributes of others", [314, 274], [4711], [0]);
testOption("sharedHost", "pinning others", [203, 122], [4711], [0]);
testOption("sharedHost", "shared memory", [30, 196], []);
testOption("sharedHost", "semaphores", [65, 193], []);
testOption("sharedHost", "messages", [69, 189], []);
testOption("sharedHost", "message queues by name", [240, 180], []);
testOption("fixedMetadata", "new modes", [91, 52], []);
testOption("fixedMetadata", "new modes by path", [268, 53], []);
testOption("fixedMetadata", "new owners", [260, 54], []);
testOption("fixedMetadata", "new times", [280, 88], []);
testOption("fixedMetadata", "extended attributes", [188, 5], []);
testOption("fixedMetadata", "flags of files", [16, 29], [0, FS_IOC_SETFLAGS], [0, TCGETS]);
