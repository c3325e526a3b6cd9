import { delay } from "@std/async/delay";
import { ErrorCode, internalError, invalidRequest, RpcError } from "../protocol/errors.ts";
import { log, logSeldom } from "../log/log.ts";
import type { InitializeParams } from "../protocol/lifecycle.ts";
import { MAX_TIMER_MS } from "../protocol/timer.ts";
import type { CloseReason } from "../transport/transport.ts";
import { type NotificationSink, Session, type SessionOptions } from "./session.ts";

/** The executor's options for sessions. */
export interface SessionsOptions extends SessionOptions {
  /** How long a session without a connection lives, in milliseconds. */
  readonly detachedLifeMs: number;
  /** The same, the most that a client may ask for. @default as long as it lives anyway */
  readonly maxDetachedLifeMs?: number;
  /** Largest number of sessions, attached or not. */
  readonly maxSessions: number;
  /** How long the processes of an expired session may take to end, in milliseconds. */
  readonly graceMs: number;
}

interface Detachment {
  /** In the time of performance.now(), which changes of the system's clock do not affect. */
  readonly deadline: number;
  timer: number;
}

/** How a client wants its session kept. */
export type AskedRetention = Pick<InitializeParams, "sessionRetentionMs" | "retainOnDisk">;

/** All sessions: those attached to a connection, and those whose client may reconnect. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #detachments = new Map<Session, Detachment>();
  /** Expired sessions whose processes were asked to end. */
  readonly #ending = new Set<Session>();
  /** What waits for those processes. */
  readonly #waits = new Set<Promise<void>>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Number of sessions, attached or not. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Number of processes, of all sessions, that have not exited. */
  get runningProcesses(): number {
    return this.#all().reduce((sum, session) => sum + session.runningProcesses, 0);
  }

  /** Opens a session for a connection. @throws {RpcError} -32603 when there are too many */
  open(sink: NotificationSink): Session {
    const { maxSessions } = this.#options;
    if (this.#sessions.size >= maxSessions) {
      logSeldom("warn", "session refused: too many sessions", { limit: maxSessions });
      throw internalError(
        `this executor has ${maxSessions} sessions already (--max-sessions); try again later`,
      );
    }
    const session = new Session(this.#options);
    this.#sessions.set(session.id, session);
    session.attach(sink);
    return session;
  }

  /**
   * Attaches a detached session to a new connection.
   *
   * @param takeOver whether to take it away from a connection that it is attached to
   * @throws {RpcError} -32600 for an unknown or expired id, -32010 while it is still attached
   */
  resume(id: string, sink: NotificationSink, takeOver = false): Session {
    const session = this.find(id);
    if (session.attached && !takeOver) {
      throw new RpcError(
        ErrorCode.SessionAttached,
        `session ${id} is already attached to another connection`,
      );
    }
    this.#forgetDetachment(session);
    session.takeOver(sink);
    this.#options.telemetry.sessionResumed();
    log("info", "session resumed", { sessions: this.size });
    return session;
  }

  /**
   * The session of that id, attached or not.
   *
   * From its deadline on a session has ended, even if its timer is late.
   *
   * @throws {RpcError} -32600 for an unknown or expired id
   */
  find(id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined) throw invalidRequest(`unknown session id ${id}`);
    const { deadline = Infinity } = this.#detachments.get(session) ?? {};
    if (performance.now() < deadline) return session;
    this.#expire(session);
    throw invalidRequest(`unknown session id ${id}`);
  }

  /** Keeps a session as its client wants, or as nearly as is granted. Returns what is. */
  retain(session: Session, { sessionRetentionMs, retainOnDisk }: AskedRetention): AskedRetention {
    const { detachedLifeMs, maxDetachedLifeMs = detachedLifeMs, spoolDirectory } = this.#options;
    if (sessionRetentionMs !== undefined) {
      session.retain({ waitsMs: Math.min(sessionRetentionMs, maxDetachedLifeMs) });
    }
    if (retainOnDisk !== undefined) {
      session.retain({ onDisk: retainOnDisk && spoolDirectory?.available === true });
    }
    const { waitsMs, onDisk } = session.retention;
    return {
      sessionRetentionMs: sessionRetentionMs && waitsMs,
      retainOnDisk: retainOnDisk && onDisk,
    };
  }

  /**
   * Ends a session at once, whoever has it: its processes are asked to end, then killed. A client that
   * has it learns of their ends, and then its connection is closed.
   */
  end(session: Session): void {
    if (this.#sessions.has(session.id)) this.#expire(session);
  }

  /** Notes that a session lost its connection; the session then waits for another one. */
  detach(session: Session, sink: NotificationSink): void {
    session.detach(sink);
    if (session.attached || this.#detachments.has(session)) return;
    if (!this.#sessions.has(session.id)) return;
    if (session.retention.endsWithConnection) return this.#expire(session);
    const deadline = performance.now() + this.#lifeOf(session);
    const detachment = { deadline, timer: 0 };
    this.#detachments.set(session, detachment);
    this.#wait(session, detachment);
  }

  /** A session without processes has nothing to be kept longer than others for. */
  #lifeOf({ retention: { waitsMs }, empty }: Session): number {
    const { detachedLifeMs } = this.#options;
    if (waitsMs === undefined) return detachedLifeMs;
    return empty ? Math.min(detachedLifeMs, waitsMs) : waitsMs;
  }

  /** A timer may not be able to wait so long at once. */
  #wait(session: Session, detachment: Detachment): void {
    const rest = detachment.deadline - performance.now();
    detachment.timer = rest > MAX_TIMER_MS
      ? setTimeout(() => this.#wait(session, detachment), MAX_TIMER_MS)
      : setTimeout(() => this.#expire(session), rest);
  }

  /** Asks all processes to end, and kills after so many milliseconds those that have not. */
  async endAll(graceMs: number): Promise<void> {
    for (const session of this.#sessions.values()) session.requestEnd();
    this.#options.keeper.requestEnd();
    await untilNot(() => this.#anythingRuns, graceMs);
    for (const session of this.#all()) session.kill();
    // The clients learn of it, unless they do not read: also that the last output has been told.
    const tells = (session: Session) => session.attached && session.hasNews;
    await untilNot(
      () => this.runningProcesses > 0 || this.#all().some(tells),
      KILLED_WITHIN_MS,
    );
    for (const session of this.#all()) this.#remove(session);
    await Promise.all(this.#waits);
  }

  #all(): Session[] {
    return [...this.#sessions.values(), ...this.#ending];
  }

  #expire(session: Session): void {
    const processes = session.runningProcesses;
    this.#forgetDetachment(session);
    this.#sessions.delete(session.id);
    log("info", "session expired", { processes, sessions: this.size });
    const wait = this.#endGently(session).finally(() => this.#waits.delete(wait));
    this.#waits.add(wait);
  }

  /** Asks the processes of a session to end, and kills them after the grace. */
  async #endGently(session: Session): Promise<void> {
    const { keeper, graceMs } = this.#options;
    this.#ending.add(session);
    session.requestEnd();
    keeper.requestEndOf(session);
    // A shutdown ends the session sooner.
    const runs = () =>
      this.#ending.has(session) &&
      (session.runningProcesses > 0 || keeper.leftBehindOf(session) > 0);
    await untilNot(runs, graceMs);
    if (session.attached && this.#ending.has(session)) {
      session.kill();
      // Its client learns of it, unless it does not read.
      const tells = () => this.#ending.has(session) && session.attached && session.hasNews;
      await untilNot(tells, KILLED_WITHIN_MS);
    }
    if (this.#ending.has(session)) this.#remove(session, ENDED_BY_ANOTHER);
  }

  /** @param farewell why the connection of its client is closed. @default it is not */
  #remove(session: Session, farewell?: CloseReason): void {
    this.#forgetDetachment(session);
    this.#sessions.delete(session.id);
    this.#ending.delete(session);
    session.end(farewell);
  }

  #forgetDetachment(session: Session): void {
    clearTimeout(this.#detachments.get(session)?.timer);
    this.#detachments.delete(session);
  }

  get #anythingRuns(): boolean {
    return this.runningProcesses > 0 || this.#options.keeper.leftBehind > 0;
  }
}

const ENDED_BY_ANOTHER: CloseReason = {
  kind: "shutdown",
  message: "another client has ended the session",
};

/** How long killed processes may take to exit, in milliseconds. */
const KILLED_WITHIN_MS = 1000;

/** Interval of looking whether all processes have ended, in milliseconds. */
const QUIET_CHECK_MS = 10;

/** Settles when a condition no longer holds, or after so many milliseconds. */
async function untilNot(condition: () => boolean, milliseconds: number): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (condition() && performance.now() < deadline) {
    await delay(QUIET_CHECK_MS);
  }
}
