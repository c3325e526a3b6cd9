import { libraryTable } from "./libc.ts";

const libc = libraryTable({
  waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  signal: { parameters: ["i32", "u64"], result: "u64" },
  kill: { parameters: ["i32", "i32"], result: "i32" },
});

/** Signal numbers, the same on every Linux architecture that Deno runs on (signal(7)). */
export const Signal = {
  HangUp: 1,
  Interrupt: 2,
  Kill: 9,
  Terminate: 15,
  Continue: 18,
  Stop: 19,
} as const;

const SIGXFSZ = 25;
const SIG_IGN = 1n;

/**
 * Has a write past the limit of a file's size fail (EFBIG) instead of end this program
 * (setrlimit(2)). The programs that it starts have the signal at its default.
 */
export function surviveFileSizeLimit(): void {
  libc().signal(SIGXFSZ, SIG_IGN);
}

/** Sends a signal to one process; nothing happens when it is gone. */
export function signalProcess(pid: number, signal: number): void {
  libc().kill(pid, signal);
}

/** Sends a signal to a process group. Returns whether there is one; nothing happens if not. */
export function signalGroup(leader: number, signal: number): boolean {
  return libc().kill(-leader, signal) === 0;
}

const WNOHANG = 1;
const status = new Int32Array(1);
const statusBytes = new Uint8Array(status.buffer);

/**
 * Collects the exit code of a child that has ended, 128 + n for signal n, and frees its entry in
 * the process table; undefined while it runs (waitpid(2)).
 */
export function reap(pid: number): number | undefined {
  return waitFor(pid, WNOHANG);
}

/** Kills a process group whose leader is a child of this program, and reaps the leader. */
export function killAndReap(leader: number): void {
  signalGroup(leader, Signal.Kill);
  waitFor(leader, 0);
}

function waitFor(pid: number, options: number): number | undefined {
  if (libc().waitpid(pid, statusBytes, options) !== pid) return undefined;
  ownChildren.delete(pid);
  const value = status[0] ?? 0;
  const signal = value & 0x7f;
  return signal === 0 ? (value >> 8) & 0xff : 128 + signal;
}

/**
 * Calls back in later turns of the event loop whenever a child of this program may have ended,
 * including one that ended just before. Returns what stops it.
 */
export function onChildEnd(callback: () => void): () => void {
  const soon = setTimeout(callback);
  Deno.addSignalListener("SIGCHLD", callback);
  return () => {
    clearTimeout(soon);
    Deno.removeSignalListener("SIGCHLD", callback);
  };
}

/**
 * Process ids of the commands started here and not yet reaped.
 *
 * A program that adopts orphans has other children too; these are the ones with an owner.
 */
export const ownChildren: Set<number> = new Set();
