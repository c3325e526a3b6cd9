import { assert, assertEquals } from "@std/assert";
import { closeDescriptor, type Descriptor, writeDescriptor } from "../../src/os/descriptor.ts";
import { openPipe, type Pipe } from "../../src/os/pipes.ts";
import { Poller, Ready } from "../../src/os/epoll.ts";
import { eventually } from "../support/patience.ts";

Deno.test("poller: tells of input again and again until unwatched", () =>
  withPipe(async (pipe) => {
    const poller = new Poller();
    const told: number[] = [];
    poller.watch(pipe.readEnd, Ready.Input, (ready) => {
      told.push(ready);
      if (told.length === 3) poller.unwatch(pipe.readEnd);
    });
    put(pipe);
    await eventually(() => told.length === 3, "three calls");
    await turn();
    assertEquals(told, [Ready.Input, Ready.Input, Ready.Input]);
  }));

Deno.test("poller: tells of room, of hang-up and of a lost reader", () =>
  withPipe((full) =>
    withPipe(async (pipe) => {
      const poller = new Poller();
      const told = new Map<Descriptor, number>();
      const watch = (descriptor: Descriptor, interest: number) =>
        poller.watch(descriptor, interest, (ready) => {
          told.set(descriptor, ready);
          poller.unwatch(descriptor);
        });
      watch(pipe.writeEnd, Ready.Output);
      await eventually(() => told.size === 1, "room");
      assertEquals(told.get(pipe.writeEnd), Ready.Output);
      closeDescriptor(pipe.readEnd);
      watch(pipe.writeEnd, 0);
      await eventually(() => told.get(pipe.writeEnd) === Ready.Error, "a lost reader");
      closeDescriptor(full.writeEnd);
      watch(full.readEnd, Ready.Input);
      await eventually(() => told.get(full.readEnd) === Ready.HangUp, "hang-up");
    })
  ));

Deno.test("poller: unwatching the last descriptor ends the wait", () =>
  withPipe(async (pipe) => {
    const poller = new Poller();
    for (let round = 0; round < 3; round++) {
      poller.watch(pipe.readEnd, Ready.Input, () => assert(false));
      await turn();
      poller.unwatch(pipe.readEnd);
      await turn();
    }
  }));

Deno.test("poller: does not spin when the last watch is followed by another at once", () =>
  withPipe((one) =>
    withPipe(async (other) => {
      const before = eventCounters();
      const poller = new Poller();
      const [own] = eventCounters().filter((descriptor) => !before.includes(descriptor));
      poller.watch(one.readEnd, Ready.Input, () => assert(false));
      await turn();
      poller.unwatch(one.readEnd);
      poller.watch(other.readEnd, Ready.Input, () => poller.unwatch(other.readEnd));
      await eventually(() => counterOf(own ?? "") === 0, "the wake-up to be taken note of");
      put(other);
      await turn();
    })
  ));

Deno.test("poller: old news of a closed descriptor does not reach the next of its number", async () => {
  const poller = new Poller();
  for (let round = 0; round < 20; round++) {
    const old = openPipe();
    poller.watch(old.readEnd, Ready.Input, () => {});
    closeDescriptor(old.writeEnd);
    // The waiting thread learns of the hang-up, and this one is too busy to hear of it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    poller.unwatch(old.readEnd);
    closeDescriptor(old.readEnd);
    await withPipe(async (pipe) => {
      assertEquals(pipe.readEnd, old.readEnd);
      const told: number[] = [];
      poller.watch(pipe.readEnd, Ready.Input, (ready) => {
        told.push(ready);
        poller.unwatch(pipe.readEnd);
      });
      await turn();
      put(pipe);
      await eventually(() => told.length > 0, "input");
      assertEquals(told, [Ready.Input]);
    });
  }
});

Deno.test("poller: the first call comes when whoever awaits the caller has gone on", () =>
  withPipe((one) =>
    withPipe(async (other) => {
      const poller = new Poller();
      const order: string[] = [];
      put(one);
      put(other);
      const started = Promise.withResolvers<void>();
      const start = async () => {
        await Promise.resolve();
        poller.watch(other.readEnd, Ready.Input, () => {
          order.push("told");
          poller.unwatch(other.readEnd);
        });
      };
      poller.watch(one.readEnd, Ready.Input, () => {
        poller.unwatch(one.readEnd);
        started.resolve(start());
      });
      await started.promise;
      order.push("started");
      await eventually(() => order.length === 2, "input");
      assertEquals(order, ["started", "told"]);
    })
  ));

async function withPipe(test: (pipe: Pipe) => Promise<void>): Promise<void> {
  const pipe = openPipe();
  try {
    await test(pipe);
  } finally {
    closeDescriptor(pipe.readEnd);
    closeDescriptor(pipe.writeEnd);
  }
}

function put(pipe: Pipe): void {
  writeDescriptor(pipe.writeEnd, Uint8Array.of(1));
}

/** One turn of the event loop and a little more. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** Descriptors of this process that are event counters (eventfd(2)). */
function eventCounters(): string[] {
  return Array.from(Deno.readDirSync("/proc/self/fdinfo"), ({ name }) => name)
    .filter((descriptor) => counterOf(descriptor) !== undefined);
}

function counterOf(descriptor: string): number | undefined {
  try {
    const info = Deno.readTextFileSync(`/proc/self/fdinfo/${descriptor}`);
    const count = info.match(/^eventfd-count:\s*([0-9a-f]+)$/m)?.[1];
    return count === undefined ? undefined : parseInt(count, 16);
  } catch {
    return undefined;
  }
}
