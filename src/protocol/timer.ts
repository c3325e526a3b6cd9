/** The longest that a timer can wait, in milliseconds: almost 25 days. It fires at once for more. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
