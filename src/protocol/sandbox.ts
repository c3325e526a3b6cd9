import * as z from "zod";
import { pathUriSchema } from "./path_uri_schema.ts";
import { defaulted, optional, unsignedInteger } from "./schema_parts.ts";

/** `deny` has the older name `none`. */
const access = z.enum(["read", "write", "deny", "none"]).transform((value) =>
  value === "none" ? "deny" : value
);

const knownSpecial = z.object({
  kind: z.enum([
    "root",
    "minimal",
    "project_roots",
    "current_working_directory",
    "tmpdir",
    "slash_tmp",
  ]).transform((kind) => kind === "current_working_directory" ? "project_roots" : kind),
  subpath: optional(z.string()),
});

/** A kind that a newer client knows: it grants nothing and is no error. */
const unknownSpecial = z.object({ kind: z.string() }).transform(() => ({
  kind: "unknown" as const,
  subpath: undefined,
}));

const entryPath = z.discriminatedUnion("type", [
  z.object({ type: z.literal("path"), path: pathUriSchema }),
  z.object({ type: z.literal("glob_pattern"), pattern: z.string() }),
  z.object({ type: z.literal("special"), value: z.union([knownSpecial, unknownSpecial]) }),
]);

/** One line of a filesystem permission: who may do what below which path. */
export const fileSystemEntry = z.object({
  path: entryPath,
  access,
  missing_path_behavior: optional(z.string()),
}).superRefine((entry, context) => {
  if (entry.path.type === "glob_pattern" && entry.access !== "deny") {
    context.addIssue({ code: "custom", message: "a glob pattern can only deny", path: ["access"] });
  }
});

const fileSystemPermissions = z.discriminatedUnion("type", [
  z.object({ type: z.literal("unrestricted") }),
  z.object({
    type: z.literal("restricted"),
    entries: z.array(fileSystemEntry),
    glob_scan_max_depth: optional(unsignedInteger),
  }),
]);

const network = z.enum(["restricted", "enabled"]);

/** What a command may do, in terms that hold on any machine. */
export const permissions = z.discriminatedUnion("type", [
  z.object({ type: z.literal("managed"), file_system: fileSystemPermissions, network }),
  z.object({ type: z.literal("disabled") }),
  z.object({ type: z.literal("external"), network }),
]);

/** A client's sandbox intent for one command or one file request. */
export const sandboxContext = z.object({
  permissions,
  cwd: optional(pathUriSchema),
  workspaceRoots: optional(z.array(pathUriSchema)),
  windowsSandboxLevel: optional(z.string()),
  windowsSandboxPrivateDesktop: defaulted(z.boolean(), false),
  useLegacyLandlock: defaulted(z.boolean(), false),
});

/** The proxies that an orchestrator runs on the executor's loopback for one command. */
export const managedNetwork = z.object({
  loopbackPorts: defaulted(z.array(z.int().min(1).max(65535)), []),
  allowLocalBinding: defaulted(z.boolean(), false),
  domainPolicy: z.unknown().optional(),
});

/** The kind of enclosure a command really got. */
export const sandboxType = z.enum(["none", "linuxSeccomp", "macosSeatbelt"]);

export type SandboxContext = z.output<typeof sandboxContext>;
export type Permissions = z.output<typeof permissions>;
export type FileSystemEntry = z.output<typeof fileSystemEntry>;
export type ManagedNetwork = z.output<typeof managedNetwork>;
export type SandboxType = z.output<typeof sandboxType>;
