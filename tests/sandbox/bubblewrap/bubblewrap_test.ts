import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  bubblewrapCall,
  type BubblewrapOptions,
  UnwrappableError,
} from "../../../src/sandbox/bubblewrap/arguments.ts";

const OPTIONS: BubblewrapOptions = {
  program: "/usr/bin/bwrap",
  view: { root: "readOnly", mounts: [], keptInPlace: [] },
  freshProc: true,
  procSealedLater: false,
  hostNetwork: false,
  seccompProgram: new Uint8Array([1, 2]),
  maxDescriptors: 1024,
  cwd: "/ws",
  env: {},
  newSession: true,
  stage: { kind: "ready", argv: ["cmd", "a b"], arg0: undefined, env: {} },
};

/** What bubblewrap reads from its descriptor for options. */
function options(changes: Partial<BubblewrapOptions> = {}): string[] {
  const { descriptors } = bubblewrapCall({ ...OPTIONS, ...changes });
  const purpose = descriptors.find(({ number }) => number === 3)?.purpose;
  if (purpose?.kind !== "data") throw new Error("no options");
  return new TextDecoder().decode(purpose.bytes).split("\0").slice(0, -1);
}

function filesPart(changes: Partial<BubblewrapOptions>): string {
  const all = options(changes);
  return all.slice(all.indexOf("--new-session") + 1, all.indexOf("--chdir")).join(" ");
}

Deno.test("only the command is on the command line", () => {
  const { argv } = bubblewrapCall({ ...OPTIONS, env: { TOKEN: "secret" } });
  assertEquals(argv, ["/usr/bin/bwrap", "--args", "3", "--", "cmd", "a b"]);
});

Deno.test("the command is isolated and has no capabilities", () => {
  assertEquals(options(), [
    "--unshare-user",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-net",
    "--cap-drop",
    "ALL",
    "--die-with-parent",
    "--new-session",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--remount-ro",
    "/proc",
    "--chdir",
    "/ws",
    "--seccomp",
    "4",
    "--json-status-fd",
    "5",
    "--block-fd",
    "6",
  ]);
});

Deno.test("processes are numbered before /proc can be hidden", () => {
  const view = {
    root: "readOnly" as const,
    mounts: [{ kind: "emptyDirectory" as const, path: "/proc", passable: false }],
    keptInPlace: [],
  };
  const numbering = "--file 7 /proc/self/root/oldroot/proc/sys/kernel/ns_last_pid";
  const all = filesPart({ lastNumber: 300, view });
  assert(all.includes(`--proc /proc ${numbering} --perms 0000 --tmpfs /proc`), all);
});

Deno.test("/proc is left to whoever makes it read-only later", () => {
  assertEquals(options({ procSealedLater: true }).includes("--remount-ro"), false);
});

Deno.test("the host's network and session are kept where asked for", () => {
  const kept = options({ hostNetwork: true, newSession: false });
  assertEquals(kept.includes("--unshare-net"), false);
  assertEquals(kept.includes("--new-session"), false);
});

Deno.test("the environment is handed over exactly", () => {
  const env = { A: "", "B C": "x=\ny", "D=E": "f" };
  const all = options({ env, stage: { ...OPTIONS.stage, env: { Z: "1" } } });
  assertEquals(all.slice(all.indexOf("--setenv"), all.indexOf("--ro-bind")), [
    ...["--setenv", "A", ""],
    ...["--setenv", "B C", "x=\ny"],
    ...["--setenv", "D", "E=f"],
    ...["--setenv", "Z", "1"],
  ]);
});

Deno.test("a view is laid out from its root on, and closed at the end", () => {
  assertEquals(
    filesPart({
      view: {
        root: "empty",
        keptInPlace: [],
        mounts: [
          { kind: "link", path: "/bin", target: "usr/bin" },
          { kind: "bind", path: "/usr", writable: false },
          { kind: "emptyDirectory", path: "/usr/x", passable: true },
          { kind: "bind", path: "/usr/x/y", writable: true },
          { kind: "emptyDirectory", path: "/usr/x/y/z", passable: false },
          { kind: "emptyFile", path: "/usr/x/y/f" },
        ],
      },
    }),
    `--dev /dev --proc /proc --symlink usr/bin /bin ` +
      "--ro-bind /usr /usr " +
      "--perms 0111 --tmpfs /usr/x --bind /usr/x/y /usr/x/y --perms 0000 --tmpfs /usr/x/y/z " +
      "--perms 0000 --ro-bind-data 8 /usr/x/y/f --remount-ro /usr/x --remount-ro /usr/x/y/z --remount-ro / " +
      "--remount-ro /proc",
  );
});

for (
  const [root, expected] of [
    ["host", "--dev-bind / / --dev-bind /dev /dev --proc /proc --remount-ro /proc"],
    ["writable", `--bind / / --dev /dev --proc /proc --remount-ro /proc`],
    ["readOnly", `--ro-bind / / --dev /dev --proc /proc --remount-ro /proc`],
  ] as const
) {
  Deno.test(`a view on ${root}`, () => {
    assertEquals(filesPart({ view: { root, mounts: [], keptInPlace: [] } }), expected);
  });
}

Deno.test("the host's /proc is used where none of its own can be had, and only read", () => {
  const view = (root: "host" | "writable" | "readOnly") =>
    filesPart({ freshProc: false, view: { root, mounts: [], keptInPlace: [] } });
  assertEquals(view("readOnly"), `--ro-bind / / --dev /dev`);
  assertEquals(view("writable"), `--bind / / --dev /dev --ro-bind /proc /proc`);
  assertEquals(view("host"), "--dev-bind / / --dev-bind /dev /dev --ro-bind /proc /proc");
});

Deno.test("a NUL cannot add an option", () => {
  assertThrows(() => options({ env: { A: "x\0--bind\0/\0/" } }), UnwrappableError, "NUL");
  assertThrows(() => options({ cwd: "/\0" }), UnwrappableError, "NUL");
});

/** How many of so many denied files are regular files, and how many a device. */
function shownAs(denied: number, maxDescriptors: number): { regular: number; device: number } {
  const mounts = Array.from(
    { length: denied },
    (_, at) => ({ kind: "emptyFile", path: `/d/${at}` } as const),
  );
  const all = options({ view: { root: "readOnly", mounts, keptInPlace: [] }, maxDescriptors });
  const count = (word: string) => all.filter((one) => one === word).length;
  return { regular: count("--ro-bind-data"), device: count("/dev/null") };
}

Deno.test("denied files are regular files as far as there are descriptors and arguments", () => {
  assertEquals(shownAs(1000, 1024), { regular: 1000, device: 0 });
  assertEquals(shownAs(1000, 256), { regular: 232, device: 768 });
  const { regular, device } = shownAs(2500, 65_536);
  assertEquals(regular + device, 2500);
  assertEquals(regular > 700, true);
});

Deno.test("more than bubblewrap takes is refused", () => {
  const argv = Array.from({ length: 9001 }, () => "x");
  assertThrows(
    () => bubblewrapCall({ ...OPTIONS, stage: { ...OPTIONS.stage, argv } }),
    UnwrappableError,
    "more than bubblewrap takes",
  );
});
