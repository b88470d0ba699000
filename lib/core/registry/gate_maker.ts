/**
 * Makes what takes joins and questions about rosters. It is loaded only where rosters are kept: a router
 * has no memory for it otherwise.
 *
 * @module
 */

import type { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { Primitives } from "../../wire/crypto/primitives.ts";
import type { Counters } from "../net/counters.ts";
import { drawSeed, type NonceSource, type RandomSource } from "../net/random.ts";
import type { Rosters } from "../roster/server/rosters.ts";
import type { RegistryGroup } from "./group.ts";
import { JoinDesk } from "./join_desk.ts";
import type { ReplySlots } from "./reply_slots.ts";
import { RosterGate } from "./roster_gate.ts";
import { RosterTeller } from "./roster_teller.ts";

/** What a registry gives to it. */
export interface GateParts {
  /** By GROUP. */
  readonly groups: ReadonlyMap<number, RegistryGroup>;
  /** What it counts. */
  readonly counters: Counters;
  /** Where answers are written. */
  readonly slots: ReplySlots;
  /** Nonces of 24 bytes. */
  readonly nonces: NonceSource;
}

/** Makes it for a registry. */
export type GateMaker = (parts: GateParts) => RosterGate;

/**
 * What makes it.
 *
 * @param serverKey S.
 * @param random Fills an array with bytes that nobody can guess.
 */
export function gateMaker(
  rosters: Rosters,
  serverKey: ExchangeKey,
  primitives: Primitives,
  random: RandomSource,
): GateMaker {
  return ({ groups, counters, slots, nonces }) => {
    const joins = new JoinDesk(rosters, serverKey, primitives, random, counters);
    const teller = new RosterTeller(slots, nonces, counters, drawSeed(random));
    return new RosterGate(rosters, joins, teller, groups);
  };
}
