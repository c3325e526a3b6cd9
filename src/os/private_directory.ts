const GROUP_AND_OTHERS = 0o077;

/**
 * Whether there is a directory at a path, which is made if need be, that nobody but this user can get
 * into.
 */
export function isPrivateDirectory(path: string): boolean {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
    const { isDirectory, mode, uid } = Deno.lstatSync(path);
    if (!isDirectory || ((mode ?? 0) & GROUP_AND_OTHERS) !== 0) return false;
    return uid === null || uid === Deno.uid();
  } catch {
    return false;
  }
}
