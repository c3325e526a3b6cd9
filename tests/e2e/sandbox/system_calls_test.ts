import { assertEquals } from "@std/assert";
import { seccompFilter } from "../../../src/sandbox/linux/seccomp_filter.ts";
import { shippedSeccompProfile } from "../../../src/sandbox/linux/seccomp_profile.ts";
import { allowedCalls } from "../../sandbox/linux/allowed_calls.ts";
import { runBpf } from "../../sandbox/linux/bpf_interpreter.ts";
import { isRecord } from "../support/inbox.ts";
import { testOnMachines } from "./support/machines.ts";
import { python } from "./support/python.ts";

const architecture = Deno.build.arch;
const AUDIT = { x86_64: 0xc000_003e, aarch64: 0xc000_00b7 };
const EPERM = 0x0005_0001;
const ALLOW = 0x7fff_0000;

/**
 * Makes every call once, with arguments that are all bits (no descriptor, no address, no signal), in
 * a process of its own that may end by it, and prints what it was answered as JSON. `none` is for
 * those that did not come back.
 */
const ASK = `
import json, select
def ask(number):
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        parent = os.getpid()
        result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
        code = ctypes.get_errno()
        # A process made by the call has nothing to say.
        if os.getpid() != parent: os._exit(0)
        answer = "ok" if result != -1 else errno.errorcode.get(code, str(code))
        os.write(write_end, answer.encode())
        os._exit(0)
    os.close(write_end)
    # A call that waits for good is let through.
    ready, _, _ = select.select([read_end], [], [], 2)
    answer = os.read(read_end, 20).decode() if ready else ""
    os.close(read_end)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return answer or "none"
libc.syscall.restype = ctypes.c_long
print(json.dumps([ask(number) for number in range(int(sys.argv[1]))]))
`;

testOnMachines("every system call is answered as the list says", async (scene) => {
  const { newestKnown } = shippedSeccompProfile();
  const { stdout } = await scene.run([...python(ASK), `${newestKnown + 20}`]);
  const answers: unknown = JSON.parse(stdout);
  const listed = new Map(allowedCalls().map((call) => [call[architecture], call.call]));
  const isLandlock = scene.mechanism === "landlock";
  const filter = seccompFilter({
    architecture,
    network: "restricted",
    sharedHost: isLandlock,
    fixedMetadata: isLandlock,
  });
  const wrong = Array.from(Array.isArray(answers) ? answers : [], (answer: unknown, number) => {
    const refused = answer === "EPERM" || answer === "ENOSYS";
    const call = listed.get(number);
    if (call === undefined) return refused ? undefined : `${number}: ${answer}, and not listed`;
    const verdict = runBpf(filter, {
      architecture: AUDIT[architecture],
      number,
      arguments: Array.from({ length: 6 }, () => 0xffff_ffff_ffff_ffffn),
    });
    if (verdict === EPERM) return answer === "EPERM" ? undefined : `${call}: ${answer}, not denied`;
    if (verdict === ALLOW && answer === "EPERM") return `${call}: denied, though listed`;
    return undefined;
  }).filter((line) => line !== undefined);
  assertEquals(Array.isArray(answers) && answers.length, newestKnown + 20);
  assertEquals(wrong, []);
});

/** What is refused to all, or is only done to oneself; the arguments are such as would do no harm. */
const LEFTOVERS = `
PER_LINUX32, ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, QUERY = 8, 0x40000, 0x400000, 0xffffffff
numbers = {name: int(number) for name, number in (pair.split("=") for pair in sys.argv[2:])}
other = int(sys.argv[1])
def own(action): print("own ", end=""); say(action)
say(lambda: call(numbers["personality"], ctypes.c_ulong(READ_IMPLIES_EXEC)))
say(lambda: call(numbers["personality"], ctypes.c_ulong(READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE)))
own(lambda: call(numbers["personality"], ctypes.c_ulong(QUERY)))
own(lambda: call(numbers["personality"], ctypes.c_ulong(ADDR_NO_RANDOMIZE)))
own(lambda: call(numbers["personality"], ctypes.c_ulong(0)))
say(lambda: os.setpriority(os.PRIO_PROCESS, other, 0))
say(lambda: os.sched_setaffinity(other, os.sched_getaffinity(0)))
say(lambda: os.sched_setscheduler(other, os.SCHED_OTHER, os.sched_param(0)))
say(lambda: os.sched_setparam(other, os.sched_param(0)))
say(lambda: call(numbers["ioprio_set"], 1, other, 0))
own(lambda: os.setpriority(os.PRIO_PROCESS, 0, 1))
own(lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)))
own(lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)))
own(lambda: call(numbers["ioprio_set"], 1, 0, 0))
own(lambda: subprocess.run(["nice", "-n", "2", "true"], check=True))
`;

testOnMachines(
  "what no ordinary program needs is denied, the rest is for oneself",
  async (scene) => {
    const names = ["personality", "ioprio_set"];
    const rules = Object.values(shippedSeccompProfile().sections).flat();
    const numbers = names.map((name) =>
      `${name}=${rules.find(({ call }) => call === name)?.[architecture]}`
    );
    // Another process of the same user, who runs for as long as this one does.
    const { id } = scene.user;
    await using other = new Deno.Command("/bin/sh", {
      args: ["-c", "echo ready; exec sleep 600"],
      ...id === undefined ? {} : { uid: id, gid: id },
      stdout: "piped",
    }).spawn();
    const reader = other.stdout.getReader();
    await reader.read();
    await reader.cancel();
    try {
      const argv = [...python(LEFTOVERS), `${other.pid}`, ...numbers];
      const { stdout, stderr } = await scene.run(argv);
      assertEquals(stderr, "");
      const lines = stdout.split("\n").slice(0, -1);
      assertEquals(lines.filter((line) => line.startsWith("own")), Array(8).fill("own ok"));
      const denied = lines.filter((line) => !line.startsWith("own"));
      // In a sandbox with processes of its own there is no such one.
      assertEquals(denied.filter((line) => !/^(EPERM|ESRCH)$/.test(line)), []);
      assertEquals(denied.length, 7);
    } finally {
      other.kill("SIGKILL");
      await other.status;
    }
  },
);

const FAMILIES = `
say(lambda: socket.socket(40, socket.SOCK_STREAM))
say(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4))
say(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16))
say(lambda: socket.socket(38, socket.SOCK_SEQPACKET))
say(lambda: socket.if_nameindex())
say(lambda: socket.getaddrinfo("127.0.0.1", 80))
say(lambda: [socket.socket(family).close() for family in (socket.AF_INET, socket.AF_UNIX)])
`;

testOnMachines("an open network is the internet, and questions about routes", async (scene) => {
  const { sandbox } = scene.enclosed;
  const permissions = isRecord(sandbox) && isRecord(sandbox.permissions) ? sandbox.permissions : {};
  const open = { ...permissions, network: "enabled" };
  const more = { sandbox: { ...isRecord(sandbox) ? sandbox : {}, permissions: open } };
  const { stdout, stderr } = await scene.run(python(FAMILIES), more);
  assertEquals([stderr, stdout], ["", "EPERM\n".repeat(4) + "ok\n".repeat(3)]);
});
