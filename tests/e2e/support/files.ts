/** Whether something is there, not following links. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What is in a directory, in the order of the names. */
export function namesIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
}

/**
 * Whether a process of that id runs (proc(5)). One that has ended counts as gone even if nobody has
 * reaped it, which is up to others once the executor has ended too.
 */
export function isAlive(pid: string): boolean {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !status.slice(status.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}
