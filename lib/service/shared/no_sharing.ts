/**
 * Stands in the place of `sharing_service.ts` and `lease_store.ts` in the binaries for routers, which
 * reach no store.
 *
 * @module
 */

/** There is none. */
export const SharingService = undefined;
/** There is none. */
export const SharedLeaseStore = undefined;
