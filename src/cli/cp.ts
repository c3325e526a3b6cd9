import { ConnectionError, type ExecServerClient } from "../client/mod.ts";
import { loadConfiguration } from "../config/load.ts";
import { copy, withNames } from "../copying/copy.ts";
import { type FileAt, readStream, writeStream } from "../copying/copy_file.ts";
import type { TreeOptions } from "../copying/copy_tree.ts";
import type { FileEnd } from "../copying/end.ts";
import { LocalEnd } from "../copying/local_end.ts";
import { RemoteEnd } from "../copying/remote_end.ts";
import { configureLog } from "../log/log.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import {
  CP_MANUAL,
  type CpOptions,
  type CpSide,
  parseCpArguments,
  remotePath,
  type SpelledPath,
} from "./cp_options.ts";
import { usageText } from "./command_manual.ts";
import { sandboxIntent } from "./exec_sandbox.ts";
import { Interrupted, Interruption } from "./ending_signals.ts";
import { ProgressLine } from "./progress_line.ts";
import { workspaceDirectories } from "./executor_options.ts";
import { farewell, reachExecutor } from "./reach_executor.ts";
import { OUTPUT_CLOSED, OutputClosed, print, standardInput, writeAll } from "./standard_streams.ts";
import { UsageError } from "./usage_error.ts";
import { OUT_OF_REACH } from "./exit_codes.ts";

/** Something could not be copied. */
const NOT_COPIED = 1;
/** So many files that cannot be copied are enough to give up. */
const MAX_FAILURES = 20;

/** `remex cp`: copies files between machines. Returns the exit code. */
export async function cp(args: string[]): Promise<number> {
  const given = parseCpArguments(args);
  if (typeof given === "string") {
    await print(usageText(CP_MANUAL, given));
    return 0;
  }
  const { configuration } = await loadConfiguration(given);
  const options = given.options(configuration);
  configureLog(options.log);
  using interruption = new Interruption();
  using progress = new ProgressLine(options.progress);
  await using copying = new Copying(options, interruption, progress);
  try {
    return await copying.run();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error instanceof Interrupted) return error.exitCode;
    if (error instanceof OutputClosed) return OUTPUT_CLOSED;
    progress.say(error instanceof Error ? error.message : String(error));
    return error instanceof ConnectionError ? OUT_OF_REACH : NOT_COPIED;
  }
}

/** One run of the command. */
class Copying implements AsyncDisposable {
  readonly #options: CpOptions;
  readonly #interruption: Interruption;
  readonly #progress: ProgressLine;
  readonly #local = new LocalEnd();
  readonly #reached: { readonly executor: string; readonly connected: Promise<Connected> }[] = [];
  readonly #clients: ExecServerClient[] = [];

  constructor(options: CpOptions, interruption: Interruption, progress: ProgressLine) {
    this.#options = options;
    this.#interruption = interruption;
    this.#progress = progress;
  }

  /** Copies. Returns the exit code. @throws what it fails of as a whole */
  async run(): Promise<number> {
    const { from, to } = this.#options;
    const [source, destination] = await this.#interruption.orInterrupted(
      Promise.all([this.#placeOf(from), this.#placeOf(to)]),
    );
    const work = this.#copy(source, destination);
    try {
      return await this.#interruption.orInterrupted(work);
    } catch (error) {
      // What it leaves is to be in order.
      if (error instanceof Interrupted) await farewell(work);
      throw error;
    }
  }

  /** Closes everything. What is half written is left where it can be gone on with. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#local[Symbol.asyncDispose]();
    await Promise.all(this.#clients.map((client) => farewell(client.close())));
    // What is still connecting has been told to end.
    await farewell(Promise.allSettled(this.#reached.map(({ connected }) => connected)));
  }

  async #copy(from: Place | undefined, to: Place | undefined): Promise<number> {
    const { signal } = this.#interruption;
    const giveUp = new AbortController();
    let failures = 0;
    const options: TreeOptions = {
      again: this.#options.again,
      signal: AbortSignal.any([signal, giveUp.signal]),
      expected: (bytes) => this.#progress.expected(bytes),
      arrived: (bytes) => this.#progress.arrived(bytes),
      copied: () => this.#progress.copied(),
      failed: (path, error) => {
        this.#progress.say(`${path}: ${error instanceof Error ? error.message : error}`);
        if (++failures === MAX_FAILURES) giveUp.abort();
      },
    };
    if (from === undefined && to !== undefined) await this.#readInput(to, options);
    else if (from !== undefined && to === undefined) await this.#writeOutput(from, options);
    else if (from !== undefined && to !== undefined) {
      await copy(
        { ...from, contents: from.spelled.contents },
        { ...to, directory: to.spelled.directory },
        options,
      );
    }
    if (giveUp.signal.aborted) this.#progress.say("too much could not be copied; given up");
    return failures === 0 ? 0 : NOT_COPIED;
  }

  async #readInput(to: Place, options: TreeOptions): Promise<void> {
    const there = await to.end.stat(to.path);
    const name = to.end.describe(to.path);
    if (there?.kind === "directory" || to.spelled.directory) {
      throw new Error(`${name} is a directory; the file needs a name`);
    }
    await withNames(name, writeStream(standardInput(), to, options));
  }

  async #writeOutput(from: Place, { arrived, signal, expected }: TreeOptions): Promise<void> {
    const name = from.end.describe(from.path);
    const source = await from.end.stat(from.path);
    if (source === undefined) throw new Error(`${name}: there is no such file`);
    if (source.kind !== "file") {
      throw new Error(`${name} is no file, and standard output takes one`);
    }
    expected(source.size);
    for await (const bytes of readStream(from, source)) {
      signal.throwIfAborted();
      await writeAll(Deno.stdout, bytes);
      arrived(bytes.length);
    }
  }

  async #placeOf(side: CpSide): Promise<Place | undefined> {
    switch (side.kind) {
      case "stream":
        return undefined;
      case "here":
        return { end: this.#local, path: side.path, spelled: side.spelled };
      case "there": {
        const { end, cwd, home } = await this.#reach(side);
        return { end, path: remotePath(side.path, { cwd, home }), spelled: side.spelled };
      }
    }
  }

  /** Both sides may be at one executor. */
  #reach(side: Extract<CpSide, { kind: "there" }>): Promise<Connected> {
    const executor = JSON.stringify(side.executor);
    const known = this.#reached.find((one) => one.executor === executor);
    if (known !== undefined) return known.connected;
    const connected = this.#connect(side);
    this.#reached.push({ executor, connected });
    return connected;
  }

  async #connect({ executor, name }: Extract<CpSide, { kind: "there" }>): Promise<Connected> {
    let interruptions = 0;
    const say = (text: string) => this.#progress.say(text);
    const { client } = await reachExecutor(executor, {
      ...this.#options,
      say,
      signal: this.#interruption.signal,
      client: {
        onInterrupted: ({ message }) => {
          interruptions++;
          say(`${message}; reconnecting`);
        },
      },
    });
    this.#clients.push(client);
    const { environmentInfo } = await client.opened;
    if (environmentInfo?.capabilities?.fileAttributes !== true) {
      throw new Error(
        `the executor at ${name} cannot copy: it is another program, or an older one`,
      );
    }
    const { cwd, userHomeDir: home } = environmentInfo;
    const { sandbox: profile } = this.#options;
    if (profile !== undefined && cwd === undefined) {
      throw new Error(`the executor at ${name} does not tell its directory, which --sandbox needs`);
    }
    const sandbox = profile === undefined || cwd === undefined
      ? undefined
      : await sandboxIntent(profile, cwd, workspaceDirectories(this.#options.workspaces, executor));
    const end = new RemoteEnd({ client, interruptions: () => interruptions, name, sandbox });
    return { end, cwd, home };
  }
}

/** A side of the copy, found. */
interface Place extends FileAt {
  readonly spelled: SpelledPath;
}

interface Connected {
  readonly end: FileEnd;
  readonly cwd: PathUri | undefined;
  readonly home: PathUri | undefined;
}
