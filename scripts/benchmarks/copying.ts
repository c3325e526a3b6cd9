import { SshHost } from "../../tests/e2e/remote_hosts/support/ssh_host.ts";
import { TemporaryDirectory } from "../../tests/support/temporary_directory.ts";
import { quantile } from "./statistics.ts";

/** What is copied; issue sizes unless told otherwise. */
export interface CopyingSizes {
  /** Of the large file, in MiB. */
  readonly largeMiB: number;
  readonly smallFiles: number;
  /** How often each is copied; the figures are medians. */
  readonly rounds: number;
}

const SMALL_BYTES = 10_000;

/** A program that copies to and from a host. */
interface Program {
  readonly name: string;
  /** The command that copies; one of the two is on the host. */
  readonly command: (from: string, to: string) => readonly string[];
}

/**
 * Measures `remex cp` beside scp and rsync, all through the same OpenSSH server on the loopback
 * address, in turn: a large file and a directory of small ones, there and back.
 *
 * @param binary the program, which has to be REMEX_BIN too
 */
export async function* measureCopying(
  binary: string,
  { largeMiB, smallFiles, rounds }: CopyingSizes,
): AsyncGenerator<readonly string[]> {
  await using host = await SshHost.start({
    prepared: true,
    settings: ["Subsystem sftp internal-sftp"],
  });
  using directory = new TemporaryDirectory();
  const { path } = directory;
  await writeRandom(`${path}/large`, largeMiB * 1024 * 1024);
  for (let number = 0; number < smallFiles; number++) {
    const content = crypto.getRandomValues(new Uint8Array(SMALL_BYTES));
    const name = `${path}/small/${Math.floor(number / 100)}/${number}`;
    if (number % 100 === 0) {
      await Deno.mkdir(name.slice(0, name.lastIndexOf("/")), { recursive: true });
    }
    await Deno.writeFile(name, content);
  }
  const ssh = host.sshCommand;
  const programs: readonly Program[] = [
    { name: "remex cp", command: (from, to) => [binary, "cp", "--ssh-command", ssh, from, to] },
    {
      name: "scp -rp",
      command: (from, to) => ["scp", "-qrp", ...ssh.split(" ").slice(1), from, to],
    },
    { name: "rsync -a", command: (from, to) => ["rsync", "-a", "-e", ssh, from, to] },
  ];
  yield ["", ...programs.map(({ name }) => name)];
  yield ["---", ...programs.map(() => "---")];
  // What starts an executor and fills caches is none of the copy's time.
  await run(programs[0]?.command("/etc/hostname", "there:") ?? []);
  for (const what of ["large", "small"]) {
    const label = what === "large" ? `${largeMiB} MiB` : `${smallFiles} files of 10 kB`;
    for (const way of ["there", "back"]) {
      const samples = programs.map((): number[] => []);
      for (let round = 0; round < rounds; round++) {
        for (const [index, program] of programs.entries()) {
          const [from, to] = way === "there"
            ? [`${path}/${what}`, `there:${host.home}/`]
            : [`there:${host.home}/${what}`, `${path}/back/`];
          const target = way === "there" ? `${host.home}/${what}` : `${path}/back`;
          await Deno.remove(target, { recursive: true }).catch(() => {});
          if (way === "back") await Deno.mkdir(target);
          const begun = performance.now();
          await run(program.command(from, to));
          samples[index]?.push(performance.now() - begun);
        }
      }
      yield [
        `${label}, ${way}`,
        ...samples.map((one) => `${(quantile(one, 0.5) / 1000).toFixed(2)} s`),
      ];
    }
  }
}

async function writeRandom(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  for (let left = bytes; left > 0; left -= 65536) {
    await file.write(crypto.getRandomValues(new Uint8Array(Math.min(left, 65536))));
  }
}

async function run([program = "", ...args]: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stderr: "piped" }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}
