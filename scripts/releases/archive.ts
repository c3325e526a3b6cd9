import { packTar, type TarEntry } from "modern-tar";

/** A file of an archive. */
export interface ArchivedFile {
  /** Its path below the archive's own directory. */
  readonly name: string;
  readonly content: Uint8Array;
  readonly executable?: boolean;
}

/**
 * A gzipped tar archive of one directory. The same files give the same bytes: names are sorted, and
 * times, owners and modes do not depend on where it is made.
 */
export async function archiveOf(
  directory: string,
  files: readonly ArchivedFile[],
  changed: Date,
): Promise<Uint8Array<ArrayBuffer>> {
  const shared = { mtime: changed, uid: 0, gid: 0, uname: "root", gname: "root" };
  const folders = new Set([
    "",
    ...files.map(({ name }) => name).filter((name) => name.includes("/"))
      .map((name) => name.slice(0, name.lastIndexOf("/") + 1)),
  ]);
  const entries: TarEntry[] = [
    ...Array.from(folders, (name): TarEntry => ({
      header: { name: `${directory}/${name}`, type: "directory", size: 0, mode: 0o755, ...shared },
    })),
    ...files.map(({ name, content, executable = false }): TarEntry => ({
      header: {
        name: `${directory}/${name}`,
        type: "file",
        size: content.length,
        mode: executable ? 0o755 : 0o644,
        ...shared,
      },
      body: content,
    })),
  ];
  const sorted = entries.toSorted((left, right) => left.header.name < right.header.name ? -1 : 1);
  const tar = await packTar(sorted);
  // Its header has no time (RFC 1952, section 2.3.1).
  const zipped = new Blob([tar]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(zipped).arrayBuffer());
}
