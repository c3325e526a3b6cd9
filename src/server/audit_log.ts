import { createHash } from "node:crypto";
import { userInfo } from "node:os";
import { errorFields, logSeldom } from "../log/log.ts";
import type { ExitedEvent } from "../process/event_log.ts";
import type { ProcessOutcome } from "../process/process.ts";
import { internalError } from "../protocol/errors.ts";
import type { SandboxContext, SandboxType } from "../protocol/sandbox.ts";
import type { TransportKind } from "../transport/transport.ts";

/** Where commands come from. */
export interface AuditedClient {
  readonly kind?: TransportKind | undefined;
  /** The client's address; missing where it has none. */
  readonly peer?: string | undefined;
  /** Whom its token names; missing where it names nobody. */
  readonly subject?: string | undefined;
}

/** A command that somebody asked for. */
export interface AuditedCommand {
  /** The client's name for it. */
  readonly processId: string;
  readonly argv: readonly string[];
  readonly arg0?: string | undefined;
  /** The native path of its working directory. */
  readonly cwd: string;
  readonly tty: boolean;
  /** The sandbox that the client asked for. */
  readonly sandbox: SandboxContext | undefined;
}

/** How a command ended. */
export type AuditedEnd =
  | { readonly kind: "failed"; readonly reason: string }
  | {
    readonly kind: "ended";
    /** Undefined where the executor stopped watching before the exit, and killed it. */
    readonly exit: ExitedEvent | undefined;
    readonly outcome: ProcessOutcome;
    readonly sandboxType: SandboxType;
    /** In seconds. */
    readonly age: number;
  };

/** A line of the log, but for its time. */
type AuditRecord = Readonly<Record<string, unknown>>;

/** The log cannot be opened. The message says why, without the path. */
export class AuditLogError extends Error {}

/** Hexadecimal digits that a session is known by: enough to tell sessions apart. */
const SESSION_DIGITS = 16;

/**
 * The trail of commands: a line of JSON for the start and one for the end of each, in a file that is
 * only ever appended to. It is opened anew once it was renamed or removed.
 */
export class AuditLog implements AsyncDisposable {
  readonly #path: string;
  readonly #required: boolean;
  readonly #user = userName();
  #file: Deno.FsFile;
  /** Which file that is (stat(2)). */
  #identity: string;
  /** Settles when all so far has been written. */
  #written: Promise<void> = Promise.resolve();
  /** How many lines could not be written since the last that could. */
  #omitted = 0;
  /** Whether the file ends within a line. */
  #torn = false;

  private constructor(path: string, required: boolean, file: Deno.FsFile, identity: string) {
    this.#path = path;
    this.#required = required;
    this.#file = file;
    this.#identity = identity;
  }

  /**
   * Opens the file, or makes it for this user alone.
   *
   * @param required whether commands whose start cannot be written are refused
   * @throws {AuditLogError}
   */
  static async open(path: string, required: boolean): Promise<AuditLog> {
    try {
      const [file, identity] = await openForAppending(path);
      return new AuditLog(path, required, file, identity);
    } catch (error) {
      if (error instanceof AuditLogError) throw error;
      throw new AuditLogError(`cannot be opened: ${wordsOf(error)}`, { cause: error });
    }
  }

  /** The trail of one session. @param sessionId is a credential and is not written */
  ofSession(sessionId: string): SessionTrail {
    const session = createHash("sha256").update(sessionId).digest("hex").slice(0, SESSION_DIGITS);
    return new SessionTrail({
      session,
      user: this.#user,
      required: this.#required,
      append: (record) => this.#append(record),
    });
  }

  /** Waits for what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#written;
    this.#file.close();
  }

  /** Writes a line after those before it. Returns what kept it from that. */
  #append(record: AuditRecord): Promise<unknown> {
    const time = new Date().toISOString();
    const appended = this.#written.then(async () => {
      try {
        await this.#write({ time, ...record });
        return undefined;
      } catch (error) {
        this.#omitted++;
        const fields = { option: "--audit-log", ...errorFields(error) };
        logSeldom(
          this.#required ? "error" : "warn",
          "the audit log cannot be written",
          fields,
          "audit log",
        );
        return error;
      }
    });
    this.#written = appended.then(() => {});
    return appended;
  }

  async #write(record: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#followRotation();
    const omitted = this.#omitted === 0 ? {} : { omitted: this.#omitted };
    const line = `${this.#torn ? "\n" : ""}${JSON.stringify({ ...record, ...omitted })}\n`;
    const bytes = new TextEncoder().encode(line);
    // One call, so that lines of several executors do not mix (write(2), O_APPEND).
    const count = await this.#file.write(bytes);
    if (count < bytes.length) {
      this.#torn = true;
      throw new AuditLogError("there is no room for a whole line");
    }
    this.#torn = false;
    this.#omitted = 0;
  }

  /** Opens the file anew if there is another one under the name, or none. */
  async #followRotation(): Promise<void> {
    if (await identityAt(this.#path) === this.#identity) return;
    const [file, identity] = await openForAppending(this.#path);
    this.#file.close();
    this.#file = file;
    this.#identity = identity;
    this.#torn = false;
  }
}

/** What the trail of a session needs of the log. */
interface TrailOptions {
  /** What the session is called in it. */
  readonly session: string;
  readonly user: string;
  /** Whether commands whose start cannot be written are refused. */
  readonly required: boolean;
  /** Writes a line. Returns what kept it from that. */
  append(record: AuditRecord): Promise<unknown>;
}

/** The commands of one session in the log. */
export class SessionTrail {
  readonly #options: TrailOptions;
  /** Processes whose start was written and whose end was not. */
  readonly #unended = new Set<string>();
  #client: AuditedClient = {};

  /** To be had of {@linkcode AuditLog.ofSession}. */
  constructor(options: TrailOptions) {
    this.#options = options;
  }

  /** Notes where the commands come from that are sent from now on. */
  attached({ kind, peer, subject }: AuditedClient): void {
    this.#client = { kind, peer, subject };
  }

  /**
   * Writes that a command is about to start.
   *
   * @throws {RpcError} -32603 if that cannot be written and has to be
   */
  async starting(command: AuditedCommand): Promise<void> {
    const { processId, argv, arg0, cwd, tty, sandbox } = command;
    const { session, user, required } = this.#options;
    const { kind, peer, subject } = this.#client;
    const failure = await this.#options.append({
      event: "start",
      session,
      process: processId,
      transport: kind,
      peer,
      subject,
      user,
      argv,
      arg0,
      cwd,
      tty,
      sandbox: sandbox ?? null,
    });
    if (failure !== undefined && required) {
      throw internalError(
        "commands are refused while the audit log, which this executor's administrator requires, " +
          "cannot be written",
        failure,
      );
    }
    this.#unended.add(processId);
  }

  /** Writes how a command has ended whose start was written, once. */
  ended(processId: string, end: AuditedEnd): void {
    if (!this.#unended.delete(processId)) return;
    const { session } = this.#options;
    void this.#options.append({ event: "end", session, process: processId, ...endMembers(end) });
  }
}

function endMembers(end: AuditedEnd): Readonly<Record<string, unknown>> {
  if (end.kind === "failed") return { outcome: "failed", reason: end.reason };
  const { exit, outcome, sandboxType, age } = end;
  return {
    outcome: exit?.timedOut === true ? "timedOut" : outcome,
    exitCode: exit?.exitCode ?? null,
    seconds: Math.round(age * 1000) / 1000,
    sandboxType,
    sandboxDenied: exit?.sandboxDenied,
    limitExceeded: exit?.limitExceeded,
    networkReached: exit?.network?.reached,
    networkDenied: exit?.network?.denied,
  };
}

/** A device or a pipe would keep nothing, and may never take a line. */
async function openForAppending(path: string): Promise<[Deno.FsFile, string]> {
  const there = await Deno.stat(path).catch(() => undefined);
  if (there?.isFile === false) throw new AuditLogError("is no regular file");
  const file = await Deno.open(path, { append: true, create: true, mode: 0o600 });
  return [file, identityOf(await file.stat())];
}

/** The file of that name, or undefined if there is none. */
async function identityAt(path: string): Promise<string | undefined> {
  try {
    return identityOf(await Deno.stat(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function identityOf({ dev, ino }: Deno.FileInfo): string {
  return `${dev} ${ino}`;
}

/** The user that commands run as. In a container it may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(Deno.uid());
  }
}

/** The system's message without the operation and the path, which Deno appends. */
function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.replace(/: open .*$/, "");
}
