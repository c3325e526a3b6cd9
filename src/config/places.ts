import { isAbsolute } from "@std/path";

/** Where the files of a machine are. */
export interface Places {
  /** The directory of the next two. */
  readonly directory: string;
  readonly system: string;
  /** The administrator's. */
  readonly requirements: string;
  /** Undefined for a user without a home. */
  readonly user: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where this machine's files are. No variable moves those of the administrator.
 *
 * @param os the system that this runs on
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

/** https://specifications.freedesktop.org/basedir-spec/latest/: what is not absolute is ignored. */
function userDirectory(
  { XDG_CONFIG_HOME, APPDATA, HOME }: Environment,
  os: typeof Deno.build.os,
): string | undefined {
  if (XDG_CONFIG_HOME !== undefined && isAbsolute(XDG_CONFIG_HOME)) return XDG_CONFIG_HOME;
  if (os === "windows") return APPDATA;
  return HOME !== undefined && isAbsolute(HOME) ? `${HOME}/.config` : undefined;
}
