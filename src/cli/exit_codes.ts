/** An executor cannot be reached or was lost, as of ssh(1). */
export const OUT_OF_REACH = 255;

/** The command's time was up; timeout(1) has the same. */
export const TIMED_OUT = 124;

/** Of a program that a signal has ended, as in shells: 128 + n for signal n. */
export const SIGNALLED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A signal that asks a program to end. */
export type EndingSignal = keyof typeof SIGNALLED;

/** Those that the system has. */
export const ENDING_SIGNALS: readonly EndingSignal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];
