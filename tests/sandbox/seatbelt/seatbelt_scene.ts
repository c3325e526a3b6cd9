import { assertEquals } from "@std/assert";
import type { BoundIntent } from "../../../src/sandbox/policy/bound_policy.ts";
import { bindIntent } from "../../../src/sandbox/policy/bind.ts";
import {
  seatbeltCommand,
  type SeatbeltPlan,
} from "../../../src/sandbox/seatbelt/seatbelt_command.ts";
import type { ManagedNetwork } from "../../../src/protocol/sandbox.ts";
import { context, type ContextOptions } from "../context.ts";
import { fakeDisk, type FakeEntry } from "../fake_disk.ts";
import { type Profile, readProfile } from "./seatbelt_interpreter.ts";

/** The beginnings of a Mac's disk. */
export const MAC: Readonly<Record<string, FakeEntry>> = {
  "/tmp": { link: "private/tmp" },
  "/var": { link: "private/var" },
  "/etc": { link: "private/etc" },
  "/private/tmp": "directory",
  "/private/var/folders/x/T": "directory",
  "/usr/bin/true": { text: "" },
  "/ws": "directory",
};

/** An intent as a Mac with these files binds it. */
export function bindOnMac(
  options: ContextOptions,
  files: Readonly<Record<string, FakeEntry>> = {},
  managedNetwork?: ManagedNetwork,
): BoundIntent {
  const facts = {
    convention: "posix",
    home: "/Users/me",
    temporaryDirectory: "/var/folders/x/T",
  } as const;
  const sandbox = context({ cwd: "/ws", ...options });
  const intent = { sandbox, enforceManagedNetwork: false, managedNetwork };
  return bindIntent(intent, facts, fakeDisk({ ...MAC, ...files }));
}

/** A wrapped command, taken apart. */
export interface Enclosed {
  readonly argv: readonly string[];
  readonly text: string;
  /** `NAME=VALUE` of each. */
  readonly definitions: readonly string[];
  readonly profile: Profile;
}

/** Wraps `/usr/bin/true`, and checks the shape of what comes out. */
export function enclose(
  plan: SeatbeltPlan,
  realPath: (path: string) => string | undefined = (path) => path,
): Enclosed {
  const command = ["/usr/bin/true", "-D", "X=1", "--"];
  const argv = seatbeltCommand(
    plan,
    { argv: command, cwd: "/ws", env: {}, terminal: false },
    realPath,
  );
  assertEquals(argv.slice(0, 2), ["/usr/bin/sandbox-exec", "-p"]);
  const [text = "", ...rest] = argv.slice(2);
  const separator = rest.indexOf("--");
  assertEquals(rest.slice(separator + 1), command);
  const given = rest.slice(0, separator);
  const definitions = given.filter((_, at) => at % 2 === 1);
  assertEquals(given, definitions.flatMap((definition) => ["-D", definition]));
  return { argv, text, definitions, profile: readProfile(text, definitions) };
}

/** Binds and encloses. */
export function encloseOnMac(
  options: ContextOptions,
  files?: Readonly<Record<string, FakeEntry>>,
): Enclosed {
  return enclose({ intent: bindOnMac(options, files) });
}

/** What may be done with a path, in short: `rw`, `r`, `` for nothing. */
export function rights({ profile }: Enclosed, path: string): string {
  const can = (...operations: string[]) =>
    operations.every((operation) => profile.allows({ operation, path }));
  const cannot = (...operations: string[]) =>
    operations.every((operation) => !profile.allows({ operation, path }));
  const read = ["file-read-data", "file-read-xattr", "process-exec", "file-map-executable"];
  const write = ["file-write-data", "file-write-mode", "file-write-xattr"];
  if (can(...read)) return can(...write) ? "rw" : cannot(...write) ? "r" : "mixed";
  return cannot(...read, ...write) ? "" : "mixed";
}
