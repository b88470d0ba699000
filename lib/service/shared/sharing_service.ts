/**
 * Shares the registry's peers with other registries, by a store: the driver of a {@linkcode Sharing}.
 *
 * @module
 */

import { formatStorePlace } from "../../core/net/store_place.ts";
import { SCAN_BEGIN } from "../../core/shared/reading.ts";
import { SharedPeers } from "../../core/shared/peers.ts";
import type { SharedPeer } from "../../core/shared/store.ts";
import { Sharing } from "../../core/shared/sharing.ts";
import type { FailedStep, FollowStep, SharingStep } from "../../core/shared/sharing_steps.ts";
import type { StoreFault } from "../../core/shared/store_fault.ts";
import type { Registry } from "../../core/registry/registry.ts";
import { elapsed, measured } from "../../core/status/rounded.ts";
import type { StoreReport } from "../../core/status/serve_report.ts";
import { pause } from "../../host/clock.ts";
import { StoreKey } from "../../wire/shared/store_key.ts";
import type { ExchangeKey } from "../../wire/crypto/exchange_key.ts";
import type { ServiceContext } from "../context.ts";
import { TimeSlicer } from "../time_slicer.ts";
import { readStoreFiles } from "../files/store_files.ts";
import type { SharedStoreConfig } from "./config.ts";
import { Pieces } from "./pieces.ts";
import { SharingLog } from "./sharing_log.ts";
import { StoreCalls } from "./store_calls.ts";
import { type StartNotices, type WaitEnd, waitForStore } from "./store_wait.ts";
import { closeLink, openLink, storeFault, type StoreHost, type StoreLink } from "./store_link.ts";

/** What has changed goes to the store at the end, in so many seconds at most. */
const LAST_WRITES = 2;
/** Names what chance gives, from 0 up to 1. */
const SEEDS = 2 ** 53;

/** Something that waits, and what wakes it. */
class Waiter {
  #wake: (() => void) | undefined;
  #isWoken = false;

  /** Waits for {@linkcode wake}, which may have been called since the last time. */
  async wait(context: ServiceContext, seconds: number): Promise<void> {
    if (!this.#isWoken && seconds > 0) {
      await new Promise<void>((done) => {
        const cancel = seconds === Infinity ? () => {} : context.host.after(seconds, done);
        this.#wake = () => {
          cancel();
          done();
        };
      });
      this.#wake = undefined;
    } else if (!this.#isWoken) await pause(context.host, 0);
    this.#isWoken = false;
  }

  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }
}

/** Says what is wrong with the files that a store is reached with. @throws {UserError} Something is. */
export async function checkStoreFiles(host: StoreHost, config: SharedStoreConfig): Promise<void> {
  await readStoreFiles(host, config);
}

/** Shares the peers of one registry. */
export class SharingService {
  readonly #context: ServiceContext;
  readonly #config: SharedStoreConfig;
  readonly #registry: Registry;
  #groups: ReadonlySet<number>;
  readonly #peers: SharedPeers;
  readonly #sharing: Sharing;
  readonly #calls: StoreCalls;
  readonly #pieces: Pieces;
  readonly #log: SharingLog;
  readonly #changed: () => void;
  readonly #writing = new Waiter();
  readonly #reading = new Waiter();
  /** Who waits until all that the store had was read. */
  #complete: () => void = () => {};
  #link: { readonly number: number; readonly link: StoreLink } | undefined;
  #isClosed = false;
  /** Whether the connections are closed, or about to be: what fails then is no news. */
  #isOver = false;
  /** Gives up what is being opened. */
  #giveUp: () => void = () => {};
  #work: Promise<void> = Promise.resolve();

  /**
   * Nothing is connected before {@linkcode open}.
   *
   * @param key That all registries on the store have in common.
   * @param changed Called where peers were changed by others.
   */
  constructor(
    context: ServiceContext,
    registry: Registry,
    key: ExchangeKey,
    config: SharedStoreConfig,
    changed: () => void,
  ) {
    const { host, log, counters } = context;
    const now = host.now();
    const random = (bytes: Uint8Array) => host.random(bytes);
    this.#context = context;
    this.#config = config;
    this.#changed = changed;
    this.#registry = registry;
    this.#groups = new Set(registry.groups.keys());
    this.#peers = new SharedPeers(registry, new StoreKey(key, host.primitives), random, now.mono);
    this.#peers.onDirty = () => this.#writing.wake();
    this.#sharing = new Sharing(
      this.#peers,
      () => registry.groups.keys(),
      () => context.seed() / SEEDS,
      now,
    );
    this.#log = new SharingLog(log, formatStorePlace(config.place), counters);
    this.#calls = new StoreCalls(random);
    this.#pieces = new Pieces(this.#calls);
  }

  /**
   * Begins. Whatever becomes of the store, it goes on until {@linkcode close}.
   *
   * @returns When all that the store had was read, or a signal came; where that is not to be waited for,
   *   at once.
   */
  async open(notices: StartNotices): Promise<WaitEnd> {
    const { host, log } = this.#context;
    const complete = new Promise<void>((done) => this.#complete = done);
    this.#work = Promise.all([this.#write(), this.#follow()]).then(() => {});
    if (this.#config.start === "wait") return await waitForStore(host, log, notices, complete);
    return { signal: undefined, isReloadAsked: false };
  }

  /** How the store is, for whoever asks. */
  get report(): StoreReport {
    const state = this.#sharing.state(this.#context.host.now());
    const { isConnected, isComplete, since, behind, roundTrip, fault } = state;
    return {
      address: formatStorePlace(this.#config.place),
      connected: isConnected,
      since: elapsed(since),
      complete: isComplete,
      behind,
      roundTrip: roundTrip === undefined ? null : measured(roundTrip),
      fault: fault === undefined
        ? null
        : { why: fault.why, age: elapsed(fault.age), over: fault.isOver },
    };
  }

  /** Whether nobody is answered yet. */
  get #isAwaited(): boolean {
    return this.#config.start === "wait" && !this.#sharing.isComplete;
  }

  /** What is wrong with it just now, if anything is. */
  get trouble(): string | undefined {
    const { fault } = this.#sharing.state(this.#context.host.now());
    return fault?.isOver === false ? `store: ${fault.why}` : undefined;
  }

  /** Groups may be served that were not before. */
  groupsChanged(): void {
    const before = this.#groups;
    this.#groups = new Set(this.#registry.groups.keys());
    if (this.#groups.isSubsetOf(before)) return;
    this.#sharing.groupAdded(this.#context.host.now());
    this.#writing.wake();
  }

  /** Writes what has changed, as far as the store takes it in soon, and ends. */
  async close(): Promise<void> {
    const { host } = this.#context;
    this.#isClosed = true;
    this.#giveUp();
    // Where the store hasn't even said who it is, nothing can be written.
    if (!this.#sharing.isConnected) this.#over();
    this.#sharing.end(LAST_WRITES, host.now());
    this.#writing.wake();
    this.#reading.wake();
    // What still is on its way when the time is over fails then.
    const cancel = host.after(LAST_WRITES, () => this.#over());
    await this.#work;
    cancel();
    this.#log.tellOfRest(this.#peers.behind);
    this.#peers.close();
  }

  /** Does what there is to do at the connection that writes. It never fails. */
  async #write(): Promise<void> {
    while (!this.#isOver) {
      const now = this.#context.host.now();
      const step = this.#sharing.next(now);
      this.#attend();
      if (step.kind === "end") break;
      if (step.kind === "rest") await this.#writing.wait(this.#context, step.seconds);
      else await this.#try(step, () => this.#do(step));
    }
    this.#over();
    this.#reading.wake();
  }

  #over(): void {
    this.#isOver = true;
    closeLink(this.#link?.link);
    this.#link = undefined;
  }

  /** The same at the one that waits for changes. */
  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      const step = this.#sharing.follow();
      if (step.kind === "rest") await this.#reading.wait(this.#context, Infinity);
      else await this.#try(step, () => this.#read(step));
      this.#attend();
    }
  }

  async #try(step: FailedStep, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const isOpening = step.kind === "connect" || step.kind === "greet";
      this.#failed(step, storeFault(error, isOpening ? this.#config.place : undefined));
    }
  }

  #failed(step: FailedStep, fault: StoreFault): void {
    if (this.#isOver) return;
    this.#sharing.failed(step, fault, this.#context.host.now());
    this.#attend();
    this.#writing.wake();
  }

  /** Says what is to be said, and closes what is not used any more. */
  #attend(): void {
    for (const news of this.#sharing.fetchNews()) {
      // At the end, what could not be written is told of as a whole.
      const isEnd = this.#isClosed && "of" in news && news.of === "link";
      if (!isEnd) this.#log.tell(news, this.#isAwaited);
    }
    if (this.#sharing.isComplete) this.#complete();
    if (this.#link === undefined || this.#link.number === this.#sharing.link) return;
    const { link } = this.#link;
    this.#link = undefined;
    closeLink(link);
  }

  async #do(step: Exclude<SharingStep, { readonly kind: "rest" | "end" }>): Promise<void> {
    const { host } = this.#context;
    const sharing = this.#sharing;
    if (step.kind === "connect") return await this.#connect(step.link);
    const store = this.#storeOf(step).writer;
    const sentAt = host.now().mono;
    switch (step.kind) {
      case "greet": {
        const facts = await this.#calls.greet(store, this.#peers.maxAge);
        sharing.greeted(step.link, facts, sentAt, host.now());
        return this.#reading.wake();
      }
      case "scan": {
        // Tables that grow one by one take longer than the peers themselves.
        if (step.cursor === SCAN_BEGIN) {
          this.#peers.reserve(step.group, await this.#calls.count(store, step.group));
        }
        const { cursor, peers } = await this.#pieces.fetch(store, step.group, step.cursor);
        await this.#apply([{ group: step.group, peers }], true);
        return sharing.scanned(step.link, cursor, peers.length, host.now());
      }
      case "write": {
        const outcome = await this.#calls.write(store, step.id, step.write);
        sharing.wrote(step.link, outcome, sentAt, host.now());
        return this.#log.look();
      }
      case "forget":
        await this.#calls.forget(store, step.gone);
        return sharing.forgot(step.link, host.now());
    }
  }

  async #connect(number: number): Promise<void> {
    const ended = (fault: StoreFault) => this.#failed({ kind: "end", link: number }, fault);
    const stop = new Promise<void>((done) => this.#giveUp = done);
    const link = await openLink(this.#context.host, this.#config, ended, stop);
    if (this.#sharing.link !== number) return closeLink(link);
    this.#link = { number, link };
    this.#sharing.connected(number);
  }

  async #read(step: FollowStep & { readonly kind: "read" }): Promise<void> {
    const { host } = this.#context;
    const sentAt = host.now().mono;
    const { last, isAll, changes } = await this.#calls.read(
      this.#storeOf(step).reader,
      step.after,
    );
    await this.#apply(changes, false);
    const count = changes.reduce((sum, { peers }) => sum + peers.length, 0);
    this.#sharing.read(step.link, { last, count, isAll, sentAt }, host.now());
    // What had to wait for a turn of its own, such as a scan.
    this.#writing.wake();
  }

  #storeOf({ link }: { readonly link: number }): StoreLink {
    if (this.#link?.number !== link) throw new Error("the connection was closed");
    return this.#link.link;
  }

  /** Takes over what the store says, in slices: whoever asks meanwhile is answered. */
  async #apply(
    changes: readonly { readonly group: number; readonly peers: readonly SharedPeer[] }[],
    isScan: boolean,
  ): Promise<void> {
    const { host } = this.#context;
    const { clock } = this.#sharing;
    const slicer = new TimeSlicer(host);
    // Where nobody is answered before all is read, nobody has to have a turn between.
    const isWaiting = this.#isAwaited;
    const before = this.#peers.changed;
    for (const { group, peers } of changes) {
      for (const { id, record } of peers) {
        this.#peers.apply(group, id, record, clock, host.now(), isScan);
        if (!isWaiting && slicer.isOver) {
          this.#tellOfChanges(before);
          await slicer.rest();
        }
      }
    }
    this.#tellOfChanges(before);
    this.#log.look();
  }

  #tellOfChanges(before: number): void {
    if (this.#peers.changed !== before) this.#changed();
  }
}
