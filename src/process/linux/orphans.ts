import { libc } from "./libc.ts";
import { ownChildren } from "./own_children.ts";
import { killTree } from "./process_tree.ts";
import { childrenOfMainThread, descendantsOf, processStatus } from "./procfs.ts";
import { reap, Signal, signalProcess } from "./signals.ts";

const PR_SET_CHILD_SUBREAPER = 36;
/** Ends of children arrive in crowds; one look serves all of the last so many milliseconds. */
const SWEEP_DELAY_MS = 20;
/** The kernel tells when a child ends, but not when one is adopted: how often to look for those. */
const LOOK_MS = 250;

/** A process whose parent has ended, now a child of the executor. */
interface Orphan {
  readonly session: number;
  /** Who may have started it; normally one. */
  readonly owners: Set<object>;
}

/** Told which sessions (setsid(2)) hold processes that the executor is answerable for. */
export interface SessionObserver {
  watchOver(session: number): void;
  release(session: number): void;
}

/**
 * Keeps hold of what commands leave behind: background processes, daemons.
 *
 * As their subreaper (prctl(2)) the executor becomes the parent of every descendant whose own
 * parent ends. So none is lost from sight, none stays a zombie, and no process id is used again
 * while it is on these lists. An orphan belongs to whoever started its session; one that opened a
 * session of its own and whose origin cannot be told belongs to all who had a process here when it
 * was found, and ends with the last of them.
 */
export class Orphans {
  readonly #observer: SessionObserver;
  readonly #orphans = new Map<number, Orphan>();
  readonly #sessions = new Map<number, Set<object>>();
  readonly #ended = new WeakSet<object>();
  #sweepPlanned = false;
  #lookout: number | undefined;
  #ending = false;

  constructor(observer: SessionObserver) {
    this.#observer = observer;
    libc().prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n);
    Deno.addSignalListener("SIGCHLD", () => this.#planSweep());
  }

  /** A command was started, leader of its own session. */
  started(pid: number, owner: object): void {
    this.#enter(pid, new Set([owner]));
  }

  /** A command has ended: what it left behind is found before its end is told. */
  exited(): void {
    this.#sweep();
  }

  /** How many there are, the ended included until the next look. */
  get count(): number {
    return this.#orphans.size;
  }

  /** Sends SIGTERM to each, and to those that are found later: what the first leave behind. */
  requestEnd(): void {
    this.#ending = true;
    for (const pid of this.#orphans.keys()) signalProcess(pid, Signal.Terminate);
    this.#sweep();
  }

  /** Sends SIGTERM to what an owner's commands left behind, unless it may also be another's. */
  requestEndOf(owner: object): void {
    this.#sweep();
    for (const pid of this.#ofOwner(owner)) signalProcess(pid, Signal.Terminate);
  }

  /** How many there are that an owner's commands left behind. */
  countOf(owner: object): number {
    return this.#ofOwner(owner).length;
  }

  /** Kills what an owner's commands left behind, now and from now on, with all its descendants. */
  killAllOf(owner: object): void {
    this.#ended.add(owner);
    this.#sweep();
    for (const [pid, { owners }] of this.#orphans) {
      if (this.#haveEnded(owners)) killTree(pid);
    }
  }

  #ofOwner(owner: object): number[] {
    return [...this.#orphans]
      .filter(([, { owners }]) => owners.has(owner) && owners.size === 1)
      .map(([pid]) => pid);
  }

  #planSweep(): void {
    if (this.#sweepPlanned) return;
    this.#sweepPlanned = true;
    setTimeout(() => this.#sweep(), SWEEP_DELAY_MS);
  }

  /** What is reaped has ended before the look, so that the look finds all that it left behind. */
  #sweep(): void {
    this.#sweepPlanned = false;
    for (const pid of this.#orphans.keys()) {
      if (reap(pid) !== undefined) this.#orphans.delete(pid);
    }
    for (const pid of childrenOfMainThread(Deno.pid)) {
      if (!ownChildren.has(pid)) this.#adopt(pid);
    }
    this.#leaveEmptySessions();
  }

  /**
   * One that was adopted before may have opened a session of its own since, and one adopted now may
   * do so next, under its own id.
   */
  #adopt(pid: number): void {
    const status = processStatus(pid);
    if (status === undefined) return;
    const { session, zombie } = status;
    const owners = this.#orphans.get(pid)?.owners ?? this.#sessions.get(session) ??
      this.#allOwners();
    if (this.#ending && !this.#orphans.has(pid)) signalProcess(pid, Signal.Terminate);
    this.#orphans.set(pid, { session, owners });
    this.#enter(session, owners);
    this.#enter(pid, owners);
    if (zombie) this.#planSweep();
    else if (this.#haveEnded(owners)) killTree(pid);
  }

  /** A session stays listed until the first look after its end, which finds what it left behind. */
  #allOwners(): Set<object> {
    return new Set([...this.#sessions.values()].flatMap((owners) => [...owners]));
  }

  #haveEnded(owners: Set<object>): boolean {
    return [...owners].every((owner) => this.#ended.has(owner));
  }

  #enter(session: number, owners: Set<object>): void {
    if (this.#sessions.has(session)) return;
    this.#sessions.set(session, owners);
    this.#observer.watchOver(session);
    this.#lookout ??= setInterval(() => this.#sweep(), LOOK_MS);
  }

  #leaveEmptySessions(): void {
    const held = new Set(ownChildren);
    for (const [pid, { session }] of this.#orphans) held.add(session).add(pid);
    for (const session of this.#sessions.keys()) {
      if (held.has(session)) continue;
      this.#sessions.delete(session);
      this.#observer.release(session);
    }
    if (this.#sessions.size > 0) return;
    clearInterval(this.#lookout);
    this.#lookout = undefined;
  }
}

/** Kills every descendant of this program but one. Returns how many there were to kill. */
export function killDescendants(spared: number | undefined): number {
  const doomed = descendantsOf(Deno.pid)
    .filter((pid) => pid !== spared && processStatus(pid)?.zombie === false);
  for (const pid of doomed) signalProcess(pid, Signal.Kill);
  return doomed.length;
}
