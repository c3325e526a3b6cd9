import { realpathSync } from "node:fs";
import { basename, dirname, join } from "@std/path";
import { isLoopback, type ListenAddress, parseListenAddress } from "../transport/listen_address.ts";
import * as z from "zod/mini";
import { text, type ValueType, valueType } from "./value_types.ts";
import { DomainPatternError, DomainRules } from "../egress/domain_rules.ts";

/** A pattern of hosts. */
export function domainPattern(): ValueType<string> {
  return valueType({
    ...text("PATTERN"),
    expected: "NAME, *.NAME, **.NAME, * or an address",
    schema: () => z.string().check(z.refine(isPattern)),
  });
}

function isPattern(text: string): boolean {
  try {
    new DomainRules([[text, "allow"]]);
    return true;
  } catch (error) {
    if (error instanceof DomainPatternError) return false;
    throw error;
  }
}

/**
 * A pattern of addresses to listen on: `stdio`, `unix` (any socket file), `unix:PATH`,
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

/** The rule of a pattern; undefined if it is not valid. */
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
      // A host pattern such as `*` would match no host.
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

/** The path of a file that need not exist yet, in a directory that does. */
function realSocketPath(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}
