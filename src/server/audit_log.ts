import { createHash } from "node:crypto";
import { userInfo } from "node:os";
import { errorFields } from "../log/fields.ts";
import { logSeldom } from "../log/log.ts";
import type { ExitedEvent } from "../process/event_log.ts";
import type { ProcessOutcome } from "../process/process.ts";
import { internalError } from "../protocol/errors.ts";
import type { SandboxContext, SandboxType } from "../protocol/sandbox.ts";
import type { TransportKind } from "../transport/transport.ts";

/** Who asked for a command. */
export interface AuditedClient {
  /** The id of the session, which is a credential and is not written. */
  readonly sessionId: string;
  readonly transport: TransportKind | undefined;
  /** The client's address; undefined where it has none. */
  readonly peer: string | undefined;
  /** Whom its token names; undefined where it names nobody. */
  readonly subject: string | undefined;
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

/** What takes down the end of a command whose start was written. */
export type EndRecorder = (end: AuditedEnd) => void;

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
      throw new AuditLogError(wordsOf(error), { cause: error });
    }
  }

  /**
   * Writes that a command is about to start.
   *
   * @throws {RpcError} -32603 if that cannot be written and has to be
   */
  async starting(client: AuditedClient, command: AuditedCommand): Promise<EndRecorder> {
    const { processId, argv, arg0, cwd, tty, sandbox } = command;
    const session = createHash("sha256").update(client.sessionId).digest("hex")
      .slice(0, SESSION_DIGITS);
    const failure = await this.#append({
      event: "start",
      session,
      process: processId,
      transport: client.transport,
      peer: client.peer,
      subject: client.subject,
      user: this.#user,
      argv,
      arg0,
      cwd,
      tty,
      sandbox: sandbox ?? null,
    });
    if (failure !== undefined && this.#required) {
      throw internalError(
        "commands are refused while the audit log, which this executor's administrator requires, " +
          "cannot be written",
        failure,
      );
    }
    return (end) =>
      void this.#append({ event: "end", session, process: processId, ...endMembers(end) });
  }

  /** Waits for what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#written;
    this.#file.close();
  }

  /** Writes a line after those before it. Returns what kept it from that. */
  #append(record: Readonly<Record<string, unknown>>): Promise<unknown> {
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
