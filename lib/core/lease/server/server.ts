/**
 * A lease server: what it does next, of all that it is asked for and has to see to.
 *
 * The caller loops over {@linkcode LeaseServer.next}: it does each step and says what came of it. One
 * thing is done after the other: a look at the device every two seconds, requests in groups, and what
 * is to be done with many peers in pieces between these.
 *
 * ```
 *            ┌───────────── look ─────────────┐           ┌──────────── turn ────────────┐
 *  every 2 s │ read the device, reserve,      │ requests  │ know who asks, grant, save,  │
 *  settings  │ take back what ended, save,    │           │ change the device, save,     │
 *            │ set the interface up, listen   │           │ answer                       │
 *            └───────────────┬────────────────┘           └──────────────────────────────┘
 *                            │ more to take back or to mend
 *                            ▼
 *                          tidy, a piece at a time
 * ```
 *
 * @module
 */

import type { Now } from "../../net/clock.ts";
import type { Counters } from "../../net/counters.ts";
import type { LeaseBook } from "./book.ts";
import { LeaseBudgets } from "./budget.ts";
import { bookOptions, type LeaseServerConfig } from "./config.ts";
import type { LeaseSharing } from "./sharing.ts";
import { LeaseDevice } from "./device.ts";
import { LeaseListening } from "./listening.ts";
import { LeaseNewsSource } from "./news_source.ts";
import { LeaseReconciler } from "./reconciler.ts";
import type { LeaseRequest } from "./request.ts";
import { RequestBatcher } from "./request_batcher.ts";
import { LeaseSession } from "./session.ts";
import {
  type LeaseServerResult,
  type LeaseServerStep,
  SAVE,
  StepFailure,
  type Steps,
  wordsOf,
} from "./steps.ts";

/** Seconds from one look at the device to the next. */
const WATCH = 2;
/** So many leases of each family are taken back with a look where there is no device. */
const MOST_EXPIRED = 1024;

const END: LeaseServerStep = { kind: "end" };
const DONE: LeaseServerResult = { kind: "done" };

/** What a lease server works with. */
export interface LeaseServerParts {
  /** The name of the WireGuard interface. */
  readonly interface: string;
  readonly config: LeaseServerConfig;
  /** What is leased; its options are those of `config`. */
  readonly book: LeaseBook;
  readonly counters: Counters;
  /** Where leases are shared with other servers. */
  readonly sharing?: LeaseSharing | undefined;
}

/** `watch` is a look that is followed by another. */
type Job = "watch" | "look" | "follow" | "tidy" | "turn";

/** One server. */
export class LeaseServer {
  readonly #book: LeaseBook;
  readonly #clock = { now: { unix: 0, mono: 0 } };
  readonly #device: LeaseDevice;
  readonly #reconciler: LeaseReconciler;
  readonly #batcher: RequestBatcher;
  readonly #listening: LeaseListening;
  readonly #sharing: LeaseSharing | undefined;
  #config: LeaseServerConfig;
  /** What is to be done, each at most once; in order. */
  readonly #jobs = new Set<Job>(["watch"]);
  /** What is being done. */
  #work: Steps | undefined;
  #result: LeaseServerResult = DONE;
  /** When to look next, where that is not to be done already. */
  #watchAt = Infinity;
  #isRestored = false;
  /** Whether what may be leased is what the settings say. */
  #isConfigured = true;
  #hasLooked = false;
  #ended = false;

  /** Makes it; it will look at the device first. */
  constructor({ interface: name, config, book, counters, sharing }: LeaseServerParts) {
    const clock = this.#clock;
    const device = new LeaseDevice(clock);
    const reconciler = new LeaseReconciler(book, device, clock, sharing !== undefined);
    const budgets = new LeaseBudgets();
    const news = new LeaseNewsSource(book, device.peers);
    this.#config = config;
    this.#book = book;
    this.#device = device;
    this.#sharing = sharing;
    this.#reconciler = reconciler;
    this.#batcher = new RequestBatcher({
      clock,
      counters,
      device,
      reconciler,
      sharing,
      session: (key) =>
        new LeaseSession(key, book, () => news.newsFor(key, this.#config.routes), budgets),
    });
    this.#listening = new LeaseListening(name, device.peers, book);
  }

  /** Whether the first look at the device is over. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  /** Takes a request, which has come at this time. It is answered, unless all ends before. */
  ask(request: LeaseRequest, { mono }: Now): void {
    this.#batcher.ask(request, mono);
    this.#jobs.add("turn");
  }

  /** Takes other settings over. */
  configure(config: LeaseServerConfig): void {
    this.#config = config;
    this.#reconciler.configured();
    this.#isConfigured = false;
    this.#jobs.add("look");
  }

  /** Says that other servers have changed leases: they are looked at before the next look. */
  changedElsewhere(): void {
    if (this.#hasLooked) this.#jobs.add("follow");
  }

  /** What has begun is done, and nothing else any more. Leases stay what they are. */
  end(): void {
    this.#ended = true;
    this.#listening.end();
  }

  /** Says what to do. What it returned before is done, or {@linkcode told} to have failed. */
  next(now: Now): LeaseServerStep {
    this.#clock.now = now;
    for (;;) {
      const result = this.#result;
      this.#result = DONE;
      const step = this.#goOn(result);
      if (step !== undefined) return step;
      if (this.#ended) return END;
      if (this.#watchAt <= now.mono) {
        this.#watchAt = Infinity;
        this.#jobs.add("watch");
      }
      // Others have come meanwhile, or had to wait for another of the same peer.
      if (this.#batcher.isAsked) this.#jobs.add("turn");
      const [job] = this.#jobs;
      if (job === undefined) return { kind: "wait", until: this.#watchAt };
      this.#jobs.delete(job);
      this.#work = this.#do(job);
    }
  }

  /** Says what came of what {@linkcode next} returned. */
  told(result: LeaseServerResult, now: Now): void {
    this.#clock.now = now;
    this.#result = result;
  }

  /** Goes on with what is being done; returns its next step, or undefined where nothing is. */
  #goOn(result: LeaseServerResult): LeaseServerStep | undefined {
    if (this.#work === undefined) return undefined;
    const { done, value } = result.kind === "failed"
      ? this.#work.throw(new StepFailure(result.why, result.code))
      : this.#work.next(result);
    if (!done) return value;
    this.#work = undefined;
    return undefined;
  }

  *#do(job: Job): Steps {
    switch (job) {
      case "watch":
        yield* this.#orWait(this.#look());
        this.#hasLooked = true;
        this.#watchAt = this.#clock.now.mono + WATCH;
        return;
      case "look":
        return yield* this.#orWait(this.#look());
      case "follow":
        yield* this.#follow();
        return yield* this.#orWait(this.#tidy());
      case "tidy":
        return yield* this.#orWait(this.#tidy());
      case "turn":
        return yield* this.#batcher.turn();
    }
  }

  /** Where something can't be done, nobody is listened to until the next look. */
  *#orWait(work: Steps): Steps {
    try {
      yield* work;
    } catch (error) {
      yield* this.#listening.wait(wordsOf(error));
    }
  }

  *#look(): Steps {
    if (!(yield* this.#device.read())) {
      // Also where nobody can be told, what has ended has ended.
      this.#book.expire(this.#clock.now.mono, MOST_EXPIRED);
      // Others wait for what is given back to be known here.
      if (this.#isRestored) yield* this.#follow();
      return yield* this.#listening.wait("there is no such interface yet");
    }
    yield* this.#restore();
    yield* this.#follow();
    yield* this.#reconciler.reserve(
      this.#config.pools,
      (ranges) => bookOptions(this.#config, ranges),
    );
    if (!this.#isConfigured) {
      this.#isConfigured = true;
      // What others have may be something for here now.
      this.#sharing?.configured();
      yield* this.#follow();
    }
    this.#reconciler.beginToMend();
    yield* this.#tidy();
    // Renewals need not be saved before they are answered.
    yield SAVE;
    yield* this.#listening.setUp(this.#config.configure);
  }

  *#follow(): Steps {
    if (this.#sharing !== undefined) yield* this.#sharing.follow(this.#clock);
  }

  /** Where no file was named, one that is the interface's own. */
  *#restore(): Steps {
    const { publicKey } = this.#device.peers;
    if (this.#isRestored || publicKey === undefined) return;
    this.#isRestored = true;
    yield { kind: "restore", publicKey };
  }

  /** What is to be done with many peers is done in pieces, between which requests are answered. */
  *#tidy(): Steps {
    if (this.#ended) return;
    if (yield* this.#reconciler.tidy(this.#clock.now.mono)) this.#jobs.add("tidy");
  }
}
