/**
 * Process ids of the commands started here and not yet reaped.
 *
 * A program that adopts orphans has other children too; these are the ones with an owner.
 */
export const ownChildren: Set<number> = new Set();
