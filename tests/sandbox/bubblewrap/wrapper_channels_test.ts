import { assertEquals } from "@std/assert";
import { duplicate } from "../../../src/os/pipes.ts";
import { closeDescriptor, readDescriptor } from "../../../src/os/descriptor.ts";
import {
  parseBubblewrapStatus,
  WrapperChannels,
} from "../../../src/sandbox/bubblewrap/wrapper_channels.ts";
import { settled } from "../../support/patience.ts";

const STARTED = '{ "child-pid": 12, "net-namespace": 4026532184 }\n';

for (
  const [what, text, firstProcess, exitCode] of [
    ["nothing", "", undefined, undefined],
    ["a start", STARTED, 12, undefined],
    ["a start and an end", `${STARTED}{ "exit-code": 0 }\n`, 12, 0],
    ["an end that is not whole", `${STARTED}{ "exit-`, 12, undefined],
    ["something newer", `{ "else": 1 }\n${STARTED}`, 12, undefined],
  ] as const
) {
  Deno.test(`bubblewrap tells of ${what}`, () => {
    assertEquals(parseBubblewrapStatus(text), { firstProcess, exitCode });
  });
}

/** What waits for descriptors stays open. */
const onLinux = {
  ignore: Deno.build.os !== "linux",
  sanitizeOps: false,
  sanitizeResources: false,
};

Deno.test({
  name: "a wrapper is at its gate when it has let go of what it reads before",
  ...onLinux,
  async fn() {
    using channels = new WrapperChannels([{ number: 6, purpose: { kind: "ready" } }]);
    const [{ source = -1 } = {}] = channels.forWrapper;
    const wrapper = duplicate(source);
    channels.handedOver();
    const told: string[] = [];
    const ready = channels.ready().then(() => told.push("ready"));
    assertEquals(readDescriptor(wrapper, new Uint8Array(1)), 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(told, []);
    closeDescriptor(wrapper);
    await settled(ready, "what the wrapper told");
  },
});

for (const reads of [true, false]) {
  Deno.test({
    name: `a wrapper that ${reads ? "reads all" : "ends before it has read all"} has ` +
      `${reads ? "" : "not "}passed its gate`,
    ...onLinux,
    async fn() {
      const bytes = new Uint8Array(5000);
      using channels = new WrapperChannels([{ number: 4, purpose: { kind: "gate", bytes } }]);
      const [{ source = -1 } = {}] = channels.forWrapper;
      const wrapper = duplicate(source);
      channels.handedOver();
      channels.openGate();
      const buffer = new Uint8Array(reads ? 8192 : 100);
      assertEquals(readDescriptor(wrapper, buffer), reads ? 5000 : 100);
      if (reads) assertEquals(readDescriptor(wrapper, buffer), 0);
      closeDescriptor(wrapper);
      assertEquals(await settled(channels.passed(), "the wrapper's end"), reads);
    },
  });
}
