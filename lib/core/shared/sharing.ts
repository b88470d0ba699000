/**
 * Shares a table with other registries: when to connect to the store, to read all that it has, to write
 * what has changed, and to follow what others change. Two connections are driven by it, since one waits
 * for news: {@linkcode Sharing.next} is what the one does, {@linkcode Sharing.follow} the other.
 *
 * ```
 *   away ──connect──► connecting ──► greeting ──► open: scan, write, forget, greet again
 *    ▲                    │             │           │
 *    └────── fault of the link: 1, 2, 4 … 30 s ─────┘
 * ```
 *
 * Whatever fails, the registry goes on from its memory. What was on its way counts as not written: to
 * write something twice changes nothing. All is read again where the store may have lost something, or
 * may have dropped changes before they were read here.
 *
 * It is a little longer than a file should be because what one connection learns decides what the other
 * one does.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import { Backoff } from "./backoff.ts";
import { OTHER_FORMAT, type StoreFault } from "./store_fault.ts";
import { Follower, type ReadPart, Scan } from "./reading.ts";
import type { StoreClock, WriteOutcome } from "./store.ts";
import {
  type FailedStep,
  type FollowStep,
  type SharedTable,
  type SharingNews,
  type SharingStep,
  STORE_FORMAT,
  type StoreFacts,
  type StoreState,
} from "./sharing_steps.ts";
import { Trouble, type TroubleNews } from "./trouble.ts";

/** Seconds between the beginnings of two writes: what changes meanwhile goes together. */
const GATHER = 0.01;
/** Seconds between two looks at whose store it is, and what time it has. */
const LOOK_INTERVAL = 15;
/** What goes together after the store was away is told of after so many seconds at the latest. */
const CATCH_UP = 30;

/** What has been done since the store is back. */
interface CatchUp {
  /** For how long it was away. */
  readonly seconds: number;
  readonly from: number;
  wrote: number;
  took: number;
}

/** The sharing of one table. */
export class Sharing {
  readonly #peers: SharedTable;
  readonly #groups: () => Iterable<number>;
  readonly #links: Backoff;
  readonly #writes: Backoff;
  readonly #trouble = { link: new Trouble(), writing: new Trouble() };
  readonly #news: SharingNews[] = [];
  #phase: "away" | "connecting" | "greeting" | "open" = "away";
  /** Counts the connections: what is told of a former one means nothing. */
  #link = 0;
  #greetAt = -Infinity;
  #startedAt: number;
  #changedAt: number;
  #storeId = "";
  #run = "";
  /** The store's clock less the monotonic one. */
  #offset = 0;
  #roundTrip: number | undefined;
  readonly #follower = new Follower();
  /** Up to where the stream was read when the store was last asked who it is. */
  #placeThen: string | undefined;
  #scan: Scan | undefined;
  #isComplete = false;
  #isScanNext = false;
  #isWriting = false;
  #wroteAt = -Infinity;
  #isBatchFull = false;
  /** What has been caught up on since the store is back; undefined where nothing has to be. */
  #catchUp: CatchUp | undefined;
  #fault: { readonly why: string; readonly at: number } | undefined;
  #isEvictionTold = false;
  #endAt = Infinity;
  /** Converts times; right from the first greeting on. */
  readonly clock: StoreClock = {
    toStore: (mono) => mono + this.#offset,
    toMono: (heard) => heard - this.#offset,
  };

  /**
   * @param groups The numbers of the groups that there are.
   * @param random From 0 up to 1, for the jitter of waits.
   */
  constructor(
    peers: SharedTable,
    groups: () => Iterable<number>,
    random: () => number,
    { mono }: Now,
  ) {
    this.#peers = peers;
    this.#groups = groups;
    this.#links = new Backoff(random);
    this.#writes = new Backoff(random);
    this.#startedAt = this.#changedAt = mono;
  }

  /** The number of the connections that are in use; another one means that they are to be closed. */
  get link(): number | undefined {
    return this.#phase === "away" ? undefined : this.#link;
  }

  /** Whether all that the store had was read: the table is as complete as it gets. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether the store is asked and answers. */
  get isConnected(): boolean {
    return this.#phase === "open";
  }

  /** Takes what is to be said. */
  fetchNews(): SharingNews[] {
    return this.#news.splice(0);
  }

  /** There is a group that there was not before: all is read again. */
  groupAdded(now: Now): void {
    if (this.#phase === "open") this.#scanAll(now);
  }

  /** Writes what there is to write, as far as that is done in so many seconds, and ends. */
  end(seconds: number, { mono }: Now): void {
    this.#endAt = mono + seconds;
  }

  /** How it is. */
  state({ mono }: Now): StoreState {
    const isConnected = this.#phase === "open";
    const isOver = isConnected && !this.#trouble.writing.isThere;
    const fault = this.#fault &&
      { why: this.#fault.why, age: Math.max(0, mono - this.#fault.at), isOver };
    return {
      isConnected,
      isComplete: this.#isComplete,
      since: Math.max(0, mono - this.#changedAt),
      behind: this.#peers.behind,
      roundTrip: this.#roundTrip,
      fault,
    };
  }

  /** What the connection that writes is to do next. */
  next(now: Now): SharingStep {
    this.#remind(now);
    const isEnding = this.#endAt < Infinity;
    if (now.mono >= this.#endAt) return { kind: "end" };
    switch (this.#phase) {
      case "away": {
        if (isEnding) return { kind: "end" };
        const wait = this.#links.until - now.mono;
        if (wait > 0) return { kind: "rest", seconds: wait };
        this.#phase = "connecting";
        return { kind: "connect", link: ++this.#link };
      }
      case "connecting":
        return isEnding ? { kind: "end" } : { kind: "rest", seconds: Infinity };
      case "greeting":
        return { kind: "greet", link: this.#link };
      case "open":
        return this.#nextOpen(now, isEnding);
    }
  }

  /** What the connection that reads is to do next. */
  follow(): FollowStep {
    const { place } = this.#follower;
    if (this.#phase !== "open" || place === undefined || this.#endAt < Infinity) {
      return { kind: "rest" };
    }
    return { kind: "read", link: this.#link, after: place };
  }

  /** Both connections are there. */
  connected(link: number): void {
    if (link === this.#link && this.#phase === "connecting") this.#phase = "greeting";
  }

  /** The store has said who it is. @param sentAt When it was asked, on the monotonic clock. */
  greeted(link: number, facts: StoreFacts, sentAt: number, now: Now): void {
    if (link !== this.#link || (this.#phase !== "greeting" && this.#phase !== "open")) return;
    if (facts.format !== STORE_FORMAT) return this.#lose(OTHER_FORMAT, now);
    this.#roundTrip = now.mono - sentAt;
    this.#offset = facts.time - (sentAt + now.mono) / 2;
    this.#greetAt = now.mono + LOOK_INTERVAL;
    const isSame = facts.id === this.#storeId && facts.run === this.#run && facts.run !== "";
    const isEmptied = this.#storeId !== "" && facts.id !== this.#storeId;
    this.#storeId = facts.id;
    this.#run = facts.run;
    if (isEmptied) this.#news.push({ event: "emptied" });
    if (facts.evicts && !this.#isEvictionTold) this.#news.push({ event: "evicts" });
    this.#isEvictionTold = facts.evicts;
    if (this.#phase === "greeting") {
      this.#opened(now);
      if (isSame && this.#follower.hasAll(facts, now.mono)) return;
    } else if (isSame || (!isEmptied && facts.run === "")) {
      const place = this.#placeThen;
      if (place === undefined || !this.#follower.isPast(facts, place)) return;
    }
    this.#follower.begin(facts, sentAt);
    this.#scanAll(now);
  }

  /**
   * A piece of a group was read, and what it had is taken over.
   *
   * @param cursor Where the next piece begins; 0 where there is none.
   * @param count How many peers it had.
   */
  scanned(link: number, cursor: string, count: number, now: Now): void {
    const scan = this.#scan;
    if (link !== this.#link || scan?.isBegun !== true) return;
    if (this.#catchUp !== undefined) this.#catchUp.took += count;
    const read = scan.read(cursor);
    if (read !== undefined) this.#peers.endScan(read);
    if (scan.next === undefined) this.#finishScan(now);
  }

  /**
   * What became of a write.
   *
   * @param outcome Undefined where the store is another one now, and nothing was written.
   */
  wrote(link: number, outcome: WriteOutcome | undefined, sentAt: number, now: Now): void {
    if (link !== this.#link || !this.#isWriting) return;
    this.#isWriting = false;
    this.#roundTrip = now.mono - sentAt;
    if (outcome === undefined) {
      this.#peers.lost();
      this.#greetAt = -Infinity;
      return;
    }
    const group = this.#peers.written(outcome.kept);
    // What was there before may have been taken out: nobody tells of that.
    if (outcome.wasEmpty && group !== undefined) this.#scanAgain(group);
    this.#writes.worked();
    if (this.#catchUp !== undefined) this.#catchUp.wrote += outcome.changed;
    this.#tell("writing", this.#trouble.writing.over(now.mono));
  }

  /** The store has forgotten what it was asked to. Where that fails, a later scan finds them again. */
  forgot(link: number, { mono }: Now): void {
    if (link !== this.#link) return;
    this.#writes.worked();
    this.#tell("writing", this.#trouble.writing.over(mono));
  }

  /** Changes were read and taken over. */
  read(link: number, part: ReadPart, now: Now): void {
    if (link !== this.#link || this.#phase !== "open") return;
    if (this.#catchUp !== undefined) this.#catchUp.took += part.count;
    if (this.#follower.read(part, this.clock, now.mono)) this.#scanAll(now);
  }

  /**
   * A step could not be done, or the connections have come to their end. Whatever was on its way counts
   * as not written.
   */
  failed(step: FailedStep, fault: StoreFault, now: Now): void {
    if (step.link !== this.#link || this.#phase === "away") return;
    this.#fault = { why: fault.why, at: now.mono };
    const writes = step.kind === "write" || step.kind === "forget";
    if (fault.scope === "link" || !writes) return this.#lose(fault, now);
    this.#giveBack();
    this.#writes.failed(now.mono);
    this.#tell("writing", this.#trouble.writing.begun(fault, now.mono));
    if (fault.scope !== "replica" || this.#writes.failures < 2) return;
    // Whoever is asked anew may find the one that takes something in.
    this.#links.hurry();
    this.#close(now);
  }

  #nextOpen(now: Now, isEnding: boolean): SharingStep {
    const link = this.#link;
    const writesIn = this.#peers.isDirty ? this.#writesIn(now) : Infinity;
    if (isEnding && writesIn > GATHER) return { kind: "end" };
    if (now.mono >= this.#greetAt) {
      this.#greetAt = now.mono + LOOK_INTERVAL;
      this.#placeThen = this.#follower.place;
      return { kind: "greet", link };
    }
    const scan = isEnding ? undefined : this.#scan;
    const write = writesIn > 0 || (scan !== undefined && this.#isScanNext)
      ? undefined
      : this.#peers.take(this.clock, now);
    if (write !== undefined) {
      this.#isScanNext = true;
      this.#isWriting = true;
      this.#wroteAt = now.mono;
      this.#isBatchFull = this.#peers.isDirty;
      return { kind: "write", link, id: this.#storeId, write };
    }
    const piece = scan?.next;
    if (scan !== undefined && piece !== undefined) {
      this.#isScanNext = false;
      if (scan.begin()) this.#peers.beginScan(piece.group);
      return { kind: "scan", link, ...piece };
    }
    if (this.#peers.hasGone && now.mono >= this.#writes.until) {
      const gone = this.#peers.takeGone(this.clock, now);
      if (gone !== undefined) return { kind: "forget", link, gone };
    }
    this.#settle(now);
    // There may be more to look through, in a turn of its own.
    const forgetsIn = this.#peers.hasGone ? this.#writes.until - now.mono : Infinity;
    const wait = Math.min(this.#greetAt - now.mono, writesIn, forgetsIn);
    return { kind: "rest", seconds: Math.max(0, wait) };
  }

  /** In how many seconds the next write may begin. */
  #writesIn({ mono }: Now): number {
    // Where more waits than goes into one, nothing more has to be gathered.
    const gathered = this.#isBatchFull ? -Infinity : this.#wroteAt + GATHER;
    return Math.max(gathered, this.#writes.until) - mono;
  }

  #scanAgain(group: number): void {
    this.#scan ??= new Scan([]);
    this.#scan.add(group);
  }

  #scanAll(now: Now): void {
    this.#scan = new Scan(this.#groups());
    if (this.#scan.next === undefined) this.#finishScan(now);
  }

  #finishScan({ mono }: Now): void {
    this.#scan = undefined;
    if (this.#isComplete) return;
    this.#isComplete = true;
    this.#catchUp = undefined;
    this.#trouble.link.over(mono);
    this.#news.push({ event: "connected", seconds: mono - this.#startedAt });
  }

  #opened(now: Now): void {
    this.#phase = "open";
    this.#links.worked();
    const seconds = this.#trouble.link.secondsAt(now.mono);
    if (this.#trouble.link.isThere) this.#catchUp = { seconds, from: now.mono, wrote: 0, took: 0 };
    this.#changedAt = now.mono;
  }

  /** Once all has been read and written, that is said where somebody was told of trouble. */
  #settle({ mono }: Now): void {
    const caught = this.#catchUp;
    if (caught === undefined || this.#scan !== undefined) return;
    if (this.#peers.isDirty && mono - caught.from < CATCH_UP) return;
    this.#catchUp = undefined;
    this.#trouble.link.over(mono);
    const { seconds, wrote, took } = caught;
    this.#news.push({ event: "back", seconds, wrote, took });
  }

  #lose(fault: StoreFault, now: Now): void {
    this.#links.failed(now.mono);
    if (fault.isOfData === true) this.#follower.place = undefined;
    this.#tell("link", this.#trouble.link.begun(fault, now.mono));
    this.#close(now);
  }

  #close(now: Now): void {
    this.#giveBack();
    if (this.#phase === "open") this.#changedAt = now.mono;
    this.#phase = "away";
    // A scan begins anew: what was read may have changed since.
    if (this.#scan !== undefined) this.#follower.place = undefined;
    this.#scan = undefined;
  }

  #giveBack(): void {
    if (!this.#isWriting) return;
    this.#isWriting = false;
    this.#peers.lost();
  }

  #remind({ mono }: Now): void {
    for (const kind of ["link", "writing"] as const) {
      this.#tell(kind, this.#trouble[kind].remind(mono));
    }
  }

  #tell(of: "link" | "writing", news: TroubleNews | undefined): void {
    if (news !== undefined) this.#news.push({ of, ...news });
  }
}
