/**
 * The words of requests to whoever keeps rosters.
 *
 * @module
 */

/** Those that change something. */
export const CHANGING_WORDS = ["invite", "add", "wg-conf", "rename", "forget", "revoke"] as const;
/** A request's word. */
export type DeskWord = "list" | (typeof CHANGING_WORDS)[number];
/** All of them. */
export const DESK_WORDS: readonly DeskWord[] = ["list", ...CHANGING_WORDS];
