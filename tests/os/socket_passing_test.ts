import { assertEquals, assertNotEquals } from "@std/assert";
import { closeDescriptor } from "../../src/os/descriptor.ts";
import { passDescriptor, takeDescriptor } from "../../src/os/socket_passing.ts";
import { openSocketPair, openTcpSocket } from "../../src/os/sockets.ts";

function isOpen(descriptor: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}

Deno.test({
  name: "descriptors pass through a socket, each as a new one of the same file",
  ignore: Deno.build.os !== "linux",
  // The C library stays open.
  sanitizeResources: false,
  fn: () => {
    const [ours, theirs] = openSocketPair();
    assertEquals(takeDescriptor(ours), undefined);
    const sent = [openTcpSocket(), openTcpSocket()];
    for (const descriptor of sent) passDescriptor(theirs, descriptor);
    const files = sent.map(isOpen);
    sent.forEach(closeDescriptor);
    const taken = sent.map(() => takeDescriptor(ours) ?? -1);
    assertEquals(taken.map(isOpen), files);
    assertNotEquals(files[0], files[1]);
    closeDescriptor(theirs);
    assertEquals(takeDescriptor(ours), undefined);
    [...taken, ours].forEach(closeDescriptor);
    assertEquals(taken.map(isOpen), [undefined, undefined]);
  },
});
