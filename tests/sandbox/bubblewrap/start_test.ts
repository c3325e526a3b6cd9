import { assertEquals, assertRejects } from "@std/assert";
import { spawnProgram } from "../../../src/os/spawn.ts";
import { killAndReap } from "../../../src/os/signals.ts";
import { RpcError } from "../../../src/protocol/errors.ts";
import { startInWrapper } from "../../../src/sandbox/bubblewrap/start.ts";

/** What the wrapper is told to wait at, to write its status to, and to close before. */
const [GATE, STATUS, READY] = [4, 5, 6];

Deno.test({
  name: "a number that is another process's by now is not taken for the sandbox's first process",
  ignore: Deno.build.os !== "linux",
  // The C library and what waits for descriptors stay open.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const argv = ["/bin/sleep", "60"];
    const launch = { candidates: argv.slice(0, 1), argv, cwd: "/", env: {}, descriptors: [] };
    const stranger = spawnProgram(launch);
    let released = 0;
    const script = `echo '{"child-pid": ${stranger.pid}}' >&${STATUS}; ` +
      `exec ${READY}<&-; read line <&${GATE}`;
    const setup = {
      argv: ["/bin/sh", "-c", script],
      descriptors: [
        { number: STATUS, purpose: { kind: "status" } },
        { number: GATE, purpose: { kind: "gate", bytes: new Uint8Array(1) } },
        { number: READY, purpose: { kind: "ready" } },
      ],
      takesTerminal: false,
      portAccess: undefined,
      keeper: undefined,
      verify: () => Promise.resolve(),
    } as const;
    try {
      await assertRejects(
        () =>
          startInWrapper(
            setup,
            () => released++,
            { sandboxType: "linuxSeccomp", isDenial: () => false },
            { stdio: { kind: "pipes", stdin: "empty" } },
            { output: () => {}, exited: () => {}, ended: () => {} },
          ),
        RpcError,
        "its first process has ended",
      );
      assertEquals(released, 1);
    } finally {
      killAndReap(stranger.pid);
    }
  },
});
