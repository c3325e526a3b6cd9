import { clearImmediate, setImmediate } from "node:timers";
import type { Child } from "./child.ts";
import { startChild } from "./start_child.ts";

/** Shells started in all; where one ends at once, so do others. */
const MAX_STARTS = 10;
/** Rounds of looking and killing; what the kernel cannot end at once it ends when it can. */
const MAX_ROUNDS = 100;

/** Sessions that the shell is given with its start: an argument has 128 KiB at the most (execve(2)). */
const MAX_GIVEN = 10_000;

/** How long a directory is kept in mind after its release: the next command may need it again. */
const DIRECTORY_MS = 1000;

/** How long the end of a session may wait to be told with the next begin: no number is used again so soon. */
const RELEASE_MS = 100;

/**
 * Is given ids, each with a blank after it, reads `+ID` and `-ID` lines, and at the end of its input kills what belongs to the ids named
 * and not withdrawn: those processes, the members of those sessions, and whatever descends from them,
 * round after round until nothing is found. Without /proc it kills the process groups of the same ids.
 *
 * In each round all are found before any is killed, since a process whose parent is gone no longer
 * tells what it descends from; and stopped when found, so that it starts no others meanwhile.
 *
 * Then it removes the directories named by `>PATH` and not withdrawn by `<PATH`, unless something is
 * in them or another executor has a lock on them, the last named first; where there is no flock(1)
 * they stay.
 *
 * But for flock(1) it uses only what every sh has built in: the machine may have no room for another
 * process. Its messages go nowhere: whoever would read them is dead, and a write would end it too.
 */
const SCRIPT = `
exec > /dev/null 2>&1
trap '' HUP INT TERM
newline='
'
sessions=" $1"
directories=$newline
while IFS= read -r line; do
  id=\${line#?}
  case $line in
    +*) sessions="$sessions$id " ;;
    -*) case $sessions in *" $id "*) sessions="\${sessions%% $id *} \${sessions#* $id }" ;; esac ;;
    '>'*) directories=$newline$id$directories ;;
    '<'*) case $directories in *"$newline$id$newline"*)
      directories=\${directories%%"$newline$id$newline"*}$newline\${directories#*"$newline$id$newline"} ;;
    esac ;;
  esac
done
if [ ! -r /proc/self/stat ]; then
  for id in $sessions; do kill -KILL "-$id"; done
  sessions=' '
fi
rounds=0
while [ "$rounds" -lt ${MAX_ROUNDS} ]; do
  rounds=$((rounds + 1))
  found=' '
  more=yes
  while [ "$more" ]; do
    more=
    for file in /proc/[0-9]*/stat; do
      pid=\${file#/proc/}
      pid=\${pid%/stat}
      case $found in *" $pid "*) continue ;; esac
      stat=
      while IFS= read -r line; do stat=$stat$line; done < "$file" || continue
      set -- \${stat##*)}
      case $1 in ''|Z) continue ;; esac
      case $sessions in
        *" $pid "*|*" $4 "*) ;;
        *) case $found in *" $2 "*) sessions="$sessions$4 " ;; *) continue ;; esac ;;
      esac
      kill -STOP "$pid"
      found="$found$pid "
      more=yes
    done
  done
  case $found in ' ') break ;; esac
  kill -KILL $found
done
IFS=$newline
set -f
for directory in $directories; do
  flock -n -x "$directory" rmdir "$directory"
done`;

/**
 * Ends the executor's children when the executor itself is gone, however it went.
 *
 * No signal handler runs after SIGKILL, but the kernel closes the pipe to this small shell then.
 * It stands in a session of its own, where what ends the executor does not reach it.
 */
export class Watchdog {
  readonly #sessions = new Set<number>();
  /** Each with the timer of its withdrawal, if it has been released. */
  readonly #directories = new Map<string, number | undefined>();
  readonly #onLost: (reason: string) => void;
  #shell: Child | undefined;
  #starting: Promise<void> = Promise.resolve();
  /**
   * What it is told after this turn: each time it is told something wakes it, which takes longer than
   * telling a client what the same turn is about.
   */
  #lines: string[] = [];
  /** Tells what cannot wait. */
  #soon: ReturnType<typeof setImmediate> | undefined;
  /** Tells what can. */
  #later: number | undefined;
  #starts = 0;
  #retired = false;

  /** @param onLost told when the watchdog cannot be started or has to be started again */
  constructor(onLost: (reason: string) => void) {
    this.#onLost = onLost;
  }

  /** The watchdog's process id, while it runs. */
  get pid(): number | undefined {
    return this.#shell?.pid;
  }

  /** Starts the shell. Settles when that is done, or cannot be. */
  start(): Promise<void> {
    return this.#starting = this.#start();
  }

  /** Settles when it is known which process it is. */
  get started(): Promise<void> {
    return this.#starting;
  }

  /** The shell knows from its first moment on what it guards: there may be no other. */
  async #start(): Promise<void> {
    this.#starts++;
    const given = new Set([...this.#sessions].slice(0, MAX_GIVEN));
    const ids = Array.from(given, (session) => `${session} `).join("");
    try {
      const shell = await startChild({
        argv: ["/bin/sh", "-c", SCRIPT, "sh", ids],
        cwd: "/",
        env: {},
        stdio: { kind: "pipes", stdin: "pipe" },
      }, { output: () => {}, exited: () => this.#lost(), ended: () => {} });
      this.#shell = shell;
      this.#lines = [];
      for (const session of this.#sessions.difference(given)) this.#tell(`+${session}`);
      for (const session of given.difference(this.#sessions)) this.#tell(`-${session}`);
      for (const path of this.#directories.keys()) this.#tell(`>${path}`);
    } catch (error) {
      this.#onLost(error instanceof Error ? error.message : String(error));
    }
  }

  /** Puts a session (setsid(2)) into the watchdog's care. */
  watchOver(session: number): void {
    this.#sessions.add(session);
    this.#tell(`+${session}`);
  }

  /** Takes a session out of care, since its last process is gone and its id may be used again. */
  release(session: number): void {
    if (!this.#sessions.delete(session)) return;
    const untold = this.#lines.indexOf(`+${session}`);
    if (untold !== -1) {
      this.#lines.splice(untold, 1);
      return;
    }
    this.#lines.push(`-${session}`);
    this.#later ??= setTimeout(() => this.#flush(), RELEASE_MS);
  }

  /** Has a directory removed if the executor dies: its lock on it (flock(2)) is gone then. */
  keepDirectory(path: string): void {
    // One on a line each.
    if (path.includes("\n")) return;
    if (this.#directories.has(path)) clearTimeout(this.#directories.get(path));
    else this.#tell(`>${path}`);
    this.#directories.set(path, undefined);
  }

  /** The executor has removed a directory itself, or need not any more. */
  releaseDirectory(path: string): void {
    if (!this.#directories.has(path)) return;
    clearTimeout(this.#directories.get(path));
    const withdraw = () => {
      this.#directories.delete(path);
      this.#tell(`<${path}`);
    };
    this.#directories.set(path, setTimeout(withdraw, DIRECTORY_MS));
  }

  /** Dismisses the watchdog; there must be nothing left to guard. */
  retire(): void {
    this.#retired = true;
    clearTimeout(this.#later);
    this.#shell?.kill();
  }

  #tell(line: string): void {
    this.#lines.push(line);
    this.#soon ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
    this.#soon = this.#later = undefined;
    const lines = this.#lines.splice(0);
    if (lines.length === 0) return;
    this.#shell?.write(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
  }

  #lost(): void {
    this.#shell = undefined;
    if (this.#retired) return;
    this.#onLost("it ended before its time");
    if (this.#starts < MAX_STARTS) this.start();
  }
}
