import type * as z from "zod/mini";
import type { SANDBOX_PROFILES } from "../config/settings.ts";
import type { PathUri } from "../protocol/path_uri.ts";
import { permissions, type sandboxContext } from "../protocol/sandbox.ts";

/** The name of a permission profile that comes with the program. */
export type SandboxProfile = typeof SANDBOX_PROFILES[number];

/** The intent to send for a profile; the executor binds it to its own paths and means. */
export async function sandboxIntent(
  profile: SandboxProfile,
  cwd: PathUri,
  workspaces: readonly PathUri[],
): Promise<z.input<typeof sandboxContext>> {
  const { parse } = await import("@std/jsonc");
  const value = parse(await profileText(profile));
  if (!isPermissions(value)) throw new Error(`the profile ${profile} is damaged`);
  return {
    permissions: value,
    cwd: cwd.toString(),
    windowsSandboxLevel: "disabled",
    useLegacyLandlock: false,
    workspaceRoots: (workspaces.length === 0 ? [cwd] : workspaces).map(String),
  };
}

async function profileText(profile: SandboxProfile): Promise<string> {
  switch (profile) {
    case "read-only":
      return (await import("../../sandbox-profiles/profiles/read-only.jsonc", {
        with: { type: "text" },
      })).default;
    case "workspace-write":
      return (await import("../../sandbox-profiles/profiles/workspace-write.jsonc", {
        with: { type: "text" },
      })).default;
    case "danger-full-access":
      return (await import("../../sandbox-profiles/profiles/danger-full-access.jsonc", {
        with: { type: "text" },
      })).default;
  }
}

function isPermissions(value: unknown): value is z.input<typeof permissions> {
  return permissions.safeParse(value).success;
}
