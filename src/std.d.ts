/**
 * Types of the @std functions in use.
 *
 * The npm package that carries @std where its own registry cannot be reached has none; a file here
 * is all that changes when deno.json maps the names elsewhere.
 */
declare module "@std/assert" {
  export function assert(expression: unknown, message?: string): asserts expression;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(
    actual: unknown,
    expected: T,
    message?: string,
  ): asserts actual is T;
  export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertObjectMatch(
    actual: Record<PropertyKey, unknown>,
    expected: Record<PropertyKey, unknown>,
    message?: string,
  ): void;
  export function assertInstanceOf<T>(
    actual: unknown,
    expected: abstract new (...parameters: never[]) => T,
    message?: string,
  ): asserts actual is T;
  export function assertThrows<E extends Error>(
    action: () => unknown,
    errorClass: abstract new (...parameters: never[]) => E,
    includes?: string,
  ): E;
  export function assertThrows(action: () => unknown): unknown;
  export function assertRejects<E extends Error>(
    action: () => PromiseLike<unknown>,
    errorClass: abstract new (...parameters: never[]) => E,
    includes?: string,
  ): Promise<E>;
  export function assertRejects(action: () => PromiseLike<unknown>): Promise<unknown>;
}

declare module "@std/async/abortable" {
  /** Gives what the promise gives, or fails with the signal's reason as soon as that is aborted. */
  export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T>;
}

declare module "@std/async/deadline" {
  export function deadline<T>(promise: Promise<T>, milliseconds: number): Promise<T>;
}

declare module "@std/async/delay" {
  /** Settles after so many milliseconds. */
  export function delay(
    milliseconds: number,
    options?: { signal?: AbortSignal; persistent?: boolean },
  ): Promise<void>;
}

declare module "@std/bytes/concat" {
  export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
}

declare module "@std/jsonc" {
  /** Reads JSON with comments and trailing commas. @throws {SyntaxError} */
  export function parse(text: string): unknown;
}

declare module "@std/path" {
  export function basename(path: string, suffix?: string): string;
  export function dirname(path: string): string;
  export function isAbsolute(path: string): boolean;
  export function join(path: string, ...paths: string[]): string;
  export function normalize(path: string): string;
  export function resolve(...paths: string[]): string;
  export function relative(from: string, to: string): string;
}

declare module "@std/path/posix" {
  export function basename(path: string, suffix?: string): string;
  export function dirname(path: string): string;
  export function isAbsolute(path: string): boolean;
  export function join(path: string, ...paths: string[]): string;
  export function normalize(path: string): string;
  export function resolve(...paths: string[]): string;
  export function relative(from: string, to: string): string;
}

declare module "@std/text/levenshtein-distance" {
  export function levenshteinDistance(first: string, second: string): number;
}
