import { dirname, join } from "node:path";

/** A directory that is removed with all it holds when it is disposed of. */
export class TemporaryDirectory implements Disposable {
  /** Absolute, without links. */
  readonly path: string = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "remex-test-" }));

  /** Writes a file, and the directories that lead to it. Returns its path. */
  write(name: string, content: string, mode = 0o644): string {
    const path = join(this.path, name);
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeTextFileSync(path, content);
    Deno.chmodSync(path, mode);
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
