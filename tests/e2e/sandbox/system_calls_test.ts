import { assertEquals } from "@std/assert";
import { seccompFilter } from "../../../src/sandbox/seccomp/filter.ts";
import { shippedSeccompProfile } from "../../../src/sandbox/seccomp/profile.ts";
import { allowedCalls } from "../../sandbox/seccomp/allowed_calls.ts";
import { runBpf } from "../../sandbox/seccomp/bpf_interpreter.ts";
import { isRecord } from "../support/inbox.ts";
import { testOnMachines } from "./support/machines.ts";
import { python } from "./support/python.ts";

const architecture = Deno.build.arch;
const AUDIT = { x86_64: 0xc000_003e, aarch64: 0xc000_00b7 };
const EPERM = 0x0005_0001;
const ALLOW = 0x7fff_0000;
const HANDED_OVER = 0x7fc0_0000;
/** The kernel looks at capabilities before it looks at the arguments. */
const DENIED_BY_KERNEL = ["setgroups"];

/**
 * Makes every call once, with arguments that are all bits (no descriptor, no address, no signal), and
 * prints what it was answered as JSON. `none` is for those that did not come back: whoever asks may
 * end or wait for good by a call, and another goes on with the next.
 */
const ASK = `
import json, select
libc.syscall.restype = ctypes.c_long
COUNT = int(sys.argv[1])
def ask_from(first, answers):
    # Calls that wait for a signal get one.
    signal.signal(signal.SIGALRM, lambda *_: None)
    for number in range(first, COUNT):
        asker = os.getpid()
        signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
        result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
        code = ctypes.get_errno()
        # A process made by the call has nothing to say.
        if os.getpid() != asker: os._exit(0)
        answer = "ok" if result != -1 else errno.errorcode.get(code, str(code))
        os.write(answers, f"{answer}\\n".encode())
def lines_of_asker(first):
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        ask_from(first, write_end)
        os._exit(0)
    os.close(write_end)
    text = b""
    # Whatever takes so long waits for good, and has been let through.
    while select.select([read_end], [], [], 20)[0] and (more := os.read(read_end, 4096)): text += more
    os.close(read_end)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return text.decode().split()
answers = []
while len(answers) < COUNT:
    answers += lines_of_asker(len(answers))
    if len(answers) < COUNT: answers.append("none")
print(json.dumps(answers))
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
    supervised: {
      names: isLandlock,
      metadata: isLandlock,
      reads: false,
      connections: false,
      signals: false,
    },
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
    // Neither denied, nor without anybody who serves it.
    if (verdict === HANDED_OVER && (refused || answer === "none")) return `${call}: ${answer}`;
    const isDenied = verdict === ALLOW && answer === "EPERM" && !DENIED_BY_KERNEL.includes(call);
    return isDenied ? `${call}: denied, though listed` : undefined;
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
