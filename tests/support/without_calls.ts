import { assembleBpf } from "../../src/sandbox/seccomp/bpf.ts";

const ALLOW = 0x7fff_0000;
/** SECCOMP_RET_ERRNO, to which the error's number is added (seccomp(2)). */
const REFUSE = 0x0005_0000;

/** Errors that calls are refused with (errno(3)). */
export const EPERM = 1;
export const ENOSYS = 38;

/**
 * What a program is started by that is refused some system calls, with all that it starts.
 *
 * @param numbers of the calls
 * @param options more of bubblewrap's, which puts the filter in force
 */
export function withoutCalls(
  numbers: readonly number[],
  errno: number,
  options: readonly string[] = [],
): readonly string[] {
  const filter = assembleBpf([
    { op: "load", offset: 0 },
    ...numbers.map((value) =>
      ({ op: "branch", test: "equal", value, outcome: true, to: "refused" }) as const
    ),
    { op: "return", value: ALLOW },
    { op: "label", name: "refused" },
    { op: "return", value: REFUSE | errno },
  ]);
  return [
    ...["/bin/bash", "-c", `exec /usr/bin/bwrap --seccomp 9 "$@" 9< <(printf '${octal(filter)}')`],
    ...["bwrap", ...options, "--dev-bind", "/", "/", "--"],
  ];
}

/** Bytes for printf(1). */
function octal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}
