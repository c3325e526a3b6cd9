import { PathUri } from "../../src/protocol/path_uri.ts";

/** A directory of a test's own, gone when the test is over. */
export class TestDirectory implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async create(): Promise<TestDirectory> {
    return new TestDirectory(await Deno.realPath(await Deno.makeTempDir()));
  }

  /** The native path of something in it. */
  at(name: string): string {
    return `${this.path}/${name}`;
  }

  /** The URI of something in it. */
  uri(name: string): string {
    return PathUri.fromNativePath(this.at(name)).toString();
  }

  /** Creates files, and the directories they are in. */
  async fill(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(this.at(name.replace(/[^/]*$/, "")), { recursive: true });
      await Deno.writeTextFile(this.at(name), text);
    }
  }

  text(name: string): Promise<string> {
    return Deno.readTextFile(this.at(name));
  }

  /** The names in it, or in a directory below, sorted; hidden ones, too. */
  async names(directory = "."): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.at(directory))) names.push(name);
    return names.sort();
  }

  /** What this program holds open in it, on Linux: a removed file's path ends in " (deleted)". */
  openFiles(): string[] {
    const open: string[] = [];
    for (const { name } of Deno.readDirSync("/proc/self/fd")) {
      try {
        const path = Deno.readLinkSync(`/proc/self/fd/${name}`);
        if (path.startsWith(`${this.path}/`)) open.push(path);
      } catch {
        // The list's own, closed by now.
      }
    }
    return open;
  }

  async makeFifo(name: string): Promise<void> {
    const { success } = await new Deno.Command("mkfifo", { args: [this.at(name)] }).output();
    if (!success) throw new Error("mkfifo failed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
