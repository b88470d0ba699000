/**
 * The number of no place: what a table or an index returns where there is nothing.
 *
 * @module
 */

/** No peer, no key, no list. */
export const NONE: number = -1;
