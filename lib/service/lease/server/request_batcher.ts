/**
 * Answers lease clients, many at once: what all of them ask for goes to the disk together, and to the
 * device together, before any of them is answered.
 *
 * @module
 */

import type { Counters } from "../../../core/net/counters.ts";
import type { LeaseAnswer, LeaseSession } from "../../../core/lease/server/session.ts";
import type { Now } from "../../../core/net/clock.ts";
import type { Clock } from "../../../host/clock.ts";
import type { LeaseDevice } from "./device.ts";
import type { LeaseReconciler } from "./reconciler.ts";
import { TimeSlicer } from "../time_slicer.ts";

/** So many are answered together. */
const MOST_TOGETHER = 128;
const NOTHING: LeaseAnswer = { bytes: new Uint8Array(0), close: false, refused: false };

/** Who has a connection. */
export interface LeaseVisitor {
  /** The other end's address. */
  readonly address: string;
  /** Who it was found to be. */
  known: { readonly publicKey: string; readonly session: LeaseSession } | undefined;
}

/** What a group of requests works with. */
export interface RequestBatcherParts {
  readonly host: Clock;
  readonly counters: Counters;
  readonly device: LeaseDevice;
  readonly reconciler: LeaseReconciler;
  /** The server's side of a new connection. */
  session(publicKey: string): LeaseSession;
  /** Does work after all that was queued before, or nothing where all has ended. Never fails. */
  queue(work: () => Promise<void>): void;
  now(): Now;
}

interface Request {
  readonly visitor: LeaseVisitor;
  readonly bytes: Uint8Array;
  readonly done: (answer: LeaseAnswer | undefined) => void;
}

/** The requests of all connections. */
export class RequestBatcher {
  readonly #parts: RequestBatcherParts;
  #waiting: Request[] = [];
  #isQueued = false;

  constructor(parts: RequestBatcherParts) {
    this.#parts = parts;
  }

  /** See `RequestHandler`. */
  ask(visitor: LeaseVisitor, bytes: Uint8Array): Promise<LeaseAnswer | undefined> {
    return new Promise((done) => {
      this.#waiting.push({ visitor, bytes, done });
      this.#queue();
    });
  }

  #queue(): void {
    if (this.#isQueued || this.#waiting.length === 0) return;
    this.#isQueued = true;
    this.#parts.queue(() => this.#turn());
  }

  async #turn(): Promise<void> {
    const group = this.#waiting.splice(0, MOST_TOGETHER);
    const late: Request[] = [];
    const answers = new Map<Request, LeaseAnswer>();
    try {
      await this.#answer(group, late, answers);
    } catch {
      // The device can't be read just now; the service tells why.
      answers.clear();
    }
    this.#waiting = [...late, ...this.#waiting];
    this.#isQueued = false;
    this.#queue();
    const isLate = new Set(late);
    for (const request of group) {
      if (!isLate.has(request)) request.done(answers.get(request));
    }
  }

  /** @param late Gets those that have to wait for another of the same peer. */
  async #answer(
    group: readonly Request[],
    late: Request[],
    answers: Map<Request, LeaseAnswer>,
  ): Promise<void> {
    const { host, device, reconciler, now } = this.#parts;
    await device.meet(group.map(({ visitor }) => visitor.address));
    const asked = new Map<string, Request>();
    const slicer = new TimeSlicer(host);
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
      answers.set(request, known.session.receive(bytes, now()));
      if (slicer.isOver) await slicer.rest();
    }
    await reconciler.settle();
    // No answer before what it says is true.
    const unapplied = [...asked.keys()].filter((publicKey) => !reconciler.isApplied(publicKey));
    if (unapplied.length > 0) await reconciler.settleAgain(unapplied);
    for (const [publicKey, request] of asked) {
      const isTheirs = device.peers.at(request.visitor.address) === publicKey;
      if (!isTheirs || !reconciler.isApplied(publicKey)) answers.delete(request);
      else if (answers.get(request)!.bytes.length > 0) this.#parts.counters.add("lease-answered");
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
