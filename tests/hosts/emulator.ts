import { dirname } from "node:path/posix";
import { settled } from "../support/patience.ts";
import { Inbox } from "../e2e/support/inbox.ts";
import { RawClient } from "../e2e/support/raw_client.ts";

/** Serial lines besides that of the console, which is the first. */
const PORTS = [1, 2, 3];
/** What /init says when executors listen on the lines. */
const READY = "remex: ready";
/** Booting takes about a minute, where nothing else runs. */
const BOOT_MS = 600_000;

/** Another kernel, with executors on its serial lines: see emulator_init. */
export class Emulator implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #directory: string;
  readonly #console: Promise<void>;

  private constructor(child: Deno.ChildProcess, directory: string, console: Promise<void>) {
    this.#child = child;
    this.#directory = directory;
    this.#console = console;
  }

  static async boot(kernel: string, initrd: string): Promise<Emulator> {
    const directory = await Deno.makeTempDir({ dir: dirname(initrd) });
    const lines = PORTS.flatMap((port) => [
      "-serial",
      `unix:${socketOf(directory, port)},server=on,wait=off`,
    ]);
    const child = new Deno.Command("qemu-system-x86_64", {
      args: [
        // Without hardware's help it runs anywhere.
        ...["-accel", "tcg,thread=multi", "-cpu", "max", "-m", "4096", "-smp", "2"],
        ...["-kernel", kernel, "-initrd", initrd],
        ...["-append", "console=ttyS0 quiet rdinit=/init"],
        ...["-display", "none", "-monitor", "none", "-no-reboot", "-net", "none"],
        ...["-serial", "stdio", ...lines],
      ],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const ready = Promise.withResolvers<void>();
    const emulator = new Emulator(child, directory, watch(child.stdout, ready));
    try {
      await settled(ready.promise, "the emulator to boot", BOOT_MS);
      return emulator;
    } catch (error) {
      await emulator[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The executor on a line. */
  async connect(port: number): Promise<RawClient> {
    const path = socketOf(this.#directory, port);
    const connection = await Deno.connect({ transport: "unix", path });
    const inbox = new Inbox();
    const read = readLines(connection.readable, inbox)
      .finally(() => inbox.end({ code: 0, reason: "" }));
    const writer = connection.writable.getWriter();
    const encoder = new TextEncoder();
    return new RawClient({
      kind: "stdio",
      send: (text) => void writer.write(encoder.encode(`${text}\n`)).catch(() => {}),
      close: async () => {
        await writer.abort();
        await read.catch(() => {});
      },
    }, inbox);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#console;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

function socketOf(directory: string, port: number): string {
  return `${directory}/line-${port}`;
}

/** Shows what the console says. */
async function watch(
  stream: ReadableStream<Uint8Array>,
  ready: PromiseWithResolvers<void>,
): Promise<void> {
  let said = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    await Deno.stderr.write(new TextEncoder().encode(part));
    said += part;
    if (said.includes(READY)) ready.resolve();
  }
  ready.reject(new Error("the emulator has ended before it was ready"));
}

async function readLines(stream: ReadableStream<Uint8Array>, inbox: Inbox): Promise<void> {
  let rest = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) inbox.receive(line);
  }
}
