import { assertEquals } from "@std/assert";
import { path, special, type WireEntry } from "../../sandbox/context.ts";
import type { Outcome } from "../support/commands.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { type MachineScene, testOnMachines } from "./support/machines.ts";
import { python } from "./support/python.ts";

/** What a sandbox has of its own, or is given by anyone: content alone, not their inodes. */
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty"].map((name) => `/dev/${name}`);

/** What a client may ask for, by what it is called here. */
function profiles({ mechanism, workspace, outside }: MachineScene): Record<string, Message> {
  const written = mechanism === "bubblewrap" ? [] : [".git", ".agents", ".codex"];
  const restricted = (entries: readonly WireEntry[]) => ({ type: "restricted", entries });
  return {
    "read-only": restricted([special("root", "read")]),
    "minimal": restricted([special("minimal", "read"), path(workspace, "read")]),
    "workspace-write": restricted([
      special("root", "read"),
      special("project_roots", "write"),
      ...written.map((name) => path(`${workspace}/${name}`, "write")),
    ]),
    "root write": restricted([special("root", "write")]),
    // Landlock takes nothing back.
    ...mechanism === "bubblewrap"
      ? {
        "root write with an exception": restricted([
          special("root", "write"),
          path(outside, "read"),
        ]),
      }
      : {},
    "unrestricted": { type: "unrestricted" },
  };
}

function inProfile({ enclosed }: MachineScene, fileSystem: Message): Message {
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  return { sandbox: { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions } };
}

/**
 * Tells of every name that may be written: of a file, by opening it for writing without writing, and
 * of a directory, by adding a name to it, which Landlock would not tell of otherwise. Of a hundred
 * directories beside each other, as of processes and kinds of kernel memory, some stand for all.
 */
const WALK = `
import re, stat
FOR_WRITING = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
def can_add(directory):
    name = os.path.join(directory, "remex-was-here")
    try: os.mkdir(name)
    except OSError: return False
    os.rmdir(name)
    return True
def is_writable(path):
    try: mode = os.lstat(path).st_mode
    except OSError: return False
    if stat.S_ISDIR(mode): return os.access(path, os.W_OK, effective_ids=True) and can_add(path)
    # To open a device can already do something.
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or not stat.S_ISREG(mode): return False
    try: os.close(os.open(path, FOR_WRITING))
    except OSError: return False
    return True
seen = 0
for top in sys.argv[1:]:
    for directory, directories, files in os.walk(top):
        # The same again, for each thread.
        if re.fullmatch("/proc/[0-9]+", directory): directories.remove("task")
        alike = [name for name in directories if directory != "/proc" or name.isdigit()]
        if len(alike) > 30:
            kept = {str(os.getpid()), *alike[:10], *alike[-10:]}
            directories[:] = [name for name in directories if name in kept or name not in alike]
        for path in [directory, *(os.path.join(directory, name) for name in files)]:
            seen += 1
            if is_writable(path): print(path)
print("seen", seen > 500)
`;

function linesOf({ stdout, stderr }: Outcome): string[] {
  assertEquals(stderr, "");
  return stdout.split("\n").filter((line) => line !== "");
}

testOnMachines("nothing in /proc, /sys and /dev can be written but by grant", async (scene) => {
  for (const [name, fileSystem] of Object.entries(profiles(scene))) {
    const more = inProfile(scene, fileSystem);
    const found = linesOf(await scene.run([...python(WALK), "/proc", "/sys", "/dev"], more));
    // Shared memory is a sandbox's own, or part of the disk that is granted as a whole, and where all
    // devices of the host are not granted, their directory is a new one.
    const own = scene.mechanism === "bubblewrap" && !/^(root write|unrestricted)$/.test(name)
      ? /^\/dev(\/shm)?$/
      : /^\/dev\/(shm|mqueue|hugepages)(\/|$)/;
    const foreign = found.filter((path) => !own.test(path));
    assertEquals(foreign.slice(0, 20), ["seen True"], name);
  }
});

/** Asks for the mode, the owner and the times that a node has already: nothing changes. */
const TOUCH = `
def same(path, change):
    status = os.stat(path)
    change(status)
def touched(path):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    status = os.fstat(fd)
    say(lambda: os.chmod(path, status.st_mode & 0o7777))
    say(lambda: os.chown(path, status.st_uid, -1))
    say(lambda: os.fchmod(fd, status.st_mode & 0o7777))
    say(lambda: os.fchown(fd, status.st_uid, -1))
    say(lambda: os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns)))
for path in sys.argv[1:]:
    try: touched(path)
    except OSError as error:
        # Without a terminal there is none to open.
        if error.errno != errno.ENXIO: raise
status = os.fstat(0)
say(lambda: os.fchmod(0, status.st_mode & 0o7777))
say(lambda: os.fchown(0, status.st_uid, -1))
say(lambda: os.chmod("/proc/self/fd/0", status.st_mode & 0o7777))
with open("/dev/null", "w") as null: null.write("x")
print("read", os.read(0, 1), status.st_rdev == os.stat("/dev/null").st_rdev)
with open("/proc/self/fd/0") as again: print("again", again.read())
`;

testOnMachines("devices and the empty input stay as they are", async (scene) => {
  for (const [name, fileSystem] of Object.entries(profiles(scene))) {
    // Landlock leaves modes and owners to whoever may write all files.
    if (scene.mechanism === "landlock" && /root|unrestricted/.test(name)) continue;
    const outcome = await scene.run([...python(TOUCH), ...DEVICES], inProfile(scene, fileSystem));
    const lines = linesOf(outcome);
    assertEquals(lines.slice(-2), ["read b'' True", "again "], name);
    assertEquals(lines.slice(0, -2).filter((line) => !/^E(PERM|ROFS|ACCES)$/.test(line)), [], name);
    assertEquals(lines.length >= 5 * 5 + 3 + 2, true, name);
  }
});

testOnMachines("a grant to write /proc changes nothing of it", async (scene) => {
  for (const granted of ["/proc", "/proc/irq"]) {
    const entries = [special("root", "read"), path(granted, "write")];
    const more = inProfile(scene, { type: "restricted", entries });
    const lines = linesOf(await scene.run([...python(TOUCH), "/proc", "/proc/irq"], more));
    assertEquals(lines.slice(0, -2).filter((line) => !/^E(PERM|ROFS|ACCES)$/.test(line)), []);
    assertEquals(lines.length >= 2 * 5 + 3 + 2, true);
  }
});

/** Without CAP_SYS_ADMIN, as in most containers, where user namespaces may be had all the same. */
const LESS_PRIVILEGED = [
  ...["/bin/sh", "-c"],
  'if [ "$(id -u)" = 0 ]; then exec setpriv --bounding-set=-sys_admin -- "$@"; fi; exec "$@"',
  "sh",
];

testOnMachines("devices stay as they are where root has fewer capabilities", async (scene) => {
  const readOnly = inProfile(scene, profiles(scene)["read-only"] ?? {});
  const lines = linesOf(await scene.run([...python(TOUCH), ...DEVICES], readOnly));
  // The empty input is the host's own device here, of which the last three of these lines tell.
  assertEquals(lines.slice(0, -5).filter((line) => !/^E(PERM|ROFS|ACCES)$/.test(line)), []);
  assertEquals(lines.slice(-2), ["read b'' True", "again "]);
}, { through: () => LESS_PRIVILEGED });
