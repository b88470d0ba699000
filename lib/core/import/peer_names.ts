/**
 * Names of peers, from the comments that people and scripts leave around `[Peer]`.
 *
 * ```
 * # bob                       before [Peer], in it, or behind one of its lines
 * # BEGIN_PEER bob            ### Client bob        ### begin bob ###
 * # Client: bob (1b9d6bcd)    # Name: bob           # friendly_name = bob
 * ```
 *
 * @module
 */

import { printable } from "./imported.ts";

/** The longest name, in characters: what is longer is a sentence. */
const MAX_NAME = 63;
/** What is longer isn't looked at. */
const MAX_COMMENT = 200;
const FRIENDLY = /^friendly_name\s*=\s*(.+)$/i;
const SCRIPTS: readonly RegExp[] = [
  /^#\s*BEGIN_PEER\s+(.+)$/,
  /^###\s*Client\s+(.+)$/i,
  /^###\s*begin\s+(.+?)\s*###$/i,
  /^#+\s*Client:\s*(.+?)(?:\s*\([\w-]+\))?$/i,
  /^#+\s*(?:Name|Peer):\s*(.+)$/i,
];
/** What is no name: the end of a peer, a line that is switched off, or what this program writes itself. */
const NO_NAME = /^#+\s*(?:END_PEER\b|end\s.*###$|Seen \d+ s ago|\w+\s*:\s*not (?:known|given)|$)/i;
/** What may be a key must never become a name. */
const KEY_LIKE = /[A-Za-z0-9+/]{42}|[0-9A-Fa-f]{64}/;

/** The name that a comment gives, which begins with `#`; undefined where it gives none. */
export function nameOf(comment: string): string | undefined {
  if (comment.length > MAX_COMMENT) return undefined;
  const text = printable(comment).trim();
  const [, friendly] = FRIENDLY.exec(text.replace(/^#+\s*/, "")) ?? [];
  if (friendly !== undefined) return checked(friendly);
  if (NO_NAME.test(text) || text.includes("=") || /^#+\s*\[/.test(text)) return undefined;
  for (const form of SCRIPTS) {
    const [, name] = form.exec(text) ?? [];
    if (name !== undefined) return checked(name);
  }
  return checked(text.replace(/^#+|#+$/g, ""));
}

/** Whether a comment says outright that it is a name. */
export function isFriendly(comment: string): boolean {
  return comment.length <= MAX_COMMENT &&
    FRIENDLY.test(printable(comment).trim().replace(/^#+\s*/, ""));
}

/** The first name that some comments give. */
export function firstName(texts: readonly string[]): string | undefined {
  for (const text of texts) {
    const name = nameOf(text);
    if (name !== undefined) return name;
  }
  return undefined;
}

function checked(text: string): string | undefined {
  const name = text.trim().replace(/\s+/g, " ");
  return name === "" || [...name].length > MAX_NAME || KEY_LIKE.test(name) ? undefined : name;
}
