import { decodeOsString } from "./os_string.ts";
import { PATH_MAX } from "./constants.ts";
import { linuxTable } from "./libc.ts";

/** Variables by their names; see `os_string.ts` for what is not UTF-8. */
export type Environment = Readonly<Record<string, string>>;

/**
 * What the runtime may read of the environment all the same: certificates to trust. The rest of its
 * variables would change what this program does behind its back: DENO_SERVE_ADDRESS where it listens,
 * DENO_TRUST_PROXY_HEADERS whom it takes its clients for.
 */
const LEFT_TO_RUNTIME: readonly string[] = [
  "DENO_CERT",
  "DENO_TLS_CA_STORE",
  "NODE_EXTRA_CA_CERTS",
];

/**
 * The environment that this program was started with, byte for byte where the system tells
 * (proc_pid_environ(5)). What was taken out of it since is in it.
 */
export function startingEnvironment(): Environment {
  const bytes = startingBytes();
  if (bytes === undefined) return Deno.env.toObject();
  const variables = new Map<string, string>();
  for (const entry of splitAtNul(bytes)) {
    const text = decodeOsString(entry);
    const equals = text.indexOf("=", 1);
    const name = text.slice(0, equals);
    // The first of several counts, as with getenv(3).
    if (equals > 0 && !variables.has(name)) variables.set(name, text.slice(equals + 1));
  }
  return Object.fromEntries(variables);
}

/** Keeps the runtime from reading variables that are meant for programs of its kind in general. */
export function hideEnvironmentFromRuntime(): void {
  for (const name of Object.keys(Deno.env.toObject())) {
    if (/^(DENO|NODE)_/.test(name) && !LEFT_TO_RUNTIME.includes(name)) Deno.env.delete(name);
  }
}

function startingBytes(): Uint8Array | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    return Deno.readFileSync("/proc/self/environ");
  } catch {
    // There need not be a /proc.
    return undefined;
  }
}

function* splitAtNul(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length;) {
    const nul = bytes.indexOf(0, start);
    const end = nul < 0 ? bytes.length : nul;
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

const libc = linuxTable({ getcwd: { parameters: ["buffer", "usize"], result: "pointer" } });

/**
 * The path of this program's working directory, as bytes on Linux, since it need not be UTF-8;
 * undefined if the directory is gone (getcwd(3)).
 */
export function workingDirectory(): string | Uint8Array | undefined {
  const functions = libc();
  if (functions === undefined) return Deno.cwd();
  const buffer = new Uint8Array(PATH_MAX);
  if (functions.getcwd(buffer, BigInt(buffer.length)) === null) return undefined;
  return buffer.subarray(0, buffer.indexOf(0));
}
