import { realpathSync } from "node:fs";
import { basename, dirname, join } from "@std/path";
import { isLoopback, type ListenAddress, parseListenAddress } from "../transport/listen_address.ts";
import * as z from "zod/mini";
import { text, type ValueType, valueType } from "./value_types.ts";

/**
 * Addresses that an administrator allows: `stdio`, `unix` (any socket file), `unix:PATH`,
 * `loopback`, `ws://HOST:PORT`, or `ws://HOST:*` for any port.
 */
export function listenPattern(): ValueType<string> {
  return valueType({
    ...text("ADDRESS"),
    expected: "stdio, unix, unix:PATH, loopback, ws://HOST:PORT or ws://HOST:*",
    schema: () => z.string().check(z.refine((value) => readPattern(value) !== undefined)),
  });
}

/** Whether a pattern allows an address. */
export function allowsListening(pattern: string, address: ListenAddress): boolean {
  return readPattern(pattern)?.(address) ?? false;
}

/** The rule that a pattern is, or undefined if it is none. */
function readPattern(pattern: string): ((address: ListenAddress) => boolean) | undefined {
  switch (pattern) {
    case "stdio":
    case "unix":
      return ({ kind }) => kind === pattern;
    case "loopback":
      return (address) => address.kind === "websocket" && isLoopback(address.hostname);
  }
  const anyPort = pattern.endsWith(":*");
  const allowed = parsed(anyPort ? `${pattern.slice(0, -1)}0` : pattern);
  switch (allowed?.kind) {
    case "websocket":
      // A host that is meant to be any would match none.
      if (allowed.hostname.includes("*")) return undefined;
      return (address) =>
        address.kind === "websocket" &&
        address.hostname.toLowerCase() === allowed.hostname.toLowerCase() &&
        (anyPort || address.port === allowed.port);
    case "unix":
      return (address) =>
        address.kind === "unix" && realSocketPath(address.path) === realSocketPath(allowed.path);
    default:
      return undefined;
  }
}

function parsed(text: string): ListenAddress | undefined {
  try {
    return parseListenAddress(text);
  } catch {
    return undefined;
  }
}

/** The file need not be there yet, but what leads to it does. */
function realSocketPath(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
