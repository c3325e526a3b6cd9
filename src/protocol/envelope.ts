import { JsonLimitError, type JsonLimits, parseJson } from "./json.ts";

/** The id of a request: an integer or a text, which the answer repeats. */
export type RequestId = number | bigint | string;

/** The error in a response. */
export interface ErrorBody {
  /** For programs. */
  readonly code: number;
  /** For people. */
  readonly message: string;
  /** Whatever else its sender tells. */
  readonly data?: unknown;
}

/** A message; its parameters or result are not parsed yet. */
export type Message =
  | {
    readonly kind: "request";
    readonly id: RequestId;
    readonly method: string;
    readonly params: unknown;
    /** The trace that the request belongs to; missing where the client says none. */
    readonly trace?: unknown;
  }
  | { readonly kind: "notification"; readonly method: string; readonly params: unknown }
  | { readonly kind: "result"; readonly id: RequestId; readonly result: unknown }
  | { readonly kind: "error"; readonly id: RequestId; readonly error: ErrorBody }
  | {
    readonly kind: "malformed";
    readonly reason: string;
    /** The id that the message began with; missing where it cannot be told without parsing. */
    readonly id?: RequestId;
  };

/** Stands for the unknown id in answers to messages whose id could not be read. */
export const UNKNOWN_REQUEST_ID: RequestId = -1;

/**
 * Reads one frame. Never throws: an invalid frame gives a message of kind `malformed`.
 *
 * @param limits for a long message. @default none
 */
export function parseMessage(text: string, limits?: JsonLimits): Message {
  try {
    return messageOf(parseJson(text, limits), text);
  } catch (error) {
    const malformed = { kind: "malformed", reason: whyUnreadable(error) } as const;
    const id = error instanceof JsonLimitError ? leadingId(text) : undefined;
    return id === undefined ? malformed : { ...malformed, id };
  }
}

/**
 * The id of a message that is too large to be parsed, if it is the first member, as clients write it:
 * whoever sent the request can then tell which one was refused.
 */
function leadingId(text: string): RequestId | undefined {
  const [, id] = /^\s*\{\s*"id"\s*:\s*(-?\d{1,15}|"[^"\\]{0,128}")\s*,/.exec(text) ?? [];
  if (id === undefined) return undefined;
  return id.startsWith('"') ? id.slice(1, -1) : Number(id);
}

const NO_ID = "an id is an integer or a string";

/** @throws {RangeError} when reading a large id takes more recursion than there is room for */
function messageOf(value: unknown, text: string): Message {
  if (!isRecord(value)) {
    return { kind: "malformed", reason: "not a request, a response or a notification" };
  }
  const id = requestId(value.id, text);
  if (typeof value.method === "string") {
    const { method, params, trace } = value;
    if (id === undefined && "id" in value) return { kind: "malformed", reason: NO_ID };
    if (id === undefined) return { kind: "notification", method, params };
    const request = { kind: "request", id, method, params } as const;
    return trace === undefined ? request : { ...request, trace };
  }
  if (id !== undefined && "result" in value) return { kind: "result", id, result: value.result };
  if (id !== undefined && isErrorBody(value.error)) {
    return { kind: "error", id, error: value.error };
  }
  return { kind: "malformed", reason: "not a request, a response or a notification" };
}

/** Encodes a request; a client sends it. */
export function encodeRequest(id: RequestId, method: string, params: unknown): string {
  return `{"id":${encodeId(id)},"method":${JSON.stringify(method)},"params":${encode(params)}}`;
}

/** Encodes the answer to a request that succeeded. */
export function encodeResult(id: RequestId, result: unknown): string {
  return `{"id":${encodeId(id)},"result":${encode(result)}}`;
}

/** Encodes the answer to a request that failed. */
export function encodeError(id: RequestId, error: ErrorBody): string {
  return `{"error":${encode(error)},"id":${encodeId(id)}}`;
}

/** Encodes a notification, of either side. */
export function encodeNotification(method: string, params: unknown): string {
  return `{"method":${JSON.stringify(method)},"params":${encode(params)}}`;
}

/** A value that is JSON text already. */
export class JsonText {
  /** The JSON. */
  readonly text: string;

  /** Takes valid JSON, which is not checked. */
  constructor(text: string) {
    this.text = text;
  }
}

/** A value that is JSON text already, in parts that are never put together. */
export class JsonParts {
  /** The JSON, each part of whole characters. */
  readonly parts: readonly string[];

  /** Takes the parts of valid JSON, which is not checked. */
  constructor(parts: readonly string[]) {
    this.parts = parts;
  }
}

/** Encodes a request as texts that make one together. */
export function encodeRequestInParts(
  id: RequestId,
  method: string,
  { parts }: JsonParts,
): readonly string[] {
  return [`{"id":${encodeId(id)},"method":${JSON.stringify(method)},"params":`, ...parts, "}"];
}

/** `undefined`, which JSON does not know, is left out inside objects and null on its own. */
function encode(value: unknown): string {
  if (value instanceof JsonText) return value.text;
  return JSON.stringify(value) ?? "null";
}

function encodeId(id: RequestId): string {
  return typeof id === "bigint" ? id.toString() : JSON.stringify(id);
}

/** The id of a message, or undefined if it has none that is an integer or a text. */
function requestId(value: unknown, text: string): RequestId | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "number" || !Number.isInteger(value)) return undefined;
  return Number.isSafeInteger(value) ? value : bigRequestId(text);
}

/**
 * The id of a message whose integer is past 2^53, where a number would not come back as it was.
 *
 * Reads the digits from the source text, which a reviver is given for primitive values
 * (ECMAScript 2026, JSON.parse). Other numbers named `id` may be of any length: only those of the
 * message's own, which has a few hundred digits at the most, are worth converting.
 */
function bigRequestId(text: string): bigint | undefined {
  const message: unknown = JSON.parse(
    text,
    (key, value, context?: { source?: string }) =>
      key === "id" && typeof value === "number" ? context?.source : value,
  );
  const digits = isRecord(message) ? message.id : undefined;
  return typeof digits === "string" && /^-?\d+$/.test(digits) ? BigInt(digits) : undefined;
}

function isErrorBody(value: unknown): value is ErrorBody {
  return isRecord(value) && Number.isInteger(value.code) && typeof value.message === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function whyUnreadable(error: unknown): string {
  if (error instanceof JsonLimitError) return error.message;
  if (error instanceof RangeError) return "nested too deeply";
  return `not valid JSON: ${error instanceof Error ? error.message : error}`;
}
