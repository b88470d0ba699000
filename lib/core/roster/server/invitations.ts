/**
 * Invitations: what the links of a registry stand for.
 *
 * One that is open reserves its name and its addresses. What is over, be it used, ended or revoked, is
 * remembered for 30 days, so that whoever comes late is told so.
 *
 * @module
 */

import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { Primitives } from "../../../wire/crypto/primitives.ts";
import { deriveTokenKeys, TOKEN_KEYS_SIZE } from "../../../wire/wgsig2/join_keys.ts";
import type { TunnelPrefix } from "../../../wire/wgsig2/name.ts";
import { formatKey } from "../../net/peer_key.ts";
import { UserError } from "../../settings/user_error.ts";
import type { InvitationState } from "../requests.ts";

/** The most invitations of a registry, with those that are over and remembered. */
export const MAX_INVITATIONS = 4096;
/** What is over is remembered for so long, in seconds. */
export const REMEMBERED = 30 * 86_400;
/** What is over for so long is looked for so often, in seconds. */
const EXPIRY_INTERVAL = 3600;
const TAG = TOKEN_KEYS_SIZE - 4;

/** Who has used an invitation. */
export interface Joiner {
  /** Its public key, 32 bytes. */
  readonly key: Uint8Array;
  /** Its own addresses in the tunnel, with the lengths of their networks. */
  readonly addresses: readonly TunnelPrefix[];
}

/** An invitation. It never changes: another one comes in its place. */
export interface Invitation {
  /** 16 bytes; whoever has it can join. */
  readonly token: Uint8Array;
  /** GROUP. */
  readonly group: number;
  /** The name of the first that joins; the next ones are `NAME-2`, and so on. */
  readonly name: string;
  /** The own addresses of the first that joins, with the lengths of their networks. */
  readonly addresses: readonly TunnelPrefix[];
  /** What else its AllowedIPs are. */
  readonly prefixes: readonly TunnelPrefix[];
  /** How many keys may use it, 1 to 100. */
  readonly uses: number;
  /** Until when, in Unix seconds. */
  readonly endsAt: number;
  /** When it was revoked, in Unix seconds. */
  readonly revokedAt: number | undefined;
  /** Who has used it. */
  readonly joiners: readonly Joiner[];
}

/** Whether it can be used now, and why not. */
export function stateOf(
  { revokedAt, joiners, uses, endsAt }: Invitation,
  unix: number,
): InvitationState {
  if (revokedAt !== undefined) return "revoked";
  if (joiners.length >= uses) return "used";
  return unix < endsAt ? "open" : "ended";
}

/** Told of each change. */
export interface InvitationKeeper {
  /** One is new, or another than before. */
  changed(invitation: Invitation): void;
  /** One is not remembered any more. */
  forgotten(token: Uint8Array): void;
}

interface Kept {
  invitation: Invitation;
  /** What its token makes: 36 bytes. */
  readonly keys: WireBuffer;
}

/** The invitations of a registry. */
export class Invitations {
  /** Told of changes, where something is kept. */
  keeper: InvitationKeeper | undefined;
  readonly #serverKey: Uint8Array;
  readonly #primitives: Primitives;
  /** By token, in hexadecimal digits; in the order in which they were made. */
  readonly #kept = new Map<string, Kept>();
  readonly #byTag = new Map<number, Kept[]>();
  #expiredAt = -Infinity;

  /** There are none. @param serverKey Public S of the registry, 32 bytes: a token means something with it alone. */
  constructor(serverKey: Uint8Array, primitives: Primitives) {
    this.#serverKey = serverKey;
    this.#primitives = primitives;
  }

  /** How many there are, with those that are over. */
  get count(): number {
    return this.#kept.size;
  }

  /** All, or those of a group. */
  list(group?: number): Invitation[] {
    const all = Array.from(this.#kept.values(), ({ invitation }) => invitation);
    return group === undefined ? all : all.filter((each) => each.group === group);
  }

  /** The open one of this name. */
  openNamed(group: number, name: string, unix: number): Invitation | undefined {
    return this.open(group, unix).find((each) => each.name === name);
  }

  /** Those of a group that can be used. */
  open(group: number, unix: number): Invitation[] {
    return this.list(group).filter((each) => stateOf(each, unix) === "open");
  }

  /** Calls `visit` with those that have this TAG, and with where what their token makes is kept. */
  find(tag: number, visit: (invitation: Invitation, keys: WireBuffer) => boolean): void {
    for (const { invitation, keys } of this.#byTag.get(tag) ?? []) {
      if (visit(invitation, keys)) return;
    }
  }

  /** Whether one has this TAG. */
  hasTag(tag: number): boolean {
    return this.#byTag.has(tag);
  }

  /**
   * Takes in a new one.
   *
   * @throws {UserError} If there is no room.
   */
  add(invitation: Invitation, unix: number): void {
    // A clock that went back counts as one that went on.
    if (!(Math.abs(unix - this.#expiredAt) < EXPIRY_INTERVAL)) this.expire(unix);
    if (this.#kept.size >= MAX_INVITATIONS && !this.#dropOldest(unix)) {
      throw new UserError(
        `${MAX_INVITATIONS} invitations are open, and there can be no more: revoke some of them`,
      );
    }
    this.restore(invitation);
    this.keeper?.changed(invitation);
  }

  /** Puts one in the place of the one with the same token. */
  replace(invitation: Invitation): void {
    this.restore(invitation);
    this.keeper?.changed(invitation);
  }

  /** Revokes one: its link is of no use any more. */
  revoke(invitation: Invitation, unix: number): void {
    this.replace({ ...invitation, revokedAt: unix });
  }

  /** Takes over one that was kept. What was kept last counts. */
  restore(invitation: Invitation): void {
    const text = formatToken(invitation.token);
    const known = this.#kept.get(text);
    if (known !== undefined) {
      known.invitation = invitation;
      return;
    }
    if (this.#kept.size >= MAX_INVITATIONS) return;
    const keys = new WireBuffer(TOKEN_KEYS_SIZE);
    deriveTokenKeys(invitation.token, this.#serverKey, keys, 0, this.#primitives);
    const kept = { invitation, keys };
    this.#kept.set(text, kept);
    const tag = keys.view.getUint32(TAG);
    const others = this.#byTag.get(tag);
    if (others === undefined) this.#byTag.set(tag, [kept]);
    else others.push(kept);
  }

  /** Forgets one. */
  forget(token: Uint8Array): void {
    const text = formatToken(token);
    const kept = this.#kept.get(text);
    if (kept === undefined) return;
    this.#kept.delete(text);
    const tag = kept.keys.view.getUint32(TAG);
    const others = (this.#byTag.get(tag) ?? []).filter((each) => each !== kept);
    if (others.length === 0) this.#byTag.delete(tag);
    else this.#byTag.set(tag, others);
    kept.keys.bytes.fill(0);
  }

  /** Forgets those that are over for long enough. */
  expire(unix: number): void {
    this.#expiredAt = unix;
    for (const { invitation } of [...this.#kept.values()]) {
      if (unix - overAt(invitation) > REMEMBERED) this.#drop(invitation);
    }
  }

  /** Forgets the one that was made first of those that are over. Returns whether there was one. */
  #dropOldest(unix: number): boolean {
    for (const { invitation } of this.#kept.values()) {
      if (stateOf(invitation, unix) === "open") continue;
      this.#drop(invitation);
      return true;
    }
    return false;
  }

  #drop({ token }: Invitation): void {
    this.forget(token);
    this.keeper?.forgotten(token);
  }
}

/** When it is over at the latest. */
function overAt({ revokedAt, endsAt }: Invitation): number {
  return Math.min(revokedAt ?? Infinity, endsAt);
}

/** The text of a token: 32 hexadecimal digits. */
export function formatToken(token: Uint8Array): string {
  return Array.from(token, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The one of its joiners that has this key. */
export function joinerOf({ joiners }: Invitation, key: Uint8Array): Joiner | undefined {
  const text = formatKey(key);
  return joiners.find((each) => formatKey(each.key) === text);
}
