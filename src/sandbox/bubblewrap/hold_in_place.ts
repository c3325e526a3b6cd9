import type { FileView } from "./file_view.ts";
import { type PlaceholderObserver, Placeholders } from "./placeholders.ts";

/** A view, everything in which stays mountable until it is released. */
export interface HeldView {
  readonly view: FileView;
  /** Once is enough. */
  release(): void;
}

/** All commands of this program share them: the last to need one removes it. */
const placeholders = new Placeholders();

/**
 * Keeps in place what a view needs. What is missing and can never be made needs no mount.
 *
 * @throws {RpcError} -32603 if something cannot be kept in place
 */
export function holdInPlace(view: FileView): HeldView {
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

/** Tells what has to be removed if this program is killed. */
export function observePlaceholders(observer: PlaceholderObserver | undefined): void {
  placeholders.observer = observer;
}

/** Releases what all commands hold, none of which runs any more, before this program ends. */
export function releaseAllHeld(): void {
  placeholders.releaseAll();
}
