import { PathUri } from "../../src/protocol/path_uri.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** A temporary directory, with what tests of file operations ask of it. */
export class TestDirectory extends TemporaryDirectory {
  static create(): Promise<TestDirectory> {
    return Promise.resolve(new TestDirectory());
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

  /** The same as disposing of it, for owners that are disposed of asynchronously. */
  [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    return Promise.resolve();
  }
}
