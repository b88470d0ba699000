/**
 * A server's side of leases that are decided in a store: its book follows the store's log, and what
 * clients ask for is claimed there.
 *
 * While the store is away, nobody gets an address that is new, or one beyond the end that the store
 * has: who holds one is told what is left of it, others are asked to come back.
 *
 * @module
 */

import type { Now } from "../../net/clock.ts";
import type { Family, LeaseAddress } from "../address.ts";
import type { LeaseBook, LeaseGrant } from "./book.ts";
import { ClaimReader, shareName } from "./claim_reader.ts";
import type { LeaseClaim } from "./claims.ts";
import type { AskingPeer, LeaseSharing, SharedAnswers } from "./sharing.ts";
import type { LeaseAsk } from "./session.ts";
import { type StepClock, StepFailure, type Steps, tell } from "./steps.ts";

/** The most requests that a peer has answered at once. */
export const MOST_ASKS = 8;
/** So many addresses are tried for a peer that takes any. */
const MOST_TRIES = 8;
/** So many claims of others are read in a row before this server's own work goes on. */
const MOST_READS = 16;
/**
 * A wall clock that has gained so much, in seconds, shows that the host has slept: then its clock says
 * nothing of when leases end.
 */
const SLEPT = 2;
/** After so long, in seconds, nothing is claimed for a peer any more: it may ask another server now. */
const MOST_WAITED = 5;
/** Nobody is granted less, in seconds. */
const LEAST_LEFT = 1;
const FAMILIES: readonly Family[] = [4, 6];
const HINT = "until it is back, nobody gets a new address here, and no lease is prolonged";

/** A request of a peer. */
interface Asked {
  readonly publicKey: string;
  readonly askedAt: number;
  readonly ask: LeaseAsk;
}

/** Leases of one server, in common with others. */
export class SharedLeases implements LeaseSharing {
  readonly #book: LeaseBook;
  readonly #reader: ClaimReader;
  /** Why the store is not to be had; undefined where it is. */
  #fault: string | undefined;
  /** When it was there last. */
  #metAt: Now = { unix: 0, mono: 0 };
  /** What peers were told they have while the store was away, by peer and address. */
  readonly #told = new Map<string, LeaseClaim>();

  /** Makes it for a book that nobody else changes but by what its peers and settings are. */
  constructor(book: LeaseBook) {
    this.#book = book;
    this.#reader = new ClaimReader(book);
  }

  /** Whether the store is away. */
  get isAway(): boolean {
    return this.#fault !== undefined;
  }

  configured(): void {
    this.#reader.startAnew();
  }

  *follow(clock: StepClock): Steps {
    try {
      yield* this.#holdTold(clock);
      for (let reads = 0; reads < MOST_READS; reads++) {
        const { entries } = yield* this.#reader.exchange([], clock);
        // What was read is only known to be read by the next question.
        if (entries === 0) break;
      }
      yield* this.#met(clock.now);
    } catch (error) {
      yield* this.#failed(error);
    }
  }

  *decide(asking: ReadonlyMap<string, AskingPeer>, clock: StepClock): Steps<SharedAnswers> {
    const grants = new Map<LeaseAsk, LeaseGrant>();
    const late = new Set<string>();
    const all = Array.from(asking, ([publicKey, { session, bytes, askedAt }]) => {
      return { publicKey, session, askedAt, asks: session.asks(bytes, MOST_ASKS) };
    });
    for (let round = 0; round < MOST_ASKS; round++) {
      const asked = all.flatMap(({ publicKey, session, askedAt, asks }) => {
        const ask = asks[round];
        const isAsk = ask !== undefined && !(ask instanceof Uint8Array);
        return isAsk && session.mayAsk(clock.now) ? [{ publicKey, askedAt, ask }] : [];
      });
      if (asked.length > 0) yield* this.#grant(asked, grants, late, clock);
    }
    const answers = new Map(all.map((each) => [each.publicKey, each]));
    return (publicKey) => {
      const { session, asks } = answers.get(publicKey)!;
      const isOver = asks.some((ask) => {
        if (ask instanceof Uint8Array) return false;
        const endsAt = grants.get(ask)?.endsAt ?? Infinity;
        return endsAt - clock.now.mono < LEAST_LEFT;
      });
      return late.has(publicKey) || isOver ? undefined : session.answer(asks, grants, clock.now);
    };
  }

  /** @param late Gets peers that have to come back. */
  *#grant(
    asked: readonly Asked[],
    grants: Map<LeaseAsk, LeaseGrant>,
    late: Set<string>,
    clock: StepClock,
  ): Steps {
    let isSure = false;
    if (!this.isAway) {
      try {
        isSure = yield* this.#claim(asked, clock);
        yield* this.#met(clock.now);
      } catch (error) {
        yield* this.#failed(error);
      }
    }
    const isBlind = this.#isBlind(clock.now);
    for (const { publicKey, askedAt, ask } of asked) {
      if (clock.now.mono - askedAt > MOST_WAITED) {
        late.add(publicKey);
        continue;
      }
      const grant = this.#grantOf(publicKey, ask, clock.now);
      const hasSome = grant.ipv4 !== undefined || grant.ipv6 !== undefined;
      if (isBlind || (grant.refused && !hasSome && !isSure)) late.add(publicKey);
      grants.set(ask, grant);
      if (this.isAway) this.#tell(publicKey, grant);
      if (this.isAway) this.#release(publicKey, ask);
    }
  }

  /**
   * Claims what is asked for, and another address where one that will do is another's.
   *
   * @returns Whether the store has decided, so that what is not granted is refused.
   */
  *#claim(asked: readonly Asked[], clock: StepClock): Steps<boolean> {
    const book = this.#book;
    const refused = new Set<string>();
    /** What was decided, by request and family; and who has something that it can't have here. */
    const decided = new Map<LeaseAsk, Set<Family>>(asked.map(({ ask }) => [ask, new Set()]));
    const moves = new Set<string>();
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const claims: LeaseClaim[] = [];
      const claimed: {
        readonly asked: Asked;
        readonly family: Family;
        readonly claim: LeaseClaim;
      }[] = [];
      for (const each of asked) {
        const { publicKey, askedAt, ask } = each;
        if (book.owesTooMuch(publicKey) || clock.now.mono - askedAt > MOST_WAITED) continue;
        for (const family of FAMILIES) {
          if (decided.get(ask)!.has(family)) continue;
          const claim = this.#claimOf(publicKey, family, ask, {
            refused,
            moves: moves.has(`${publicKey} ${family}`),
          });
          if (claim === undefined) {
            decided.get(ask)!.add(family);
            continue;
          }
          claims.push(claim);
          claimed.push({ asked: each, family, claim });
          if (claim.kind !== "release") refused.add(shareName(claim.address));
        }
      }
      if (claims.length === 0) return true;
      const { logged, isYoung } = yield* this.#reader.exchange(claims, clock);
      for (const { asked: { publicKey, ask }, family, claim } of claimed) {
        const done = decided.get(ask)!;
        const wanted = wishOf(ask, family);
        const got = logged.get(`${publicKey} ${family}`);
        const held = book.heldBy(publicKey, family)?.cidr;
        if (claim.kind === "release" || wanted !== 0n) done.add(family);
        else if (got === undefined) {
          if (isYoung) return false;
        } else if (held === got) done.add(family);
        else moves.add(`${publicKey} ${family}`);
      }
      if (isYoung) return false;
    }
    return true;
  }

  /** What to claim for a wish; undefined where nothing can be had here. */
  #claimOf(
    publicKey: string,
    family: Family,
    ask: LeaseAsk,
    { refused, moves }: { readonly refused: ReadonlySet<string>; readonly moves: boolean },
  ): LeaseClaim | undefined {
    const book = this.#book;
    const wanted = wishOf(ask, family);
    if (wanted === undefined) {
      return { kind: "release", publicKey, address: { family, value: 0n }, time: 0 };
    }
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const value = book.candidate(publicKey, family, wanted);
      if (value === undefined) return undefined;
      const address = { family, value };
      const kind = wanted === 0n && !moves ? "any" : "exact";
      const isOwn = book.heldBy(publicKey, family)?.address.value === value;
      if (isOwn || wanted !== 0n || !refused.has(shareName(address))) {
        return { kind, publicKey, address, time: book.leaseTime };
      }
    }
    return undefined;
  }

  /** What a peer has of what it asks for. */
  #grantOf(publicKey: string, ask: LeaseAsk, { mono }: Now): LeaseGrant {
    let endsAt = Infinity;
    let refused = false;
    const [ipv4, ipv6] = FAMILIES.map((family) => {
      const wanted = wishOf(ask, family);
      if (wanted === undefined) return undefined;
      const held = this.#book.heldBy(publicKey, family);
      const isIt = held !== undefined && held.expiresAt - mono >= LEAST_LEFT &&
        (wanted === 0n || held.address.value === wanted);
      if (!isIt) {
        refused = true;
        return undefined;
      }
      endsAt = Math.min(endsAt, held.expiresAt);
      return held.address.value;
    });
    return { ipv4, ipv6, refused, endsAt };
  }

  /** Sees to it that what was told while the store was away stays true. */
  *#holdTold(clock: StepClock): Steps {
    let holds: LeaseClaim[] = [];
    while (this.#told.size > 0) {
      yield* this.#reader.exchange(holds, clock, false);
      for (const { publicKey, address } of holds) this.#told.delete(toldName(publicKey, address));
      holds = [...this.#told.values()].filter(({ publicKey, address: { family, value } }) =>
        this.#book.heldBy(publicKey, family)?.address.value !== value
      );
      if (holds.length === 0) this.#told.clear();
    }
  }

  #tell(publicKey: string, { ipv4, ipv6 }: LeaseGrant): void {
    for (const [family, value] of [[4, ipv4], [6, ipv6]] as const) {
      if (value === undefined) continue;
      const address = { family, value };
      this.#told.set(toldName(publicKey, address), { kind: "hold", publicKey, address, time: 0 });
    }
  }

  /**
   * What is given back while the store is away is off the device until that is back, and runs out: a
   * word that comes late could take what the peer has been told elsewhere meanwhile.
   */
  #release(publicKey: string, ask: LeaseAsk): void {
    for (const family of FAMILIES) {
      if (wishOf(ask, family) !== undefined) continue;
      const held = this.#book.heldBy(publicKey, family);
      if (held === undefined) continue;
      this.#book.drop(publicKey, held.address);
      // The others have it until its end, and so has the book once the store is back.
      this.#reader.startAnew();
    }
  }

  /** Whether nothing can be said of when leases end, or who has them. */
  #isBlind({ unix, mono }: Now): boolean {
    if (!this.#reader.hasScanned) return true;
    return this.isAway && unix - this.#metAt.unix - (mono - this.#metAt.mono) > SLEPT;
  }

  *#met(now: Now): Steps {
    this.#metAt = now;
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    yield tell("info", "lease-store-back", { leases: this.#book.count });
  }

  *#failed(error: unknown): Steps {
    if (!(error instanceof StepFailure)) throw error;
    const { message: why } = error;
    const isNew = this.#fault === undefined;
    this.#fault = why;
    if (isNew) yield tell("warn", "lease-store-away", { why, hint: HINT });
  }
}

function toldName(publicKey: string, address: LeaseAddress): string {
  return `${publicKey} ${shareName(address)}`;
}

function wishOf(ask: LeaseAsk, family: Family): bigint | undefined {
  return family === 4 ? ask.ipv4 : ask.ipv6;
}
