/** How much of each an executor takes on. What comes beyond is refused, and told so. */
export interface Limits {
  /** Clients connected at the same time. */
  readonly connections: number;
  /** Sessions, of which some may wait for their client to come back. */
  readonly sessions: number;
  /** Processes of all sessions that run. */
  readonly processes: number;
  /** Processes of all sessions that have ended and are remembered. */
  readonly endedProcesses: number;
  /** Requests of a connection that are being worked on; more wait for their turn. */
  readonly concurrentRequests: number;
}

export const DEFAULT_LIMITS: Limits = {
  connections: 1000,
  sessions: 10_000,
  processes: 5000,
  endedProcesses: 5000,
  concurrentRequests: 10_000,
};

/** How much memory an executor takes for its clients' sake, in bytes. */
export interface MemoryLimits {
  /** All messages, retained output and unsent notifications together. */
  readonly budgetBytes: number;
  /** The largest message that is read. */
  readonly messageBytes: number;
  /** What there is, for everything. */
  readonly totalBytes: number;
}

export const DEFAULT_MEMORY: MemoryLimits = {
  budgetBytes: 2 * 1024 ** 3,
  messageBytes: 64 * 1024 ** 2,
  totalBytes: Infinity,
};
