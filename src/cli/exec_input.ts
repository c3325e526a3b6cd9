import { ConnectionError, ErrorCode, type ExecProcess, RpcError } from "../client/mod.ts";
import { GivenUp } from "./exec_signals.ts";

/** What forwarding input needs to know. */
export interface InputOptions {
  readonly tty: boolean;
  readonly say: (message: string) => void;
  /** Ends waiting for an executor that is out of reach; nothing happens while it is not. */
  readonly giveUp: (reason: GivenUp) => void;
}

/** Writes under way at once; each holds what one read gave. */
const MAX_WRITES = 32;
const CTRL_C = 0x03;
const CTRL_D = 0x04;

/** Passes standard input on to a process, with its end, until the process takes no more. */
export async function forwardInput(process: ExecProcess, options: InputOptions): Promise<void> {
  const underWay: Promise<boolean>[] = [];
  try {
    for await (const chunk of Deno.stdin.readable) {
      if (options.tty && chunk.includes(CTRL_C)) options.giveUp(new GivenUp(255));
      underWay.push(process.write(chunk).then((status) => status === "accepted"));
      if (underWay.length >= MAX_WRITES && !await underWay.shift()) return;
    }
    await endInput(process, options);
  } catch (error) {
    // That the process has ended, or was lost, is told where its events are read.
    if (error instanceof RpcError) options.say(`standard input: ${error.message}`);
  } finally {
    await Promise.allSettled(underWay);
  }
}

async function endInput(process: ExecProcess, { tty, say }: InputOptions): Promise<void> {
  if (tty) {
    await process.write(Uint8Array.of(CTRL_D));
    return;
  }
  try {
    await process.closeStdin();
  } catch (error) {
    if (error instanceof ConnectionError) return;
    if (!(error instanceof RpcError) || error.code !== ErrorCode.MethodNotFound) throw error;
    say("this executor cannot tell the command that its input has ended");
  }
}
