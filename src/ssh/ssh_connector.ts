import { deadline } from "@std/async/deadline";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Connector } from "../client/connector.ts";
import { type ClientTransport, ConnectionError } from "../transport/client_transport.ts";
import { CommandTransport } from "../transport/client_command.ts";
import { ClientWebSocket } from "../transport/client_websocket.ts";
import { untilSilent, withHeartbeat } from "../transport/heartbeat.ts";
import { ownPath } from "../own_program.ts";
import type { SshDestination } from "./destination.ts";
import { HostLines } from "./host_lines.ts";
import { callSsh, HEARTBEAT_SECONDS } from "./ssh_call.ts";
import { SshStream } from "./ssh_stream.ts";
import { MAX_WORDS, type SshWords, sshWords } from "./ssh_words.ts";
import { besideOwn, ownTarget, type ProgramFile, programFile, targetOf } from "./program_file.ts";

/** How to reach a host by ssh(1). */
export interface SshOptions {
  readonly destination: SshDestination;
  /** How ssh is called: a command of the shell, to which arguments are added. @default ssh */
  readonly sshCommand?: string | undefined;
  /** How long ssh may take to connect, in seconds. @default as its configuration says */
  readonly connectTimeout?: number | undefined;
  /** The program for the host. @default this one, or the one for its platform beside this one */
  readonly binary?: string | undefined;
  /** The program that is there already and whose executor is meant; no other one is put there. */
  readonly existing?: HostProgram | undefined;
  /** Whether somebody is there to be asked for a passphrase. @default true, for the first connection */
  readonly interactive?: boolean;
  /** Told how much of how many bytes has been sent; a last time when all has. */
  readonly onProgress?: (sentBytes: number, allBytes: number) => void;
  /** Told where the program is put on the host, and of other things worth knowing. */
  readonly onNotice?: (text: string) => void;
}

/** A program on a host, which has an executor of its own. */
export type HostProgram = Pick<ProgramFile, "name" | "size">;

/** A side that was not heard for so many milliseconds is taken for gone. */
const SILENCE_LIMIT_MS = 15_000;
/** How long ssh may take to end once its input has, in milliseconds. */
const END_MS = 2000;
/** Four times as fast as the usual one, for a tenth more to send. */
const GZIP_LEVEL = 1;
/** How long ssh may take to end when nothing more comes from it, in milliseconds. */
const STATUS_MS = 500;

/**
 * Reaches an executor on a host by the system's own ssh, and puts this program there first if need
 * be. Each connection is one ssh.
 */
export class SshConnector implements Connector, Disposable {
  readonly resumable = true;
  readonly attemptTimeoutMs = 20_000;
  readonly #options: SshOptions;
  #program: HostProgram & Partial<ProgramFile> | undefined;
  #connectedBefore = false;
  #calls = 0;
  /** An ssh that nobody has asked for yet. */
  #begun: Promise<Deno.ChildProcess> | undefined;
  readonly #notWanted = new AbortController();

  constructor(options: SshOptions) {
    this.#options = options;
    this.#program = options.existing;
  }

  /** The program on the host whose executor has been reached; undefined before that. */
  get program(): HostProgram | undefined {
    return this.#connectedBefore ? this.#program : undefined;
  }

  get name(): string {
    return this.#options.destination.host;
  }

  /** Starts ssh before the connection is asked for; to be disposed of from then on. */
  async begin(): Promise<void> {
    try {
      const program = this.#program ??= await this.#ownProgram();
      this.#begun = this.#start(program, this.#notWanted.signal);
      this.#begun.catch(() => {});
    } catch {
      // Whoever asks for the connection is told why there is none.
    }
  }

  /** Ends an ssh that was begun, unless its connection has been asked for. */
  [Symbol.dispose](): void {
    if (this.#begun === undefined) return;
    this.#notWanted.abort();
    void this.#begun.then(endNow, () => {});
    this.#begun = undefined;
  }

  async connect(signal: AbortSignal): Promise<ClientTransport> {
    const program = this.#program ??= await this.#ownProgram();
    const starting = this.#begun ?? this.#start(program, signal);
    this.#begun = undefined;
    const giveUp = () => {
      this.#notWanted.abort();
      void starting.then(endNow, () => {});
    };
    signal.addEventListener("abort", giveUp);
    try {
      return await this.#connectBy(await starting, program, signal);
    } catch (error) {
      if (signal.aborted && signal.reason instanceof ConnectionError) throw signal.reason;
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  async #connectBy(
    ssh: Deno.ChildProcess,
    program: HostProgram,
    signal: AbortSignal,
  ): Promise<ClientTransport> {
    const words = sshWords(ssh.stderr, this.#connectedBefore ? "keep" : "show");
    try {
      signal.throwIfAborted();
      const transport = await this.#converse(ssh, program, words);
      this.#connectedBefore = true;
      words.mode = "keep";
      return transport;
    } catch (error) {
      endNow(ssh);
      await ssh.status;
      throw error;
    }
  }

  async #ownProgram(): Promise<ProgramFile> {
    const { binary } = this.#options;
    if (binary === undefined && !Deno.build.standalone) {
      throw new ConnectionError("unreachable", "only the compiled program can be put onto a host");
    }
    try {
      return await programFile(binary ?? ownPath());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ConnectionError("unreachable", `the program for the host: ${reason}`);
    }
  }

  /** Every other call has a connection of its own: a shared one can be dead without anybody's knowing it. */
  #start(program: HostProgram, signal: AbortSignal): Promise<Deno.ChildProcess> {
    return callSsh(this.#options, program, {
      // Whoever is asked in the middle of a session is not there, or its terminal is another's.
      asks: this.#options.interactive !== false && !this.#connectedBefore,
      mayShare: this.#calls++ % 2 === 0,
      signal,
    });
  }

  async #converse(
    ssh: Deno.ChildProcess,
    own: HostProgram & Partial<ProgramFile>,
    words: SshWords,
  ): Promise<ClientTransport> {
    const lines = new HostLines(ssh.stdout);
    let program = own;
    let asked = false;
    while (true) {
      const line = await lines.next();
      switch (line?.kind) {
        case undefined:
          throw await this.#endedEarly(ssh, lines, words);
        case "ready":
          return this.#throughBridge(ssh, lines, words);
        case "joined":
          return this.#throughRelay(ssh, lines, words, line.executorCwd);
        case "place":
          this.#options.onNotice?.(`putting remex onto ${this.name}, into ${line.path}`);
          break;
        case "failed":
          throw this.#failure(line.what, line.words, program);
        case "missing": {
          if (this.#options.existing !== undefined) {
            throw new ConnectionError(
              "sessionExpired",
              `${this.name}: ${program.name}, whose executor had the session, is not there any more`,
            );
          }
          const suitable = await this.#programFor(line.system, line.machine);
          if (!asked && suitable.name !== program.name) {
            await say(ssh, `use ${suitable.name} ${suitable.size}\n`);
          } else {
            await this.#upload(ssh, suitable);
          }
          program = suitable;
          this.#program = suitable;
          asked = true;
        }
      }
    }
  }

  async #programFor(system: string, machine: string): Promise<ProgramFile> {
    const { binary } = this.#options;
    const target = targetOf({ system, machine });
    if (binary !== undefined || target === ownTarget()) return await this.#ownProgram();
    const platform = target ?? `${system} ${machine}`;
    const path = target && besideOwn(target);
    const found = path && await programFile(path).catch(() => undefined);
    if (found) return found;
    const advice = target === undefined
      ? ""
      : `; build it with scripts/build --target ${target}, and give it with --binary FILE`;
    throw new ConnectionError(
      "unreachable",
      `${this.name} is ${platform}, and there is no remex for that here${advice}`,
    );
  }

  /** Sends the program, compressed. The host says when it has it, or why it cannot. */
  async #upload(ssh: Deno.ChildProcess, { path, digest }: ProgramFile): Promise<void> {
    const packed = await promisify(gzip)(await Deno.readFile(path), { level: GZIP_LEVEL });
    await say(ssh, `upload ${packed.length} ${digest}\n`);
    void this.#send(ssh, packed);
  }

  async #send(ssh: Deno.ChildProcess, packed: Uint8Array): Promise<void> {
    const writer = ssh.stdin.getWriter();
    try {
      for (let sent = 0; sent < packed.length;) {
        const part = packed.subarray(sent, sent + 256 * 1024);
        await writer.write(part);
        sent += part.length;
        this.#options.onProgress?.(sent, packed.length);
      }
    } catch {
      // The host says why it does not take it.
    } finally {
      writer.releaseLock();
    }
  }

  #failure(
    what: string,
    words: string,
    { name, path = name }: Partial<ProgramFile>,
  ): ConnectionError {
    const reasons: Record<string, string> = {
      place: "there is no place for remex where files can be written and programs run (home, " +
        "/var/tmp, /tmp and the runtime directory were tried)",
      socket: `no private directory for a socket: ${words}`,
      write: `remex could not be written there: ${words}`,
      digest: "remex arrived damaged there",
      run: `${path} does not run there: ${words}`,
    };
    return new ConnectionError("unreachable", `${this.name}: ${reasons[what] ?? what}`);
  }

  async #endedEarly(
    ssh: Deno.ChildProcess,
    lines: HostLines,
    words: SshWords,
  ): Promise<ConnectionError> {
    const { code } = await ssh.status;
    await words.all;
    const strange = lines.strangeWords.trim().slice(0, MAX_WORDS);
    const instead = strange === "" ? "" : `, and the host said: ${strange}`;
    return new ConnectionError("unreachable", `${this.name}: ${words.ending(code)}${instead}`);
  }

  #throughBridge(ssh: Deno.ChildProcess, lines: HostLines, words: SshWords): ClientTransport {
    return new CommandTransport(ssh, {
      endMs: END_MS,
      output: untilSilent(lines.remainder(), SILENCE_LIMIT_MS),
      input: withHeartbeat(ssh.stdin, HEARTBEAT_SECONDS * 1000),
      explain: (status) => this.#ending(ssh, words, status),
    });
  }

  #throughRelay(
    ssh: Deno.ChildProcess,
    lines: HostLines,
    words: SshWords,
    executorCwd: string | undefined,
  ): ClientTransport {
    const stream = new SshStream(lines.remainder(), ssh.stdin, {
      broken: async () => {
        const status = await deadline(ssh.status, STATUS_MS).catch(() => undefined);
        throw new ConnectionError("lost", this.#ending(ssh, words, status));
      },
      closed: () => {
        const timer = setTimeout(() => endNow(ssh), END_MS);
        ssh.status.finally(() => clearTimeout(timer));
      },
    });
    const consent = { executorCwd, early: new Uint8Array() };
    return new ClientWebSocket(stream, consent, SILENCE_LIMIT_MS);
  }

  /** Why ssh has ended by itself, or has nothing more to say. */
  #ending(
    ssh: Deno.ChildProcess,
    words: SshWords,
    status: Deno.CommandStatus | undefined,
  ): string {
    if (status === undefined) endNow(ssh);
    return `${this.name}: ${words.ending(status?.code)}`;
  }
}

async function say(ssh: Deno.ChildProcess, text: string): Promise<void> {
  const writer = ssh.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text)).catch(() => {});
  writer.releaseLock();
}

function endNow(ssh: Deno.ChildProcess): void {
  try {
    ssh.kill("SIGTERM");
  } catch {
    // It has ended.
  }
}
