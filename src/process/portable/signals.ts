/** Sends a signal to a process group, if it still exists. */
export function signalGroup(leader: number, signal: Deno.Signal): void {
  signalProcess(-leader, signal);
}

/**
 * Kills a process group and all descendants of its leader, also those that left the group.
 *
 * Processes are stopped first, one generation after the other, so that none starts another between
 * listing and killing. On Windows, which has no groups, the descendants that it still lists are killed.
 */
export function killGroup(leader: number): void {
  if (Deno.build.os === "windows") return killWindowsTree(leader);
  const stopped = new Set<number>();
  for (let found = [leader]; found.length > 0;) {
    for (const pid of found) {
      stopped.add(pid);
      signalProcess(pid, "SIGSTOP");
    }
    found = descendantsOf(leader).filter((pid) => !stopped.has(pid));
  }
  for (const pid of stopped) signalProcess(pid, "SIGKILL");
  signalGroup(leader, "SIGKILL");
}

/** Sends a signal to a process, unless it is gone or another user's. */
function signalProcess(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    if (!(error instanceof NotFound || error instanceof PermissionDenied)) throw error;
  }
}

function descendantsOf(root: number): number[] {
  const children = Map.groupBy(listProcesses(), ({ parent }) => parent);
  const found: number[] = [];
  const visit = (pid: number) => {
    for (const child of children.get(pid) ?? []) {
      found.push(child.pid);
      visit(child.pid);
    }
  };
  visit(root);
  return found;
}

/** Every process with its parent; none where there is no ps(1). */
function listProcesses(): { readonly pid: number; readonly parent: number }[] {
  try {
    const { stdout } = new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid="] }).outputSync();
    return new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
      const [pid = NaN, parent = NaN] = line.trim().split(/\s+/).map(Number);
      return { pid, parent };
    });
  } catch {
    return [];
  }
}

function killWindowsTree(root: number): void {
  const args = ["/PID", String(root), "/T", "/F"];
  new Deno.Command("taskkill", { args, stdout: "null", stderr: "null" }).outputSync();
}
