/**
 * What an interface has from rosters: that alone is ever taken back.
 *
 * It is kept in a note in the run folder, which goes when the host is restarted, as the interface does;
 * and which doesn't count for an interface that was made anew.
 *
 * @module
 */

import { parseKey } from "../../net/peer_key.ts";
import { isCidr } from "../../net/ip_prefix.ts";

/** What one peer has. */
export interface GivenPeer {
  /** Whether the peer itself was added: else it was there, and was given AllowedIPs alone. */
  readonly isWhole: boolean;
  /** By prefix, as `wg` shows it: the key of the entry that has it, which is another where a hub is given it. */
  readonly allowedIps: ReadonlyMap<string, string>;
}

/** What all have. */
export interface Given {
  /** By public key, in base64. */
  readonly peers: ReadonlyMap<string, GivenPeer>;
  /** The prefixes to which routes were set. */
  readonly routes: ReadonlySet<string>;
}

/** Nothing. */
export const NOTHING_GIVEN: Given = { peers: new Map(), routes: new Set() };

/** The most bytes that a note has. */
export const MAX_GIVEN_SIZE: number = 8 * 1024 * 1024;
const VERSION = 1;

/**
 * Writes a note.
 *
 * @param index The system's number of the interface, another one whenever it is made anew; undefined
 *   where it has none.
 */
export function formatGiven({ peers, routes }: Given, index: number | undefined): string {
  const shown = {
    version: VERSION,
    index: index ?? null,
    peers: [...peers].map(([key, { isWhole, allowedIps }]) => [key, isWhole, [...allowedIps]]),
    routes: [...routes],
  };
  return `${JSON.stringify(shown)}\n`;
}

/** Reads a note; nothing where it is none, or about an interface before. */
export function parseGiven(text: string, index: number | undefined): Given {
  let note: unknown;
  try {
    note = JSON.parse(text);
  } catch {
    return NOTHING_GIVEN;
  }
  if (!isRecord(note) || note.version !== VERSION || note.index !== (index ?? null)) {
    return NOTHING_GIVEN;
  }
  const peers = new Map<string, GivenPeer>();
  for (const peer of listOf(note.peers)) {
    const [key, isWhole, ips] = listOf(peer);
    if (!isKey(key) || typeof isWhole !== "boolean") continue;
    const allowedIps = new Map<string, string>();
    for (const each of listOf(ips)) {
      const [prefix, source] = listOf(each);
      if (typeof prefix === "string" && isCidr(prefix) && isKey(source)) {
        allowedIps.set(prefix, source);
      }
    }
    peers.set(key, { isWhole, allowedIps });
  }
  const isPrefix = (each: unknown): each is string => typeof each === "string" && isCidr(each);
  return { peers, routes: new Set(listOf(note.routes).filter(isPrefix)) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isKey(value: unknown): value is string {
  return typeof value === "string" && parseKey(value) !== undefined;
}
