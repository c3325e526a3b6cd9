import type { FileView } from "./file_view.ts";
import type { Placeholders } from "./placeholders.ts";

/** A view, everything in which stays mountable until it is released. */
export interface HeldView {
  readonly view: FileView;
  /** Once is enough. */
  release(): void;
}

/**
 * Keeps in place what a view needs. What is missing and can never be made needs no mount.
 *
 * @throws {RpcError} -32603 if something cannot be kept in place
 */
export function holdInPlace(view: FileView, placeholders: Placeholders): HeldView {
  const held: string[] = [];
  const release = () => {
    for (const path of held.splice(0)) placeholders.release(path);
  };
  const impossible = new Set<string>();
  try {
    for (const path of view.keptInPlace) {
      const outcome = placeholders.hold(path);
      if (outcome === "held") held.push(path);
      if (outcome === "impossible") impossible.add(path);
    }
  } catch (error) {
    release();
    throw error;
  }
  const mounts = view.mounts.filter(({ path }) => !impossible.has(path));
  return { view: { ...view, mounts }, release };
}
