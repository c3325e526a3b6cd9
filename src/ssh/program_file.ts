import { createHash } from "node:crypto";
import { dirname, join } from "@std/path";
import { ownPath } from "../own_program.ts";
import { VERSION } from "../version.ts";

/** A program to be put onto a host. */
export interface ProgramFile {
  readonly path: string;
  /** In bytes. */
  readonly size: number;
  /** SHA-256, in hexadecimal digits. */
  readonly digest: string;
  /** What it is called there: the version, and which build of it. */
  readonly name: string;
}

/** What a program is for, as uname(1) tells it of a host. */
export interface Platform {
  readonly system: string;
  readonly machine: string;
}

const SYSTEMS: Readonly<Record<string, string>> = { Linux: "linux", Darwin: "macos" };
const MACHINES: Readonly<Record<string, string>> = {
  x86_64: "x64",
  amd64: "x64",
  aarch64: "arm64",
  arm64: "arm64",
};
const OWN_SYSTEMS: Partial<Record<typeof Deno.build.os, string>> = {
  linux: "linux",
  darwin: "macos",
  windows: "windows",
};

/** The name of a platform, as `scripts/build --target` has it; undefined if it has none. */
export function targetOf({ system, machine }: Platform): string | undefined {
  const os = SYSTEMS[system];
  const architecture = MACHINES[machine];
  return os === undefined || architecture === undefined ? undefined : `${os}-${architecture}`;
}

/** The platform that this program is for. */
export function ownTarget(): string {
  const architecture = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  return `${OWN_SYSTEMS[Deno.build.os] ?? Deno.build.os}-${architecture}`;
}

/** Where the program for another platform lies if `scripts/build` has made it: beside this one. */
export function besideOwn(target: string): string {
  return join(dirname(ownPath()), `remex-${target}`);
}

/** Looks at a file. @throws the system's error when it cannot be read */
export async function programFile(path: string): Promise<ProgramFile> {
  const { size, mtime, ino } = await Deno.stat(path);
  const stamp = `${size} ${mtime?.getTime()} ${ino}`;
  let digest = await remembered(path, stamp);
  if (digest === undefined) {
    digest = await digestOf(path);
    await remember(path, stamp, digest);
  }
  return { path, size, digest, name: `remex-${VERSION}-${digest.slice(0, 16)}` };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  for await (const chunk of file.readable) hash.update(chunk);
  return hash.digest("hex");
}

/** Digests of large files take a while, and are remembered as long as the file is the same. */
function memory(path: string): string | undefined {
  const { XDG_CACHE_HOME, HOME } = Deno.env.toObject();
  const directory = XDG_CACHE_HOME ?? (HOME === undefined ? undefined : join(HOME, ".cache"));
  return directory && join(directory, "remex", `digest-${encodeURIComponent(path)}`);
}

async function remembered(path: string, stamp: string): Promise<string | undefined> {
  const file = memory(path);
  const text = file === undefined ? "" : await Deno.readTextFile(file).catch(() => "");
  const [known, digest] = text.split("\n");
  return known === stamp && /^[0-9a-f]{64}$/.test(digest ?? "") ? digest : undefined;
}

async function remember(path: string, stamp: string, digest: string): Promise<void> {
  const file = memory(path);
  if (file === undefined) return;
  try {
    await Deno.mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(file, `${stamp}\n${digest}\n`, { mode: 0o600 });
  } catch {
    // It is looked at again the next time.
  }
}
