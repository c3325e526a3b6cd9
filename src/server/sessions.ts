import { ErrorCode, internalError, invalidRequest, RpcError } from "../protocol/errors.ts";
import { log, logSeldom } from "../log/log.ts";
import { type NotificationSink, Session, type SessionOptions } from "./session.ts";

/** What the executor decides about sessions. */
export interface SessionsOptions extends SessionOptions {
  /** How long a session without a connection lives, in milliseconds. */
  readonly detachedLifeMs: number;
  /** How many there may be, attached or not. */
  readonly maxSessions: number;
  /** How long the processes of an expired session have to end before they are killed, in ms. */
  readonly graceMs: number;
}

interface Detachment {
  /** On the clock of performance.now(), which nobody sets. */
  readonly deadline: number;
  readonly timer: number;
}

/** All sessions: those attached to a connection and those that wait for one to come back. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #detachments = new Map<Session, Detachment>();
  /** Expired ones whose processes have been told to end. */
  readonly #ending = new Set<Session>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** How many there are, attached or not. */
  get size(): number {
    return this.#sessions.size;
  }

  /** How many processes of all sessions have not exited. */
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
   * At or after its deadline a session has ended, whether or not its timer has run yet.
   *
   * @throws {RpcError} -32600 for an unknown or expired id, -32010 while it is still attached
   */
  resume(id: string, sink: NotificationSink): Session {
    const session = this.#sessions.get(id);
    if (session === undefined) throw invalidRequest(`unknown session id ${id}`);
    const detachment = this.#detachments.get(session);
    if (detachment === undefined) {
      throw new RpcError(
        ErrorCode.SessionAttached,
        `session ${id} is already attached to another connection`,
      );
    }
    if (performance.now() >= detachment.deadline) {
      this.#expire(session);
      throw invalidRequest(`unknown session id ${id}`);
    }
    this.#forgetDetachment(session);
    session.attach(sink);
    this.#options.telemetry.sessionResumed();
    log("info", "session resumed", { sessions: this.size });
    return session;
  }

  /** The connection of a session is gone; the session waits for another until its deadline. */
  detach(session: Session, sink: NotificationSink): void {
    session.detach(sink);
    if (session.attached || this.#detachments.has(session)) return;
    if (!this.#sessions.has(session.id)) return;
    if (session.endsWithConnection) return this.#expire(session);
    const timer = setTimeout(() => this.#expire(session), this.#options.detachedLifeMs);
    const deadline = performance.now() + this.#options.detachedLifeMs;
    this.#detachments.set(session, { deadline, timer });
  }

  /** Asks everything that runs to end, waits so many milliseconds at the most, and kills the rest. */
  async endAll(graceMs: number): Promise<void> {
    for (const session of this.#sessions.values()) session.requestEnd();
    this.#options.keeper.requestEnd();
    await untilNot(() => this.#anythingRuns, graceMs);
    for (const session of this.#all()) session.kill();
    // Their clients are told, unless they do not read.
    await untilNot(() => this.runningProcesses > 0, KILLED_WITHIN_MS);
    for (const session of this.#all()) this.#remove(session);
  }

  #all(): Session[] {
    return [...this.#sessions.values(), ...this.#ending];
  }

  #expire(session: Session): void {
    const processes = session.runningProcesses;
    this.#forgetDetachment(session);
    this.#sessions.delete(session.id);
    log("info", "session expired", { processes, sessions: this.size });
    void this.#endGently(session);
  }

  /** Asks what runs to end, and kills what runs on after the grace. */
  async #endGently(session: Session): Promise<void> {
    const { keeper, graceMs } = this.#options;
    this.#ending.add(session);
    session.requestEnd();
    keeper.requestEndOf(session);
    // A shutdown ends it sooner.
    const runs = () =>
      this.#ending.has(session) &&
      (session.runningProcesses > 0 || keeper.leftBehindOf(session) > 0);
    await untilNot(runs, graceMs);
    if (this.#ending.has(session)) this.#remove(session);
  }

  #remove(session: Session): void {
    this.#forgetDetachment(session);
    this.#sessions.delete(session.id);
    this.#ending.delete(session);
    session.end();
  }

  #forgetDetachment(session: Session): void {
    clearTimeout(this.#detachments.get(session)?.timer);
    this.#detachments.delete(session);
  }

  get #anythingRuns(): boolean {
    return this.runningProcesses > 0 || this.#options.keeper.leftBehind > 0;
  }
}

/** How long the ends of killed processes may take to be told, in milliseconds. */
const KILLED_WITHIN_MS = 1000;

/** How often a shutdown looks whether all processes have ended, in milliseconds. */
const QUIET_CHECK_MS = 10;

/** Settles when a condition no longer holds, or when the time is up. */
async function untilNot(condition: () => boolean, milliseconds: number): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (condition() && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_CHECK_MS));
  }
}
