import { InheritedMark } from "../../os/inherited_values.ts";
import {
  childrenOf,
  childrenOfMainThread,
  descendantsOf,
  killTree,
  parentOf,
  processStatus,
} from "../../os/procfs.ts";
import { ownChildren, reap, Signal, signalProcess } from "../../os/signals.ts";
import { becomeSubreaper } from "../../os/subreaper.ts";
import type { OutputsOwner } from "../child.ts";
import type { ProcessOrigin } from "../process_keeper.ts";
import { type Command, Moment } from "./origins.ts";
import { stopAdopted } from "./stop_adopted.ts";

/** Ends of children arrive in crowds; one look serves all of the last so many milliseconds. */
const SWEEP_DELAY_MS = 20;
/** The kernel tells when a child ends, but not when one is adopted: how often to look for those. */
const LOOK_MS = 250;
/** Looks at once for what starts others faster than it is found; it is gone on with later. */
const MAX_LOOKS = 50;

/** A process whose parent has ended, now a child of the executor. */
interface Orphan {
  readonly session: number;
  /** The commands that may have started it; normally one. */
  readonly origins: ReadonlySet<Command>;
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
 * while it is on these lists.
 *
 * An orphan comes from the command that started its session, or from the one to whose output it
 * still writes. One of which nothing of that can be told comes from any command that had a process
 * here when it was found, and ends with the last of them. One that no command started is reaped when
 * it ends, and otherwise left alone: it was there before the executor, or came by other ways.
 */
export class Orphans {
  readonly #observer: SessionObserver;
  readonly #mark = new InheritedMark();
  readonly #orphans = new Map<number, Orphan>();
  /** Children that no command started. */
  readonly #strangers: Set<number>;
  readonly #sessions = new Map<number, ReadonlySet<Command>>();
  /** Orphans that have been killed and wait to be reaped. */
  readonly #killed = new Set<number>();
  /** Those of which it can be told only when these commands, on their way then, have been started. */
  readonly #undecided = new Map<number, ReadonlySet<number>>();
  /** Owners and commands of which nothing may be left. */
  readonly #ended = new WeakSet<object>();
  /** Commands of which something may still be about to turn up. */
  readonly #endings = new Set<Command>();
  #sweepPlanned = false;
  #lookout: number | undefined;
  #shuttingDown = false;

  constructor(observer: SessionObserver) {
    this.#observer = observer;
    this.#strangers = new Set(childrenOf(Deno.pid).filter((pid) => !ownChildren.has(pid)));
    becomeSubreaper();
    Deno.addSignalListener("SIGCHLD", () => this.#planSweep());
  }

  /** A command was started, leader of its own session. */
  started(command: OutputsOwner, owner: object): void {
    const { pid, sessions = [] } = command;
    const origins = new Set([{ pid, owner, outputs: command, sessions }]);
    for (const session of [pid, ...sessions]) this.#enter(session, origins);
  }

  /** A command has ended: what it left behind is found before its end is told. */
  exited(): void {
    this.#sweep();
  }

  /** How many there are, the ended included until the next look. */
  get count(): number {
    return this.#orphans.size;
  }

  /**
   * All processes that this program or commands have started and that have not been reaped.
   *
   * @param spared one that is not a command's
   */
  processes(spared: number | undefined): number[] {
    this.#sweep();
    // Those of all threads: one that was born on another is not taken over at once.
    return this.#roots().filter((pid) => pid !== spared)
      .flatMap((pid) => [pid, ...descendantsOf(pid)]);
  }

  /** Whether there are any of those. */
  any(spared: number | undefined): boolean {
    this.#sweep();
    return this.#roots().some((pid) => pid !== spared);
  }

  /**
   * Whether a process is one of those. Its parents are followed up to this program, which adopts
   * whatever loses its own: where the way breaks off, a parent has ended meanwhile, and it begins anew.
   */
  originOf(pid: number): ProcessOrigin {
    this.#sweep();
    for (let attempt = 0; attempt < MAX_LOOKS; attempt++) {
      if (processStatus(pid)?.zombie !== false) return "gone";
      const way = [pid];
      for (let parent = parentOf(pid); !way.includes(parent); parent = parentOf(parent)) {
        if (parent === Deno.pid) return this.#strangers.has(way.at(-1) ?? pid) ? "foreign" : "ours";
        if (parent === 0 && isRoot(way.at(-1) ?? pid)) return "foreign";
        if (parent === 0) break;
        way.push(parent);
      }
    }
    return "ours";
  }

  /** Sends SIGTERM to each, and to those that are found later: what the first leave behind. */
  requestEnd(): void {
    this.#shuttingDown = true;
    for (const pid of this.#orphans.keys()) signalProcess(pid, Signal.Terminate);
    this.#sweep();
  }

  /** Sends SIGTERM to what an owner's commands left behind, unless it may also be another's. */
  requestEndOf(owner: object): void {
    this.#sweep();
    for (const [pid] of this.#ofOwner(owner)) signalProcess(pid, Signal.Terminate);
  }

  /** How many there are that an owner's commands left behind, their descendants not counted. */
  countOf(owner: object): number {
    return this.#ofOwner(owner).length;
  }

  /**
   * Kills what an owner's commands left behind, now and from now on, with all its descendants.
   * Returns how many there were, their descendants not counted; none the second time, as whatever is
   * found after the first is killed on sight.
   */
  killAllOf(owner: object): number {
    // Whatever is here already is not taken for what turns up while the others are killed.
    this.#sweep();
    const left = this.#ended.has(owner) ? 0 : this.countOf(owner);
    this.#ended.add(owner);
    for (const command of this.#commands()) {
      if (command.owner === owner) this.#endings.add(command);
    }
    this.#killEnded();
    return left;
  }

  /**
   * What kills whatever a command leaves behind, wherever it has gone. To be asked for while the
   * command is there: later its number may be another's.
   */
  killerOf(pid: number): () => void {
    this.#sweep();
    const command = this.#commands().find((one) => one.pid === pid);
    return () => {
      this.#sweep();
      if (command === undefined || !this.#commands().includes(command)) return;
      this.#ended.add(command);
      this.#endings.add(command);
      this.#killEnded();
    };
  }

  /** Kills everything that commands have started. Returns how many trees there were to kill. */
  killAll(spared: number | undefined): number {
    stopAdopted((pid) => pid === spared || ownChildren.has(pid) || this.#strangers.has(pid));
    this.#sweep();
    const doomed = this.#roots().filter((pid) =>
      pid !== spared && processStatus(pid)?.zombie === false
    );
    doomed.forEach(killTree);
    return doomed.length;
  }

  #roots(): number[] {
    return childrenOf(Deno.pid).filter((pid) => !this.#strangers.has(pid));
  }

  #ofOwner(owner: object): [number, Orphan][] {
    return [...this.#orphans].filter(([, { origins }]) =>
      [...origins].every((origin) => this.#hasEnded(origin) || origin.owner === owner)
    );
  }

  #planSweep(): void {
    if (this.#sweepPlanned) return;
    this.#sweepPlanned = true;
    setTimeout(() => this.#killEnded(), SWEEP_DELAY_MS);
  }

  /**
   * Looks until nothing new is found, since what is found may have started others meanwhile. Where
   * descendants of a command are killed, what turns up is stopped before anything else is found out
   * about it: there may be some that start others faster than that is done.
   */
  #killEnded(): void {
    for (let look = 0; look < MAX_LOOKS; look++) {
      const stopped = this.#endings.size === 0
        ? new Set<number>()
        : stopAdopted((pid) => this.#isKnown(pid));
      const killed = this.#sweep();
      for (const pid of stopped) {
        if (!this.#killed.has(pid)) signalProcess(pid, Signal.Continue);
      }
      if (killed === 0 && stopped.size === 0) return this.#endings.clear();
    }
    this.#planSweep();
  }

  /**
   * Looks at all children. What is reaped has ended before the look, so that the look finds all that
   * it left behind. Returns how many were killed.
   */
  #sweep(): number {
    this.#sweepPlanned = false;
    for (const pid of this.#orphans.keys()) {
      if (reap(pid) === undefined) continue;
      this.#orphans.delete(pid);
      this.#killed.delete(pid);
    }
    for (const pid of this.#strangers) {
      if (reap(pid) !== undefined) this.#strangers.delete(pid);
    }
    let killed = 0;
    const children = childrenOfMainThread(Deno.pid);
    const now = new Moment(() => this.#commands(), (pid) => this.#strangers.has(pid));
    for (const pid of children) {
      // Nothing is to be learned from the ended, and there may be more than could be looked at.
      if (!this.#isKnown(pid) && reap(pid) !== undefined) continue;
      if (!ownChildren.has(pid) && !this.#strangers.has(pid) && this.#adopt(pid, now)) killed++;
    }
    this.#leaveEmptySessions();
    return killed;
  }

  #isKnown(pid: number): boolean {
    return ownChildren.has(pid) || this.#strangers.has(pid) || this.#orphans.has(pid);
  }

  /**
   * One that was adopted before may have opened a session of its own since, and one adopted now may
   * do so next, under its own id. Returns whether it had to be killed.
   */
  #adopt(pid: number, now: Moment): boolean {
    const status = processStatus(pid);
    if (status === undefined) return false;
    const { session, zombie } = status;
    const known = this.#orphans.get(pid)?.origins ?? this.#sessions.get(session);
    if (known === undefined && this.#waitsForStart(pid, now)) {
      this.#planSweep();
      return false;
    }
    const origins = known ?? this.#originsOf(pid, now);
    if (origins === undefined) {
      this.#strangers.add(pid);
      if (zombie) this.#planSweep();
      return false;
    }
    if (this.#shuttingDown && !this.#orphans.has(pid)) signalProcess(pid, Signal.Terminate);
    this.#orphans.set(pid, { session, origins });
    this.#enter(session, origins);
    this.#enter(pid, origins);
    if (zombie) this.#planSweep();
    else if (this.#haveEnded(origins) && !this.#killed.has(pid)) {
      this.#killed.add(pid);
      killTree(pid);
      return true;
    }
    return false;
  }

  /**
   * Whether one may come from a command that has been born on another thread, and of which this one
   * has not heard yet: a short one can have ended before.
   */
  #waitsForStart(pid: number, now: Moment): boolean {
    const before = this.#undecided.get(pid) ?? now.onTheirWay;
    const isWaiting = !now.onTheirWay.isDisjointFrom(before);
    if (isWaiting) this.#undecided.set(pid, before);
    else this.#undecided.delete(pid);
    return isWaiting;
  }

  /** Where one may come from whose session nobody knows; undefined if no command started it. */
  #originsOf(pid: number, now: Moment): ReadonlySet<Command> | undefined {
    const marked = this.#mark.isOn(pid) ?? Deno.pid !== 1;
    if (!marked) return undefined;
    const writers = now.writersLike(pid);
    if (writers.size > 0) return writers;
    // What turns up while descendants of a command are killed is of them.
    return new Set(this.#endings.size > 0 ? this.#endings : now.commands);
  }

  /** A session stays listed until the first look after its end, which finds what it left behind. */
  #commands(): Command[] {
    return [...new Set([...this.#sessions.values()].flatMap((origins) => [...origins]))];
  }

  #hasEnded(command: Command): boolean {
    return this.#ended.has(command) || this.#ended.has(command.owner);
  }

  #haveEnded(origins: ReadonlySet<Command>): boolean {
    return [...origins].every((origin) => this.#hasEnded(origin));
  }

  #enter(session: number, origins: ReadonlySet<Command>): void {
    if (this.#sessions.has(session)) return;
    this.#sessions.set(session, origins);
    this.#observer.watchOver(session);
    this.#lookout ??= setInterval(() => this.#sweep(), LOOK_MS);
  }

  #leaveEmptySessions(): void {
    const held = new Set(ownChildren);
    for (const { pid, sessions } of this.#commands()) {
      if (ownChildren.has(pid)) { for (const session of sessions) held.add(session); }
    }
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

/** Whether a process has no parent that is to be seen from here, rather than being gone itself. */
function isRoot(pid: number): boolean {
  return processStatus(pid)?.parent === 0;
}
