/**
 * Stands in the place of `signing_keys.ts` and `zone_signers.ts` in the binaries for routers, which
 * sign no zones.
 *
 * @module
 */

/** There is none. */
export const SigningKeyFiles = undefined;
/** There is none. */
export const ZoneSigners = undefined;
