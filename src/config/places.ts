import { isAbsolute } from "@std/path";

/** The paths of the files of settings. */
export interface Places {
  /** The administrator's directory, of the next two files. */
  readonly directory: string;
  readonly system: string;
  /** The administrator's requirements. */
  readonly requirements: string;
  /** Undefined for a user without a home. */
  readonly user: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The paths on this machine. No variable changes those of the administrator.
 *
 * @param os this system
 */
export function hostPlaces(
  environment: Environment,
  os: typeof Deno.build.os = Deno.build.os,
): Places {
  const directory = os === "windows" ? "C:\\ProgramData\\remex" : "/etc/remex";
  const user = userDirectory(environment, os);
  return {
    directory,
    system: `${directory}/config.jsonc`,
    requirements: `${directory}/requirements.jsonc`,
    user: user && `${user}/remex/config.jsonc`,
  };
}

/** A relative path is ignored (https://specifications.freedesktop.org/basedir-spec/latest/). */
function userDirectory(
  { XDG_CONFIG_HOME, APPDATA, HOME }: Environment,
  os: typeof Deno.build.os,
): string | undefined {
  if (XDG_CONFIG_HOME !== undefined && isAbsolute(XDG_CONFIG_HOME)) return XDG_CONFIG_HOME;
  if (os === "windows") return APPDATA;
  return HOME !== undefined && isAbsolute(HOME) ? `${HOME}/.config` : undefined;
}
