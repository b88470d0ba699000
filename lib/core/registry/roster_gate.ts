/**
 * The rosters of a registry where they meet its groups: who joins, who asks, who follows, and whose
 * record goes when its key is refused.
 *
 * @module
 */

import { DATAGRAM } from "../../wire/wgsig2/datagram.ts";
import type { Now } from "../net/clock.ts";
import type { DatagramBatch, ReplyBatch } from "../net/datagram_batch.ts";
import type { Rosters } from "../roster/server/rosters.ts";
import type { RegistryGroup } from "./group.ts";
import type { JoinDesk, JoinReply, WaitingJoin } from "./join_desk.ts";
import type { Outcome } from "./outcome.ts";
import type { RosterTeller } from "./roster_teller.ts";

/** Takes what is about rosters. */
export class RosterGate {
  /** The rosters. */
  readonly rosters: Rosters;
  readonly #joins: JoinDesk;
  readonly #teller: RosterTeller;
  readonly #groups: ReadonlyMap<number, RegistryGroup>;
  /** Groups in which somebody may not stay any more. */
  readonly #stale = new Set<number>();

  /** Has followers of the groups told of what changes from now on. */
  constructor(
    rosters: Rosters,
    joins: JoinDesk,
    teller: RosterTeller,
    groups: ReadonlyMap<number, RegistryGroup>,
  ) {
    this.rosters = rosters;
    this.#joins = joins;
    this.#teller = teller;
    this.#groups = groups;
    const changed = (group: number) => groups.get(group)?.members.directory?.log.advance();
    rosters.keep({
      changed,
      gone: (group) => {
        changed(group);
        this.#stale.add(group);
      },
      revoked: (group) => {
        this.#stale.add(group);
      },
      networks: () => {},
    });
  }

  /** Takes datagram `i` of the batch, which is of this type, and no question. */
  take(
    type: number,
    batch: DatagramBatch,
    i: number,
    socket: number,
    now: Now,
    replies: ReplyBatch,
  ): Outcome {
    if (type === DATAGRAM.join) return this.#joins.take(this.#groups, batch, i, socket, now);
    if (type === DATAGRAM.rosterQuestion) {
      return this.#teller.take(this.#groups, batch, i, now, replies);
    }
    return "other";
  }

  /** The joins that were taken in: each is told once what has changed is on the disk. */
  fetchJoins(): readonly WaitingJoin[] {
    return this.#joins.fetch();
  }

  /**
   * What is said to a join that was fetched.
   *
   * @param isSaved Whether what has changed is on the disk.
   */
  answerJoin(join: WaitingJoin, isSaved: boolean, now: Now): JoinReply {
    return this.#joins.answer(join, isSaved, this.#groups, now);
  }

  /** Removes at once who may not stay after a roster was changed: subscribers are told. */
  settle({ mono }: Now): void {
    for (const id of this.#stale) this.#groups.get(id)?.keepAllowed(mono);
    this.#stale.clear();
  }
}
