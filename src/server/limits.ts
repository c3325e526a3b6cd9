/** Limits of an executor. What exceeds one is refused with an error that names the limit. */
export interface Limits {
  /** Clients connected at the same time. */
  readonly connections: number;
  /** Sessions, connected or waiting for their client to reconnect. */
  readonly sessions: number;
  /** Running processes of all sessions. */
  readonly processes: number;
  /** Ended processes of all sessions that are remembered. */
  readonly endedProcesses: number;
  /** Requests of one connection that are handled at the same time; others wait. */
  readonly concurrentRequests: number;
}

/** The limits unless settings change them. */
export const DEFAULT_LIMITS: Limits = {
  connections: 1000,
  sessions: 10_000,
  processes: 5000,
  endedProcesses: 5000,
  concurrentRequests: 10_000,
};

/** The memory that an executor spends on its clients, in bytes. */
export interface MemoryLimits {
  /** For messages, retained output, unsent notifications and unread input: each has its share. */
  readonly budgetBytes: number;
  /** The largest message that is read. */
  readonly messageBytes: number;
  /** The memory of the machine or container. */
  readonly totalBytes: number;
}

/** The memory unless settings change it. */
export const DEFAULT_MEMORY: MemoryLimits = {
  budgetBytes: 2 * 1024 ** 3,
  messageBytes: 64 * 1024 ** 2,
  totalBytes: Infinity,
};
