import { assertEquals, assertMatch } from "@std/assert";
import { path, special } from "../../sandbox/context.ts";
import { isRecord, type Message } from "../support/inbox.ts";
import { call, testAttack } from "./support/attacks.ts";
import { type MachineScene, testOnMachines } from "./support/machines.ts";
import { pythonActions } from "./support/python.ts";

testAttack("symbolic links", ({ outside }) => ({
  attacks: [
    `os.symlink("${outside}/secret", "l1") or write("l1")`,
    `os.symlink("${outside}", "l2") or write("l2/new")`,
    `os.symlink("../outside", "l3") or os.mkdir("l3/new")`,
    `os.symlink("/proc/self/root${outside}/secret", "l4") or write("l4")`,
  ],
  within: [`os.symlink("file", "l5") or write("l5")`, `os.symlink(".", "l6") or write("l6/new")`],
}));

testAttack("renames", ({ outside, workspace }) => ({
  attacks: [
    `os.rename("${outside}", "in")`,
    `os.rename("${outside}/secret", "in")`,
    `os.rename("file", "${outside}/new")`,
    `os.rename("file", "${outside}/secret")`,
    `os.rename("${workspace}", "${outside}/moved")`,
    `os.rename("${workspace}", "${workspace}-moved")`,
    // An exchange of the two (RENAME_EXCHANGE).
    `any_of([lambda: [][libc.renameat2(-100, b"file", -100, b"${outside}/secret", 2) + 1:]` +
    ` or (_ for _ in ()).throw(OSError(ctypes.get_errno(), ""))])`,
  ],
  within: [
    `os.rename("file", "b") or os.rename("b", "file")`,
    `os.mkdir("d") or os.rename("d", "e")`,
  ],
}));

testAttack("hard links", ({ outside }) => ({
  attacks: [
    `os.link("${outside}/secret", "h1")`,
    `os.link("file", "${outside}/new")`,
    `os.link(f"/proc/self/fd/{os.open('${outside}/secret', os.O_RDONLY)}", "h2", follow_symlinks=True)`,
  ],
  within: [`os.link("file", "h3") or write("h3")`],
}));

// Whoever opens or executes a file with a lease waits for its holder (fcntl(2)).
testAttack("leases", () => ({
  attacks: [
    `fcntl.fcntl(os.open("file", os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)`,
    `fcntl.fcntl(os.open("file", os.O_WRONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK)`,
  ],
  within: [`fcntl.fcntl(os.open("file", os.O_RDONLY), fcntl.F_GETLEASE)`],
}));

testAttack("parent directories", ({ outside }) => ({
  attacks: [
    `write("../outside/new")`,
    `write("./.././outside/secret")`,
    `os.mkdir("sub") or write("sub/../../outside/new")`,
    `os.unlink("../outside/secret")`,
    `os.truncate("${outside}/secret", 0)`,
    `os.chmod("../outside/secret", 0o600)`,
    `os.utime("../outside/secret")`,
  ],
  within: [`write("sub/../file")`, `write("../ws/new")`],
}));

testAttack("the roots of processes", ({ outside, workspace }, { pid }) => ({
  attacks: [
    `write("/proc/self/root${outside}/new")`,
    `write("/proc/thread-self/root${outside}/new")`,
    `write("/proc/self/cwd/../outside/new")`,
    `write("/proc/${pid}/root${outside}/new")`,
    `write("/proc/${pid}/cwd${outside}/new")`,
    `any_of([lambda p=p: write(p + "${outside}/new") for p in glob.glob("/proc/[0-9]*/root")])`,
    `any_of([lambda p=p: write(p + "${outside}/new") for p in glob.glob("/proc/[0-9]*/task/*/root")])`,
  ],
  within: [`write("/proc/self/root${workspace}/file")`, `write("/proc/self/cwd/file")`],
}));

testAttack("descriptors of processes", ({ outside }, { pid }) => ({
  attacks: [
    `open("/proc/${pid}/fd/7", "r+")`,
    `open(f"/proc/self/fd/{os.open('${outside}/secret', os.O_RDONLY)}", "r+")`,
    `open(f"/dev/fd/{os.open('${outside}/secret', os.O_PATH)}", "r+")`,
    // Its own streams are also those of the sandbox's first process.
    `any_of([lambda f=f: open(f, "r+") for f in glob.glob("/proc/[0-9]*/fd/*")` +
    ` if not f.startswith(f"/proc/{os.getpid()}/") and link_of(f) not in OWN_STREAMS])`,
    call("pidfd_getfd", `os.pidfd_open(${pid})`, "7", "0"),
  ],
  within: [`open(f"/proc/self/fd/{os.open('file', os.O_RDONLY)}", "r+")`],
}));

const MS_REMOUNT_BIND = 0x1020;
const MS_BIND = 0x1000;

testAttack("mounts", ({ outside, workspace }) => ({
  attacks: [
    call("mount", `b"none"`, `b"/"`, "None", `${MS_REMOUNT_BIND}`, "None"),
    call("mount", `b"none"`, `b"${workspace}"`, "None", `${MS_REMOUNT_BIND}`, "None"),
    call("mount", `b"${outside}"`, `b"${workspace}"`, "None", `${MS_BIND}`, "None"),
    call("mount", `b"none"`, `b"${workspace}"`, `b"tmpfs"`, "0", "None"),
    call("umount2", `b"${workspace}"`, "2"),
    call("umount2", `b"/proc"`, "2"),
    call("pivot_root", `b"${workspace}"`, `b"${workspace}"`),
    call("chroot", `b"${workspace}"`),
    call("open_tree", "-100", `b"${outside}"`, "1"),
    call("move_mount", "-100", `b"${outside}"`, "-100", `b"${workspace}"`, "0"),
    call("fsopen", `b"tmpfs"`, "0"),
    call("fsmount", "0", "0", "0"),
    call("fspick", "-100", `b"/"`, "0"),
    call("mount_setattr", "-100", `b"/"`, "0", "ctypes.create_string_buffer(32)", "32"),
    `succeed("mount", "-o", "remount,rw,bind", "/")`,
  ],
  within: [`open("/proc/self/mountinfo").read()`],
}));

/** A directory that may be written, with a workspace of its own in it. */
function nested({ enclosed, workspace }: MachineScene): Message {
  const entries = [
    special("root", "read"),
    ...[workspace, `${workspace}/project`].map((root) => path(root, "write")),
  ];
  const fileSystem = { type: "restricted", entries };
  const permissions = { type: "managed", file_system: fileSystem, network: "restricted" };
  return { sandbox: { ...isRecord(enclosed.sandbox) ? enclosed.sandbox : {}, permissions } };
}

testOnMachines("no way to protected names by renaming what is above", async (scene) => {
  const { workspace, user } = scene;
  for (const path of ["project", "project/.git", "project/sub"]) {
    Deno.mkdirSync(`${workspace}/${path}`);
    if (user.id !== undefined) Deno.chownSync(`${workspace}/${path}`, user.id, user.id);
  }
  const attacks = [
    `os.rename("project", "moved")`,
    `os.rename("project/.git", "moved")`,
    `os.mkdir("other") or os.mkdir("other/.git") or os.replace("other", "project")`,
    `os.symlink("project", "link") or write("link/.git/hook")`,
    `write("project/.git/hook")`,
    `os.mkdir("project/.codex")`,
    `os.rmdir("project/.git")`,
    `os.mkdir(".git")`,
  ];
  const { stdout } = await scene.run(pythonActions(attacks), nested(scene));
  assertMatch(stdout, /^(E[A-Z]+\n){8}$/);
  assertEquals(Array.from(Deno.readDirSync(`${workspace}/project/.git`)), []);
  const within = [`os.rename("project/sub", "project/moved")`, `write("project/new")`];
  const inside = await scene.run(pythonActions(within), nested(scene));
  assertEquals(inside.stdout, "ok\nok\n");
});
