import { defaulted, lazy, limit, optional, pathUriSchema } from "./schema_parts.ts";
import * as z from "zod/mini";

/** `deny` has the older name `none`. */
const access = z.pipe(
  z.enum(["read", "write", "deny", "none"]),
  z.transform((value) => value === "none" ? "deny" : value),
);

const specialKind = z.enum([
  "root",
  "minimal",
  "project_roots",
  "current_working_directory",
  "tmpdir",
  "slash_tmp",
]);

const knownSpecial = lazy(() =>
  z.object({
    kind: z.pipe(
      specialKind,
      z.transform((kind) => kind === "current_working_directory" ? "project_roots" : kind),
    ),
    subpath: optional(z.string()),
  })
);

/**
 * An entry of an unknown kind, of a newer client: it grants nothing and is no error, unless it denies. An
 * entry of a known kind that is invalid is an error. What they deny would otherwise be allowed.
 */
const unknownSpecial = z.pipe(
  z.object({ kind: z.string().check(z.refine((kind) => !specialKind.safeParse(kind).success)) }),
  z.transform(() => ({ kind: "unknown" as const, subpath: undefined })),
);

const entryPath = lazy(() =>
  z.discriminatedUnion("type", [
    z.object({ type: z.literal("path"), path: pathUriSchema }),
    z.object({ type: z.literal("glob_pattern"), pattern: z.string() }),
    z.object({ type: z.literal("special"), value: z.union([knownSpecial, unknownSpecial]) }),
  ])
);

/** One entry of a filesystem permission: a path and the access to what is below it. */
export const fileSystemEntry = lazy(() =>
  z.object({
    path: entryPath,
    access,
    missing_path_behavior: optional(z.string()),
  }).check((context) => {
    const { path, access } = context.value;
    if (access === "deny" && path.type === "special" && path.value.kind === "unknown") {
      context.issues.push({
        code: "custom",
        message: "an entry of a kind that is not known cannot deny",
        path: ["path", "value", "kind"],
        input: path.value.kind,
      });
    }
    if (path.type !== "glob_pattern" || access === "deny") return;
    context.issues.push({
      code: "custom",
      message: "a glob pattern can only deny",
      path: ["access"],
      input: access,
    });
  })
);

const fileSystemPermissions = lazy(() =>
  z.discriminatedUnion("type", [
    z.object({ type: z.literal("unrestricted") }),
    z.object({
      type: z.literal("restricted"),
      entries: z.array(fileSystemEntry),
      glob_scan_max_depth: optional(limit),
    }),
  ])
);

const network = z.enum(["restricted", "enabled"]);

/** What a command may do, independent of the machine. */
export const permissions = lazy(() =>
  z.discriminatedUnion("type", [
    z.object({
      type: z.literal("managed"),
      file_system: fileSystemPermissions,
      network,
      /** An addition: `private` gives a restricted command a loopback that it alone is on. */
      loopback: optional(z.enum(["none", "private"])),
    }),
    z.object({ type: z.literal("disabled") }),
    z.object({ type: z.literal("external"), network }),
  ])
);

/** A client's sandbox intent for one command or one file request. */
export const sandboxContext = lazy(() =>
  z.object({
    permissions,
    cwd: optional(pathUriSchema),
    workspaceRoots: optional(z.array(pathUriSchema)),
    windowsSandboxLevel: optional(z.string()),
    windowsSandboxPrivateDesktop: defaulted(z.boolean(), false),
    useLegacyLandlock: defaulted(z.boolean(), false),
  })
);

/** The proxies that an orchestrator runs on the executor's loopback for one command. */
export const managedNetwork = lazy(() =>
  z.object({
    loopbackPorts: defaulted(z.array(z.int().check(z.gte(1), z.lte(65535))), []),
    allowLocalBinding: defaulted(z.boolean(), false),
    domainPolicy: z.optional(z.unknown()),
  })
);

/** The sandboxes that a command can run in. */
export const sandboxType = z.enum(["none", "linuxSeccomp", "macosSeatbelt"]);

export type SandboxContext = z.output<typeof sandboxContext>;
export type FileSystemEntry = z.output<typeof fileSystemEntry>;
export type ManagedNetwork = z.output<typeof managedNetwork>;
/** The sandbox that a command runs in. */
export type SandboxType = "none" | "linuxSeccomp" | "macosSeatbelt";
