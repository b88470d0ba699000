/**
 * Answers lease clients, many at once: what all of them ask for goes to the disk together, and to the
 * device together, before any of them is answered.
 *
 * @module
 */

import type { Counters } from "../../net/counters.ts";
import type { AskingPeer, LeaseSharing } from "./sharing.ts";
import type { LeaseDevice } from "./device.ts";
import type { LeaseReconciler } from "./reconciler.ts";
import type { LeaseRequest, LeaseVisitor } from "./request.ts";
import type { LeaseAnswer, LeaseSession } from "./session.ts";
import { GO_ON, type StepClock, type Steps } from "./steps.ts";

/** So many are answered together. */
export const MOST_TOGETHER = 128;
const NOTHING: LeaseAnswer = { bytes: new Uint8Array(0), close: false, refused: false };

/** What a group of requests works with. */
export interface RequestBatcherParts {
  readonly clock: StepClock;
  readonly counters: Counters;
  readonly device: LeaseDevice;
  readonly reconciler: LeaseReconciler;
  /** Who decides, where this server doesn't. */
  readonly sharing: LeaseSharing | undefined;
  /** The server's side of a new connection. */
  session(publicKey: string): LeaseSession;
}

/** The requests of all connections. */
export class RequestBatcher {
  readonly #parts: RequestBatcherParts;
  #waiting: LeaseRequest[] = [];
  /** When requests came, where that matters. */
  readonly #askedAt = new WeakMap<LeaseRequest, number>();

  constructor(parts: RequestBatcherParts) {
    this.#parts = parts;
  }

  /** Whether there is something to answer. */
  get isAsked(): boolean {
    return this.#waiting.length > 0;
  }

  /** Takes a request, which is answered with one of the next groups. */
  ask(request: LeaseRequest, mono: number): void {
    if (this.#parts.sharing !== undefined) this.#askedAt.set(request, mono);
    this.#waiting.push(request);
  }

  /** Answers a group. */
  *turn(): Steps {
    const group = this.#waiting.splice(0, MOST_TOGETHER);
    const late: LeaseRequest[] = [];
    const answers = new Map<LeaseRequest, LeaseAnswer>();
    try {
      yield* this.#answer(group, late, answers);
    } catch {
      // The device can't be read just now; the next look at it tells why.
      answers.clear();
    }
    this.#waiting = [...late, ...this.#waiting];
    const isLate = new Set(late);
    const answered = group.filter((request) => !isLate.has(request));
    yield {
      kind: "answer",
      answers: answered.map((request) => ({ request, answer: answers.get(request) })),
    };
  }

  /** @param late Gets those that have to wait for another of the same peer. */
  *#answer(
    group: readonly LeaseRequest[],
    late: LeaseRequest[],
    answers: Map<LeaseRequest, LeaseAnswer>,
  ): Steps {
    const { clock, counters, device, reconciler, sharing } = this.#parts;
    yield* device.meet(group.map(({ visitor }) => visitor.address));
    // One time for all: what one is granted must not end because another asks a little later.
    const { now } = clock;
    const asked = new Map<string, LeaseRequest>();
    const shared = new Map<string, AskingPeer>();
    for (const request of group) {
      const { visitor, bytes } = request;
      const known = this.#identify(visitor);
      if (known === undefined) continue;
      if (bytes.length === 0) {
        answers.set(request, NOTHING);
        continue;
      }
      // What one is told must be true when it is told, and not until another has asked.
      if (asked.has(known.publicKey)) {
        late.push(request);
        continue;
      }
      asked.set(known.publicKey, request);
      if (sharing !== undefined) {
        const askedAt = this.#askedAt.get(request) ?? -Infinity;
        shared.set(known.publicKey, { session: known.session, bytes, askedAt });
        continue;
      }
      try {
        answers.set(request, known.session.receive(bytes, now));
      } catch {
        // Then this one alone has no answer.
      }
      yield GO_ON;
    }
    const answerTo = sharing && (yield* sharing.decide(shared, clock));
    yield* reconciler.settle();
    // No answer before what it says is true.
    const unapplied = [...asked.keys()].filter((publicKey) => !reconciler.isApplied(publicKey));
    if (unapplied.length > 0) yield* reconciler.settleAgain(unapplied);
    for (const [publicKey, request] of asked) {
      const answer = answerTo?.(publicKey);
      if (answer !== undefined) answers.set(request, answer);
      const isTheirs = device.peers.at(request.visitor.address) === publicKey;
      if (!isTheirs || !reconciler.isApplied(publicKey)) answers.delete(request);
      else if ((answers.get(request)?.bytes.length ?? 0) > 0) counters.add("lease-answered");
    }
  }

  /** Who it is. An address can go to another peer while a connection lasts. */
  #identify(visitor: LeaseVisitor): LeaseVisitor["known"] {
    const publicKey = this.#parts.device.peers.at(visitor.address);
    if (publicKey !== undefined) {
      visitor.known ??= { publicKey, session: this.#parts.session(publicKey) };
    }
    if (publicKey !== undefined && visitor.known?.publicKey === publicKey) return visitor.known;
    this.#parts.counters.add("lease-stranger");
    return undefined;
  }
}
