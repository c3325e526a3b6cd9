import { callNumber } from "../supervisor/calls.ts";
import { additionalFilter, type Rule } from "./filter.ts";
import type { Architecture } from "./profile.ts";

/** Calls that are nobody else's business, on x86-64 and aarch64 (syscall_64.tbl, unistd.h). */
const NUMBERS = { ioctl: [16, 29], fcntl: [72, 25], pidfd_open: [434, 434] } as const;

/** fcntl(2), and the same by ioctl(2) (asm-generic/sockios.h). */
const [F_SETOWN, F_SETOWN_EX] = [8, 15];
const [FIOSETOWN, SIOCSPGRP] = [0x8901, 0x8902];
const ALL_BITS = 0xffff_ffff;

/**
 * A program that keeps signals from one thread of this program, and with it from the whole program: for the
 * thread itself, by which whatever it starts inherits it. Landlock lets through what goes to somebody under
 * the same rules, as the thread is.
 *
 * Where the number of whoever is meant cannot be seen by a filter, the call is refused to everybody: whom a
 * file's signals go to, if that lies in memory, and a signal by a descriptor. After ENOSYS programs use
 * kill.
 *
 * @param thread what the kernel calls it (gettid(2))
 */
export function threadFilter(
  thread: number,
  architecture: Architecture,
): Uint8Array<ArrayBuffer> {
  const number = (call: keyof typeof NUMBERS) => NUMBERS[call][architecture === "x86_64" ? 0 : 1];
  const is = (argument: number, ...oneOf: number[]) => ({ argument, mask: ALL_BITS, oneOf });
  const refused = (number: number | null, ...when: Rule["when"]): Rule => {
    return { number, verdict: "EPERM", when, unless: [] };
  };
  const byNumber = (["kill", "tkill", "rt_sigqueueinfo"] as const).map((call) =>
    refused(callNumber(call, architecture), is(0, thread))
  );
  const withinProcess = (["tgkill", "rt_tgsigqueueinfo"] as const).map((call) =>
    refused(callNumber(call, architecture), is(1, thread))
  );
  return additionalFilter([
    ...byNumber,
    ...withinProcess,
    refused(number("pidfd_open"), is(0, thread)),
    { ...refused(callNumber("pidfd_send_signal", architecture)), verdict: "ENOSYS" },
    refused(number("fcntl"), is(1, F_SETOWN), is(2, thread)),
    refused(number("fcntl"), is(1, F_SETOWN_EX)),
    refused(number("ioctl"), is(1, FIOSETOWN, SIOCSPGRP)),
  ], architecture);
}
