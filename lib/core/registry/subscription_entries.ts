/**
 * What is kept of subscriptions over a restart. The last word on a peer counts.
 *
 * ```
 * part "subs": GROUP (u32), per entry:
 *   peer ID (32) | flags (u8), 1: its question was proved, 2: it was sealed with a former secret,
 *   4: it follows the roster | how many are wanted (u8), 255: everybody | socket (u16) | port (u16) | 0 (u16) | COUNTER (u32)
 *   | address (16) | NONCE (24) | the first 8 bytes of each key that is wanted
 * ```
 *
 * Port 0: it has ended. No COUNTER above that was used; NONCE is that of the question that has begun it.
 *
 * It costs what changes: a question that renews a subscription writes nothing. So nobody knows after a
 * restart whether a client is still there, and it is pushed to a few times at most until it asks. As
 * EPOCH is another one by then, it asks when that happens, and is told everything.
 *
 * @module
 */

import { copyBytes, type WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { LONG_NONCE_SIZE } from "../../wire/crypto/aead_key.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { PREFIX_SIZE } from "../../wire/wgsig2/option.ts";
import { MAX_PREFIXES } from "../../wire/wgsig2/question.ts";
import { ADDRESS_SIZE } from "../net/ip_address.ts";
import { NONE } from "../net/none.ts";
import type { EntryFormat } from "./group_entries.ts";

/** Offset of the flags. */
export const SUBSCRIPTION_FLAGS: number = ID_SIZE;
/** Offset of how many are wanted. */
export const SUBSCRIPTION_WANTS: number = SUBSCRIPTION_FLAGS + 1;
/** Offset of the number of the socket. */
export const SUBSCRIPTION_SOCKET: number = SUBSCRIPTION_FLAGS + 2;
/** Offset of the port. */
export const SUBSCRIPTION_PORT: number = SUBSCRIPTION_FLAGS + 4;
/** Offset of COUNTER. */
export const SUBSCRIPTION_COUNTER: number = SUBSCRIPTION_FLAGS + 8;
/** Offset of the address. */
export const SUBSCRIPTION_ADDRESS: number = SUBSCRIPTION_COUNTER + 4;
/** Offset of NONCE. */
export const SUBSCRIPTION_NONCE: number = SUBSCRIPTION_ADDRESS + ADDRESS_SIZE;
/** Offset of whom it wants, and the least size of an entry, in bytes. */
export const SUBSCRIPTION_LIST: number = SUBSCRIPTION_NONCE + LONG_NONCE_SIZE;
/** The flags. */
export const SUBSCRIPTION_FLAG = { proved: 1, formerSecret: 2, follows: 4 } as const;
/** What stands for everybody where those that are wanted are counted. */
export const WANTS_ALL = 255;
const MAX_SOCKET = 0xffff;

/** The size of the entry at `at`, in bytes. */
export function subscriptionSize({ bytes }: WireBuffer, at: number): number {
  const wants = bytes[at + SUBSCRIPTION_WANTS]!;
  return SUBSCRIPTION_LIST + (wants === WANTS_ALL ? 0 : wants * PREFIX_SIZE);
}

/** Subscriptions of peers in the directory of their group. */
export const SUBSCRIPTION_ENTRIES: EntryFormat = {
  mostSize: SUBSCRIPTION_LIST + MAX_PREFIXES * PREFIX_SIZE,
  write({ members, questionKeys }, peer, to, at) {
    const { directory } = members;
    if (directory === undefined) return 0;
    const { subscriptions } = directory.pushes;
    const subscription = subscriptions.of(peer);
    // It has ended meanwhile: that is another change.
    if (subscription === NONE) return 0;
    const keys = subscriptions.keysOf(subscription);
    const secret = keys === undefined ? -1 : questionKeys.indexOf(keys);
    const socket = subscriptions.socketOf(subscription);
    if (secret < 0 || socket > MAX_SOCKET) return 0;
    const { proved, formerSecret, follows } = SUBSCRIPTION_FLAG;
    const wants = subscriptions.wantsOf(subscription);
    const { bytes, view } = to;
    const from = subscriptions.sourceAt(subscription);
    const nonceAt = subscriptions.nonceAt(subscription);
    copyBytes(directory.ids, directory.idAt(peer), to, at, ID_SIZE);
    bytes[at + SUBSCRIPTION_FLAGS] = (subscriptions.isProved(subscription) ? proved : 0) |
      (secret > 0 ? formerSecret : 0) |
      (subscriptions.roster[subscription] === Infinity ? 0 : follows);
    bytes[at + SUBSCRIPTION_WANTS] = wants.isGiven ? wants.count : WANTS_ALL;
    view.setUint16(at + SUBSCRIPTION_SOCKET, socket);
    view.setUint16(at + SUBSCRIPTION_PORT, subscriptions.portOf(subscription));
    view.setUint32(at + SUBSCRIPTION_COUNTER, subscriptions.reserveCounters(subscription));
    copyBytes(subscriptions.sources, from, to, at + SUBSCRIPTION_ADDRESS, ADDRESS_SIZE);
    copyBytes(subscriptions.begun, nonceAt, to, at + SUBSCRIPTION_NONCE, LONG_NONCE_SIZE);
    copyBytes(wants.bytes, 0, to, at + SUBSCRIPTION_LIST, wants.count * PREFIX_SIZE);
    members.subscriptionChanges?.saved(peer, 0);
    return subscriptionSize(to, at);
  },
  writeRemoved(id, to, at) {
    to.bytes.set(id, at);
    return SUBSCRIPTION_LIST;
  },
};
