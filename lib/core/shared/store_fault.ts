/**
 * What can be wrong with a store, what it means, and how it is mended.
 *
 * @module
 */

/** What went wrong at the store. */
export interface StoreFault {
  /**
   * `link`: the connection is of no use any more. `writing`: it can be read, and nothing can be written.
   * `replica`: the same, and another server may be the one to be asked.
   */
  readonly scope: "link" | "writing" | "replica";
  /** In words. */
  readonly why: string;
  /** How it is mended, where that can be said. */
  readonly hint?: string | undefined;
  /** Whether what it has can't be used: when that is mended, all is read again. */
  readonly isOfData?: boolean;
}

const MEMORY = "give it more memory (maxmemory), or take other data out of it; it must not evict " +
  "(maxmemory-policy noeviction)";

/** What the store's user has to be allowed. A rule counts over those before it: `info` is dangerous. */
export const STORE_RIGHTS =
  "+@read +@write +@scripting +@connection -@dangerous +info +time ~{wgsig}:*";

/** By the word that an error of the store begins with. */
const FAULTS: Readonly<Record<string, StoreFault>> = {
  OOM: { scope: "writing", why: "the store is full", hint: MEMORY },
  READONLY: {
    scope: "replica",
    why: "the store is a replica, and takes nothing in",
    hint: "name the primary, or its sentinels (redis+sentinel://)",
  },
  MISCONF: {
    scope: "writing",
    why: "the store can't save to its disk, and takes nothing in",
    hint: "see the store's log: its disk is full, perhaps",
  },
  NOREPLICAS: {
    scope: "writing",
    why: "the store has fewer replicas than it wants, and takes nothing in",
    hint: "see min-replicas-to-write there",
  },
  BUSY: { scope: "writing", why: "the store is busy with a script", hint: "see its slow log" },
  NOPERM: {
    scope: "writing",
    why: "the store's user may not do what is needed",
    hint: `let it do ${STORE_RIGHTS}`,
  },
  LOADING: { scope: "link", why: "the store is loading its data" },
  MASTERDOWN: { scope: "link", why: "the store is a replica that has lost its primary" },
  CLUSTERDOWN: { scope: "link", why: "the store's cluster is down" },
  TRYAGAIN: { scope: "link", why: "the store's cluster is being changed" },
  // Who asks anew finds the one that has the keys now.
  MOVED: { scope: "link", why: "another server of the store's cluster has the data now" },
  ASK: { scope: "link", why: "the store's cluster is being changed" },
  UNBLOCKED: { scope: "link", why: "the store has become a replica" },
  NOAUTH: {
    scope: "link",
    why: "the store wants a password",
    hint: "name the file that has it with --store-password-file",
  },
  WRONGPASS: {
    scope: "link",
    why: "the store refuses the user or the password",
    hint: "see --store-user and --store-password-file",
  },
  DENIED: {
    scope: "link",
    why: "the store lets nobody in from elsewhere without a password (protected mode)",
    hint: "give it a password (requirepass, or ACL)",
  },
  NOSCRIPT: { scope: "link", why: "the store has forgotten a script" },
  WRONGTYPE: {
    scope: "link",
    why: "a key of the store is something else's",
    isOfData: true,
    hint: "give wgsig a database of its own: redis://HOST/N",
  },
};

/** Of a store that is a later release's. */
export const OTHER_FORMAT: StoreFault = {
  scope: "link",
  why: "the store's data are of a later release",
  hint: "update this one",
};

/** What a script is told whose user may not do what is in it, up to Redis 7.0 and since. */
const FORBIDDEN = /\bThe user executing the script can't\b|\bACL failure in script\b/;

/** Bytes of what a store says that are shown. */
const MAX_SHOWN = 160;

/** What an error of the store means: its text begins with a word in capitals. */
export function replyFault(text: string): StoreFault {
  const [, word = ""] = /^-?([A-Z]+)\b/.exec(text) ?? [];
  // A script that fails says so before what it is.
  const inner = /\b(OOM|READONLY|MISCONF|NOREPLICAS|NOPERM|WRONGTYPE)\b/.exec(text)?.[1];
  const meant = FORBIDDEN.test(text) ? "NOPERM" : inner;
  const known = FAULTS[word] ?? (meant === undefined ? undefined : FAULTS[meant]);
  if (known !== undefined) return known;
  const shown = text.replaceAll(/\p{Cc}+/gu, " ").slice(0, MAX_SHOWN);
  return { scope: "writing", why: `the store says: ${shown}` };
}

/** What the end of a connection means. @param why In words. */
export function linkFault(why: string, hint?: string): StoreFault {
  return { scope: "link", why, hint };
}
