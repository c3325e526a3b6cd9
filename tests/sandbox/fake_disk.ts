import type { Disk } from "../../src/sandbox/disk.ts";

/** Something that a test pretends to be on the disk. */
export type FakeEntry =
  | "directory"
  | "other"
  | "unreachable"
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly link: string };

/** A disk with these absolute paths and the directories above them. */
export function fakeDisk(entries: Readonly<Record<string, FakeEntry>>): Disk {
  const all = new Map<string, FakeEntry>([["/", "directory"]]);
  for (const [path, entry] of Object.entries(entries)) {
    const names = path.split("/").slice(1);
    for (let length = 1; length < names.length; length++) {
      const above = `/${names.slice(0, length).join("/")}`;
      if (!all.has(above)) all.set(above, "directory");
    }
    all.set(path, entry);
  }
  const disk: Disk = {
    kindOf(path) {
      const entry = all.get(path);
      if (entry === undefined) return "missing";
      if (typeof entry === "string") return entry;
      return "link" in entry ? "link" : "file";
    },
    readLink(path) {
      const entry = all.get(path);
      return typeof entry === "object" && "link" in entry ? entry.link : "";
    },
    readStart(path) {
      const entry = all.get(path);
      return typeof entry === "object" && "text" in entry ? entry.text : "";
    },
    versionOf: () => undefined,
    readWhole(path) {
      const entry = all.get(path);
      if (typeof entry !== "object" || "link" in entry) return undefined;
      return "bytes" in entry ? entry.bytes : new TextEncoder().encode(entry.text);
    },
    list(directory) {
      const start = directory === "/" ? "/" : `${directory}/`;
      return [...all.keys()]
        .filter((path) => path !== "/" && path.startsWith(start))
        .map((path) => path.slice(start.length))
        .filter((name) => name !== "" && !name.includes("/"))
        .map((name) => ({ name, kind: disk.kindOf(start + name) }));
    },
  };
  return disk;
}
