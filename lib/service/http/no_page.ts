/**
 * Stands in the place of `page.ts` in the binaries for routers, which have no room for a page.
 *
 * @module
 */

/** There is none. */
export function makePage(): undefined {
  return undefined;
}
