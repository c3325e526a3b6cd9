import { assertEquals } from "@std/assert";
import { type CallName, callNumber } from "../../../src/sandbox/supervisor/calls.ts";
import { type MachineScene, testOnMachines } from "./support/machines.ts";
import { python, pythonActions } from "./support/python.ts";

/** A call by its number, in Python; undefined where this machine has none. */
function call(name: CallName, ...values: string[]): string[] {
  const number = callNumber(name, Deno.build.arch);
  return number === null ? [] : [`call(${[number, ...values].join(", ")})`];
}

const AT = "-100";
const [WRITE, READ_WRITE, CREATE, TRUNCATE, PATH_ONLY] = [1, 2, 0o100, 0o1000, 0o10000000];
const EMPTY_PATH = "0x1000";
const TIMES = "ctypes.create_string_buffer(32)";
const FIFO = "0o10644";

/** Every call by which something could be changed, with something below a directory. */
function changes(directory: string): string[] {
  const at = (name: string) => `b"${directory}/${name}"`;
  const base = `os.open('${directory}', os.O_RDONLY)`;
  const file = `os.open('${directory}/HEAD', os.O_RDONLY)`;
  const held = `os.open('${directory}/HEAD', ${PATH_ONLY})`;
  return [
    ...call("open", at("HEAD"), `${WRITE}`),
    ...call("open", at("HEAD"), `${READ_WRITE}`),
    ...call("open", at("HEAD"), `${TRUNCATE}`),
    ...call("open", at("new1"), `${WRITE | CREATE}`, "0o644"),
    ...call("open", at("new2"), `${CREATE}`, "0o644"),
    ...call("openat", AT, at("HEAD"), `${WRITE}`),
    ...call("openat", base, `b"HEAD"`, `${WRITE}`),
    ...call("openat", base, `b"./HEAD"`, `${WRITE}`),
    ...call("openat", base, `b"sub/../HEAD"`, `${WRITE}`),
    ...call("openat", AT, `f"/proc/self/fd/{${file}}".encode()`, `${WRITE}`),
    ...call("openat", AT, `f"/dev/fd/{${held}}".encode()`, `${WRITE}`),
    ...call("openat", AT, `f"/proc/self/fd/{${base}}/HEAD".encode()`, `${WRITE}`),
    ...call("openat", AT, `b"/proc/thread-self/cwd/${directory}/HEAD"`, `${WRITE}`),
    ...call("openat", AT, `b"${directory}"`, "0o20200002", "0o600"),
    ...call("creat", at("new3"), "0o644"),
    ...call("creat", at("HEAD"), "0o644"),
    ...call("truncate", at("HEAD"), "0"),
    ...call("mkdir", at("new4"), "0o755"),
    ...call("mkdirat", base, `b"new5"`, "0o755"),
    ...call("mknod", at("new6"), FIFO, "0"),
    ...call("mknodat", base, `b"new7"`, FIFO, "0"),
    ...call("link", `b"plain"`, at("new8")),
    ...call("linkat", AT, `b"plain"`, base, `b"new9"`, "0"),
    ...call("linkat", held, `b""`, AT, `b"${directory}-link1"`, EMPTY_PATH),
    ...call("linkat", AT, at("HEAD"), AT, `b"${directory}-link2"`, "0"),
    ...call("symlink", `b"x"`, at("new10")),
    ...call("symlinkat", `b"x"`, base, `b"new11"`),
    ...call("chmod", at("HEAD"), "0o600"),
    ...call("fchmod", file, "0o640"),
    ...call("fchmodat", base, `b"HEAD"`, "0o600"),
    ...call("fchmodat2", held, `b""`, "0o600", EMPTY_PATH),
    ...call("chown", at("HEAD"), "os.getuid()", "-1"),
    ...call("lchown", at("HEAD"), "os.getuid()", "-1"),
    ...call("fchown", file, "os.getuid()", "-1"),
    ...call("fchownat", held, `b""`, "os.getuid()", "-1", EMPTY_PATH),
    ...call("utime", at("HEAD"), "None"),
    ...call("utimes", at("HEAD"), TIMES),
    ...call("futimesat", base, `b"HEAD"`, TIMES),
    ...call("utimensat", base, `b"HEAD"`, TIMES, "0"),
    ...call("utimensat", file, "None", "None", "0"),
    ...call("rename", at("HEAD"), at("moved1")),
    ...call("rename", at("moved1"), at("HEAD")),
    ...call("renameat", base, `b"HEAD"`, base, `b"moved2"`),
    ...call("renameat2", base, `b"moved2"`, base, `b"HEAD"`, "0"),
    ...call("renameat2", AT, `b"other"`, base, `b"HEAD"`, "2"),
    ...call("unlink", at("HEAD")),
    ...call("unlinkat", base, `b"second"`, "0"),
    ...call("rmdir", at("empty1")),
    ...call("unlinkat", base, `b"empty2"`, "0x200"),
    ...call("rename", `b"${directory}"`, `b"${directory}-moved"`),
  ];
}

/** Fills a directory with what the calls are about. */
function fill({ workspace, user }: MachineScene, directory: string): void {
  const path = `${workspace}/${directory}`;
  const paths = [path, ...["sub", "empty1", "empty2"].map((name) => `${path}/${name}`)];
  const files = ["HEAD", "second", "../plain", "../other"].map((name) => `${path}/${name}`);
  for (const path of paths) Deno.mkdirSync(path);
  for (const file of files) Deno.writeTextFileSync(file, "content", { mode: 0o644 });
  if (user.id === undefined) return;
  for (const path of [...paths, ...files]) Deno.chownSync(path, user.id, user.id);
}

/** All that is below a directory, with what can be changed of it. */
function stateOf(directory: string): unknown[] {
  return Array.from(Deno.readDirSync(directory)).toSorted((a, b) => a.name < b.name ? -1 : 1)
    .map(({ name, isDirectory }) => {
      const path = `${directory}/${name}`;
      const { mode, uid, gid, size, ino, nlink, mtime } = Deno.lstatSync(path);
      const below = isDirectory ? stateOf(path) : [];
      return { name, mode, uid, gid, size, ino, nlink, mtime, below };
    });
}

testOnMachines("no call changes a protected name", async (scene) => {
  fill(scene, ".git");
  const before = stateOf(`${scene.workspace}/.git`);
  const attacks = changes(".git");
  const { stdout, stderr } = await scene.run(pythonActions(attacks));
  assertEquals(stderr, "");
  const outcomes = stdout.split("\n").slice(0, -1);
  assertEquals(outcomes.length, attacks.length);
  assertEquals(attacks.filter((_, index) => outcomes[index] === "ok"), []);
  assertEquals(stateOf(`${scene.workspace}/.git`), before);
  const names = Array.from(Deno.readDirSync(scene.workspace), ({ name }) => name).sort();
  assertEquals(names, [".git", "file", "other", "plain"]);
});

testOnMachines("each of these calls works beside the protected names", async (scene) => {
  fill(scene, "free");
  const actions = changes("free");
  const inside = await scene.run(pythonActions(actions));
  assertEquals(inside.stderr, "");
  const outcomes = inside.stdout.split("\n").slice(0, -1);
  const failed = actions.flatMap((action, index) =>
    outcomes[index] === "ok" ? [] : [`${action}: ${outcomes[index]}`]
  );
  assertEquals(failed, []);
});

/** Says what came of many ways to open, make and change files; the same wherever it runs. */
const BEHAVIOUR = `
import stat, struct, threading
def tell(what, action):
    try: result = action()
    except OSError as error: result = errno.errorcode[error.errno]
    print(what, result, flush=True)
def mode(path): return oct(os.lstat(path).st_mode)
def flags(descriptor): return fcntl.fcntl(descriptor, fcntl.F_GETFL) & 0o3777703
def closes(descriptor): return fcntl.fcntl(descriptor, fcntl.F_GETFD)
os.mkdir("set-group"); os.chmod("set-group", 0o2775); os.mkdir("listed")
entries = b"".join(struct.pack("<HHI", tag, rights, 0xffffffff) for tag, rights in ((1, 7), (4, 7), (32, 4)))
tell("default list", lambda: os.setxattr("listed", "system.posix_acl_default", struct.pack("<I", 2) + entries))
for mask in (0o22, 0o77, 0):
    os.umask(mask)
    for place in ("set-group", "listed"):
        tell(place, lambda: os.close(os.open(f"{place}/c{mask}", os.O_CREAT | os.O_WRONLY, 0o4777)) or mode(f"{place}/c{mask}"))
        tell(place, lambda: os.mkdir(f"{place}/d{mask}", 0o1777) or mode(f"{place}/d{mask}"))
    tell("exclusive", lambda: os.close(os.open(f"x{mask}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)) or mode(f"x{mask}"))
    tell("exclusive again", lambda: os.open(f"x{mask}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    tell("unnamed", lambda: oct(os.fstat(os.open(".", os.O_TMPFILE | os.O_RDWR, 0o666)).st_mode))
    tell("create", lambda: os.close(os.open(f"c{mask}", os.O_CREAT | os.O_WRONLY, 0o666)) or mode(f"c{mask}"))
    tell("mkdir", lambda: os.mkdir(f"d{mask}", 0o777) or mode(f"d{mask}"))
    tell("fifo", lambda: os.mkfifo(f"p{mask}", 0o666) or mode(f"p{mask}"))
os.umask(0o22)
tell("exists", lambda: os.open("c18", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
tell("missing", lambda: os.open("missing", os.O_WRONLY))
tell("below a file", lambda: os.open("c18/x", os.O_CREAT | os.O_WRONLY))
tell("slash", lambda: os.open("new/", os.O_CREAT | os.O_WRONLY))
tell("directory", lambda: os.open("d18", os.O_WRONLY))
tell("only directory", lambda: os.open("c18", os.O_WRONLY | os.O_DIRECTORY))
tell("empty", lambda: os.open("", os.O_WRONLY))
tell("dot", lambda: os.open(".", os.O_WRONLY))
tell("long", lambda: os.open("x" * 300, os.O_CREAT | os.O_WRONLY))
tell("too long", lambda: os.open("x/" * 3000, os.O_CREAT | os.O_WRONLY))
tell("bad base", lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=77))
tell("file as base", lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=os.open("c18", os.O_RDONLY)))
tell("bad address", lambda: call(${
  callNumber("openat", Deno.build.arch)
}, -100, ctypes.c_void_p(8), 1))
os.symlink("c18", "link"); os.symlink("dangling", "dangles"); os.symlink("loop", "loop"); os.symlink("d18", "dlink")
tell("link", lambda: os.close(os.open("link", os.O_WRONLY)))
tell("no link", lambda: os.open("link", os.O_WRONLY | os.O_NOFOLLOW))
tell("loop", lambda: os.open("loop", os.O_WRONLY))
tell("dangling, exclusive", lambda: os.open("dangles", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
tell("dangling", lambda: os.close(os.open("dangles", os.O_CREAT | os.O_WRONLY)) or mode("dangling"))
tell("through a link", lambda: os.close(os.open("dlink/x", os.O_CREAT | os.O_WRONLY)) or mode("d18/x"))
tell("up", lambda: os.close(os.open("d18/../up", os.O_CREAT | os.O_WRONLY)) or mode("up"))
tell("mkdir slash", lambda: os.mkdir("md/") or mode("md"))
tell("mkdir exists", lambda: os.mkdir("link"))
tell("mkdir dot", lambda: os.mkdir("."))
tell("rmdir dot", lambda: os.rmdir("d18/."))
tell("rmdir dots", lambda: os.rmdir("d18/.."))
tell("rmdir full", lambda: os.rmdir("d18"))
tell("rmdir file", lambda: os.rmdir("c18"))
tell("rmdir link", lambda: os.rmdir("dlink/"))
tell("unlink directory", lambda: os.unlink("md"))
tell("unlink slash", lambda: os.unlink("c18/"))
tell("rename missing", lambda: os.rename("missing", "x"))
tell("rename into itself", lambda: os.rename("d18", "d18/y"))
tell("rename over directory", lambda: os.rename("c18", "md"))
tell("rename file slash", lambda: os.rename("c18", "y/"))
tell("rename directory slash", lambda: os.rename("md/", "mdd/") or mode("mdd"))
tell("no replace", lambda: call(${
  callNumber("renameat2", Deno.build.arch)
}, -100, b"c18", -100, b"c63", 1))
tell("link to directory", lambda: os.link("d18", "hard"))
tell("link to link", lambda: os.link("link", "hard", follow_symlinks=False) or mode("hard"))
tell("link through link", lambda: os.link("link", "hard2", follow_symlinks=True) or mode("hard2"))
tell("read back", lambda: os.readlink("hard"))
tell("flags", lambda: flags(os.open("c18", os.O_RDWR | os.O_APPEND)))
tell("non-blocking", lambda: flags(os.open("c18", os.O_RDWR | os.O_NONBLOCK)))
tell("kept on exec", lambda: closes(call(${
  callNumber("openat", Deno.build.arch)
}, -100, b"c18", os.O_WRONLY)))
tell("closed on exec", lambda: closes(os.open("c18", os.O_WRONLY)))
lowest = os.dup(0); os.close(lowest)
tell("lowest number", lambda: os.open("c18", os.O_WRONLY) == lowest)
def append():
    one = os.open("c18", os.O_WRONLY | os.O_APPEND); os.write(one, b"abc"); os.close(one)
    os.truncate("c18", 2); return open("c18").read()
tell("append", append)
def temporary():
    file = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640); os.write(file, b"t")
    os.link(f"/proc/self/fd/{file}", "named", follow_symlinks=True); return mode("named"), os.fstat(file).st_nlink
tell("temporary", temporary)
tell("chmod", lambda: os.chmod("c18", 0o4711) or mode("c18"))
tell("chmod link", lambda: os.chmod("link", 0o600) or (mode("c18"), mode("link")))
tell("chmod missing", lambda: os.chmod("missing", 0o600))
tell("utime", lambda: os.utime("c18", ns=(1, 2_000_000_003)) or os.stat("c18").st_mtime_ns)
tell("utime link", lambda: os.utime("link", ns=(5, 6), follow_symlinks=False) or (os.lstat("link").st_mtime_ns, os.stat("link").st_mtime_ns))
tell("futimens", lambda: os.utime(os.open("c18", os.O_RDONLY), ns=(7, 8)) or os.stat("c18").st_mtime_ns)
unnamed = os.open("unnamed", os.O_CREAT | os.O_RDWR); os.unlink("unnamed")
tell("fchmod without a name", lambda: os.fchmod(unnamed, 0o600) or oct(os.fstat(unnamed).st_mode))
tell("through a descriptor", lambda: os.close(os.open(f"/proc/self/fd/{unnamed}", os.O_RDWR)))
ours, theirs = os.pipe()
def reopened():
    end = os.open(f"/proc/self/fd/{theirs}", os.O_WRONLY); os.write(end, b"p"); return os.read(ours, 9)
tell("pipe", reopened)
def fifo():
    def reads(): got.append(os.read(os.open("p18", os.O_RDONLY), 9))
    got = []; reader = threading.Timer(0.2, reads); reader.start()
    end = os.open("p18", os.O_WRONLY); os.write(end, b"f"); os.close(end); reader.join(); return got
tell("fifo waits for its reader", fifo)
tell("fifo does not", lambda: os.close(os.open("p18", os.O_WRONLY | os.O_NONBLOCK)))
tell("null", lambda: flags(os.open("/dev/null", os.O_WRONLY | os.O_CREAT)))
tell("odd name", lambda: os.close(os.open(b"\\xff\\xfe \\n", os.O_CREAT | os.O_WRONLY)) or sorted(n for n in os.listdir(b".") if n[0] > 127))
os.mkdir("gone"); base = os.open("gone", os.O_RDONLY); os.rmdir("gone")
tell("in a directory that is gone", lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=base))
def own_directory():
    os.chdir("d18"); os.close(os.open("here", os.O_CREAT | os.O_WRONLY)); os.chdir(".."); return mode("d18/here")
tell("working directory", own_directory)
tell("a directory to be made", lambda: os.open("d18", os.O_CREAT))
def through():
    os.dup2(os.open(".", os.O_RDONLY), 200)
    os.close(os.open("/proc/self/fd/200/through", os.O_CREAT | os.O_WRONLY)); os.mkdir("/dev/fd/200/made")
    return mode("through"), mode("made")
tell("through a descriptor of its own", through)
print(sorted(os.listdir(".")))
`;

testOnMachines("files behave as without a sandbox", async (scene) => {
  const { workspace, user } = scene;
  const outcomes: string[] = [];
  for (const more of [{ sandbox: null }, {}]) {
    const directory = `${workspace}/${outcomes.length}`;
    Deno.mkdirSync(directory);
    if (user.id !== undefined) Deno.chownSync(directory, user.id, user.id);
    const { stdout, stderr } = await scene.run(
      python(`os.chdir("${directory}")\n${BEHAVIOUR}`),
      more,
    );
    assertEquals(stderr, "");
    outcomes.push(stdout);
  }
  assertEquals(outcomes[1]?.split("\n"), outcomes[0]?.split("\n"));
});
