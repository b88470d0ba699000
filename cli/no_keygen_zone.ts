/**
 * Stands in the place of `keygen_zone.ts` in the binaries for routers, which sign no zones.
 *
 * @module
 */

/** There is none. */
export const runKeygenZone = undefined;
/** There is none. */
export const runKeygenDs = undefined;
