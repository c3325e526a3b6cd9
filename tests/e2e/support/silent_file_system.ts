import { join } from "node:path";
import type { LaunchOptions } from "./executor.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/**
 * Mounts a FUSE file system at argv[1], whose server takes part in the first exchange and then says
 * nothing, in a mount namespace of its own; becomes the program that follows. The server lives
 * until there is a file argv[2], or that program has ended.
 */
const LAUNCHER = `
import ctypes, os, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
def succeed(result):
    if result != 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
succeed(libc.unshare(CLONE_NEWNS))
succeed(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
succeed(libc.mount(b"silent", sys.argv[1].encode(), b"fuse", 0, options))
program = os.getpid()
if os.fork() == 0:
    unique = struct.unpack("<IIQ", os.read(fuse, 1 << 16)[:16])[2]
    init = struct.pack("<IIIIHHII", 7, 23, 65536, 0, 12, 9, 65536, 1) + bytes(32)
    os.write(fuse, struct.pack("<IiQ", 16 + len(init), 0, unique) + init)
    while os.getppid() == program and not os.path.exists(sys.argv[2]): time.sleep(0.02)
    os._exit(0)
os.close(fuse)
os.execv(sys.argv[3], sys.argv[3:])
`;

/** Whether a program here can be shown such a file system. */
export const canMountSilentFileSystem: boolean = Deno.build.os === "linux" && Deno.uid() === 0 &&
  new Deno.Command("/usr/bin/python3", {
    args: ["-c", LAUNCHER, "/mnt", "/", "/bin/true"],
    stderr: "null",
  }).outputSync().success;

/** A directory that is a file system which does not answer, for the program that is launched. */
export class SilentFileSystem implements Disposable {
  readonly #directory = new TemporaryDirectory();
  /** Where it is mounted; for all others this is an empty directory. */
  readonly path: string = join(this.#directory.path, "silent");

  constructor() {
    Deno.mkdirSync(this.path);
  }

  /** How to run a program that has it. */
  launch(): LaunchOptions {
    return { launcher: ["/usr/bin/python3", "-c", LAUNCHER, this.path, this.#released] };
  }

  /** Ends its server: who has waited for an answer gets an error. */
  release(): void {
    Deno.writeTextFileSync(this.#released, "");
  }

  get #released(): string {
    return join(this.#directory.path, "released");
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}
