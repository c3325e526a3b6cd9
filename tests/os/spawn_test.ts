import { assertEquals } from "@std/assert";
import { closeDescriptor, readDescriptor } from "../../src/os/descriptor.ts";
import {
  adoptDescriptorLimits,
  descriptorLimits,
  lowerDescriptorLimit,
} from "../../src/os/descriptor_limit.ts";
import { openDeclaredTables } from "../../src/os/libc.ts";
import { duplicate, openPipe } from "../../src/os/pipes.ts";
import { reap } from "../../src/os/signals.ts";
import { launchProgram } from "../../src/os/spawn.ts";
import { eventually } from "../support/patience.ts";

if (Deno.build.os === "linux") openDeclaredTables();

function limit(soft: number, hard: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new BigUint64Array([BigInt(soft), BigInt(hard)]).buffer);
}

Deno.test({
  name: "a program gets a descriptor past the limit that another start has lowered",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const [, soft, hard] = /^Max open files +(\d+) +(\d+)/m
      .exec(Deno.readTextFileSync("/proc/self/limits"))?.map(Number) ?? [];
    if (soft === undefined || hard === undefined) throw new Error("no limits");
    const before = descriptorLimits();
    const lowest = 128;
    const inherited = limit(lowest, hard);
    adoptDescriptorLimits({ inherited, raised: limit(soft, hard) });
    const pipe = openPipe();
    const high = duplicate(pipe.writeEnd, lowest);
    try {
      using _other = lowerDescriptorLimit();
      const pid = launchProgram({
        candidates: ["/bin/sh"],
        argv: ["sh", "-c", "ulimit -Sn"],
        cwd: "/",
        env: {},
        descriptors: [{ number: 1, source: { kind: "copy", descriptor: high } }],
      });
      await eventually(() => reap(pid) === 0, "the program's end");
      const buffer = new Uint8Array(100);
      const count = readDescriptor(pipe.readEnd, buffer);
      assertEquals(new TextDecoder().decode(buffer.subarray(0, count)), `${lowest}\n`);
    } finally {
      for (const descriptor of [high, pipe.readEnd, pipe.writeEnd]) closeDescriptor(descriptor);
      adoptDescriptorLimits(before);
    }
  },
});

Deno.test({
  name: "places of the search path that are each process's own are those of the program",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const directory = Deno.makeTempDirSync();
    try {
      Deno.symlinkSync("/bin/true", `${directory}/program`);
      const pid = launchProgram({
        candidates: ["/nowhere/program", "/proc/self/cwd/program", "/bin/false"],
        argv: ["program"],
        cwd: directory,
        env: {},
        descriptors: [],
      });
      let exitCode: number | undefined;
      await eventually(() => (exitCode = reap(pid)) !== undefined, "the program's end");
      assertEquals(exitCode, 0);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});
