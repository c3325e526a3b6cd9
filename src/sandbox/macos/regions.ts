import { type Access, type Grant, grantFor } from "../grants.ts";

/** A tree in which something is allowed, but for some trees in it. */
export interface Region {
  readonly root: string;
  /** The uppermost paths below the root where it is not allowed. */
  readonly except: readonly Grant[];
}

/**
 * Divides the disk for one right. Seatbelt allows whole trees: one that has the right again inside
 * of an exception is a region of its own, so that grants nest at any depth.
 *
 * @param grants one for a path, each after those above it
 * @param allows which kinds of access include the right
 */
export function regionsOf(
  grants: readonly Grant[],
  allows: (access: Access) => boolean,
): Region[] {
  const regions = new Map<string, { root: string; except: Grant[] }>();
  /** The region that the paths of a grant belong to, by the grant's path. */
  const regionAt = new Map<string, { root: string; except: Grant[] }>();
  for (const [index, grant] of grants.entries()) {
    const above = grantFor(grants.slice(0, index), grant.path);
    const around = above && regionAt.get(above.path);
    if (allows(grant.access)) {
      const region = around ?? { root: grant.path, except: [] };
      regions.set(region.root, region);
      regionAt.set(grant.path, region);
    } else if (around !== undefined) {
      around.except.push(grant);
    }
  }
  return [...regions.values()];
}
