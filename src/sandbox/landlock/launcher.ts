import { cString, cStringArray } from "../../os/c_strings.ts";
import { lastErrno } from "../../os/errno.ts";
import { createRuleset, enforceRuleset } from "./landlock.ts";
import { TERMINAL_RIGHTS } from "./rights.ts";
import { calls, LauncherError, refusedBySystem, succeeded } from "../../os/launcher_calls.ts";
import { LauncherDescriptor, type LauncherPlan, type LauncherRule } from "./launcher_plan.ts";

/** As shells have it for a command that cannot be executed. */
const NOT_EXECUTED = 126;

const STDERR = 2;
const O_WRONLY = 1;
const O_CLOEXEC = 0o2000000;
const SYS_CLOSE_RANGE = 436n;
const CLOSE_RANGE_CLOEXEC = 4n;

const PR_SET_SECCOMP = 22;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4n;
const SECCOMP_MODE_FILTER = 2n;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
/** All that a capability set has room for; the kernel knows fewer. */
const MAX_CAPABILITIES = 64;

const FILTER_HEADER_BYTES = 16;
const FILTER_INSTRUCTION_BYTES = 8;

const SIG_SETMASK = 2;
const SIG_DFL = 0n;
const SIGNALS = 64;
const SIGNAL_SET_BYTES = 128;

const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;

/**
 * `remex sandbox-launcher`: restricts this process as its plan says and becomes the command.
 *
 * Returns an exit code only if that failed. Then the reason is on stderr, and the byte is in the
 * gate. This program's other threads are not restricted, but end when it becomes the command.
 */
export function runLauncher(): number {
  try {
    become(readPlan());
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    write(STDERR, `${message}\n`);
    return NOT_EXECUTED;
  }
}

/** Restricts this process, each step before those that it would get in the way of. */
function become(plan: LauncherPlan): never {
  const program = cStringArray(plan.argv);
  const env = cStringArray(plan.env);
  const seccomp = filterProgram(plan.seccomp);
  const gate = openGate();
  const ruleset = createRuleset(plan.governed, [...plan.rules, ...ownTerminal()]);
  succeeded("no_new_privs", calls().prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
  dropCapabilities();
  succeeded(plan.cwd, calls().chdir(cString(plan.cwd)));
  resetSignals();
  calls().syscall(SYS_CLOSE_RANGE, 3n, 0xffff_ffffn, CLOSE_RANGE_CLOEXEC);
  reportNumber();
  enforceRuleset(ruleset);
  succeeded(
    "the filter of system calls cannot be put in force",
    calls().prctl_with_buffer(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, seccomp, 0n, 0n),
  );
  gate.pass();
  const failure = execute(plan.candidates, program, env);
  gate.takeBack();
  throw refusedBySystem(plan.candidates.at(-1) ?? "", failure);
}

function readPlan(): LauncherPlan {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let text = "";
  for (;;) {
    const count = succeeded(
      "the launcher's plan cannot be read",
      calls().read(LauncherDescriptor.Plan, buffer, BigInt(buffer.length)),
    );
    if (count === 0) break;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return JSON.parse(text);
}

/** `struct sock_fprog` with the program that it points to behind it, so that they live as long. */
function filterProgram(base64: string): Uint8Array<ArrayBuffer> {
  const instructions = Uint8Array.fromBase64(base64);
  const block = new Uint8Array(new ArrayBuffer(FILTER_HEADER_BYTES + instructions.length));
  block.set(instructions, FILTER_HEADER_BYTES);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(block));
  const header = new DataView(block.buffer);
  header.setUint16(0, instructions.length / FILTER_INSTRUCTION_BYTES, true);
  header.setBigUint64(8, BigInt(address) + BigInt(FILTER_HEADER_BYTES), true);
  return block;
}

/** The gate can be taken back: closing it with the byte in it tells that nothing was executed. */
function openGate() {
  const writeEnd = succeeded(
    "the launcher's gate cannot be opened",
    calls().open(cString(`/proc/self/fd/${LauncherDescriptor.Gate}`), O_WRONLY | O_CLOEXEC),
  );
  return {
    pass() {
      const taken = calls().read(LauncherDescriptor.Gate, new Uint8Array(1), 1n);
      if (taken !== 1n) throw new LauncherError("the launcher's gate is empty");
    },
    takeBack() {
      calls().write(writeEnd, new Uint8Array(1), 1n);
    },
  };
}

/** The terminal that the command is on can be opened by its name too. */
function ownTerminal(): LauncherRule[] {
  try {
    const path = Deno.readLinkSync("/proc/self/fd/0");
    return /^\/dev\/pts\/\d+$/.test(path) ? [{ path, rights: TERMINAL_RIGHTS }] : [];
  } catch {
    return [];
  }
}

/**
 * Gives up all capabilities. Without new privileges executing a program brings none back
 * (capabilities(7)), not even to root; that the bounding set gets empty too is for those who look.
 */
function dropCapabilities(): void {
  for (let capability = 0; capability < MAX_CAPABILITIES; capability++) {
    calls().prctl(PR_CAPBSET_DROP, BigInt(capability), 0n, 0n, 0n);
  }
  calls().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0n, 0n, 0n);
  const header = new Uint8Array(Uint32Array.of(LINUX_CAPABILITY_VERSION_3, 0).buffer);
  const empty = new Uint8Array(24);
  succeeded("capabilities cannot be dropped", calls().capset(header, empty));
}

/** A program gets its signals at their defaults and none blocked; this one ignores SIGPIPE. */
function resetSignals(): void {
  for (let signal = 1; signal <= SIGNALS; signal++) calls().signal(signal, SIG_DFL);
  calls().sigprocmask(SIG_SETMASK, new Uint8Array(SIGNAL_SET_BYTES), 0n);
}

function reportNumber(): void {
  write(LauncherDescriptor.Status, `{"child-pid": ${Deno.pid}}\n`);
}

function write(descriptor: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  calls().write(descriptor, bytes, BigInt(bytes.length));
}

/** Tries the files like execvp(3). Returns the error number if there was none to execute. */
function execute(
  candidates: readonly string[],
  argv: Uint8Array<ArrayBuffer>,
  env: Uint8Array<ArrayBuffer>,
): number {
  let failure = ENOENT;
  for (const candidate of candidates) {
    calls().execve(cString(candidate), argv, env);
    const errno = lastErrno();
    if (errno === EACCES) failure = EACCES;
    else if (errno !== ENOENT && errno !== ENOTDIR) return errno;
  }
  return failure;
}
