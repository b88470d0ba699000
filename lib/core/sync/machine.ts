/**
 * Keeps the endpoints of a WireGuard interface right: registers, asks, plans, changes, looks again.
 *
 * The caller loops over {@linkcode SyncMachine.next}: it does what it is told, one thing after the
 * other, says with {@linkcode SyncMachine.told} what came of it, and hands on the notes. The stages of
 * a round, and the actions of each:
 *
 * ```
 *   wait ◄──────────────────────────────────────────────────────────────────────┐
 *    │ a server has told of a change: told, as a poll that is answered already  │
 *    │ half an interval after a look                                            │
 *    ├──────────────► poll     ask ──── nobody has moved, or no answer ─────────┤
 *    │ else             │ somebody has                                          │
 *    └──────────────► device   take-lock ────── another process has it ─────────┤
 *                       │      read-device ──── no interface ───────────────────┤
 *                       │      read-key                    where it tells none  │
 *                       │                                                       │
 *                      mend    mend-port, read-device      where it appears     │
 *                       │      try-raw                                          │
 *                     routes   find-route, remove-route …                       │
 *                       │                                                       │
 *                      ask     ask, unless a poll has ──── no answer ───────────┤
 *                       │                                                       │
 *                     answer   read-addresses              where servers see    │
 *                       │                                  what the NAT does    │
 *                    changes   set-peer …                                       │
 *                       │                                                       │
 *                     nudges   nudge-peer …                                     │
 *                       │                                                       │
 *                   additions  set-peer, find-tunnel-route, add-route … ────────┘
 *
 *    end ◄── a signal; the interface is gone, where that ends it; the one look is over
 * ```
 *
 * Each action fails alone: that is told once for each kind, and the rest goes on. A round ends early
 * only without an interface or an answer. The rhythm decides when the next one begins, the plan which
 * endpoints are tried.
 *
 * @module
 */

import type { Now } from "../net/clock.ts";
import type { Device } from "../net/device.ts";
import type { RandomSource } from "../net/random.ts";
import type { PathFinder } from "../path/path_finder.ts";
import { EARLIEST_TIME } from "../net/clock.ts";
import { EXIT, UserError } from "../settings/user_error.ts";
import type { InterfaceReport } from "../status/report.ts";
import { ActionQueue } from "./action_queue.ts";
import type { SyncAction, SyncNews, SyncResult, SyncStep } from "./actions.ts";
import { type SyncNote, SyncNotes } from "./notes.ts";
import type { SyncOptions } from "./options.ts";
import { Rhythm } from "./rhythm.ts";
import { SyncStages } from "./stages.ts";
import { UndoneActions } from "./undone.ts";

/** Decides for one interface. */
export class SyncMachine {
  readonly #once: boolean;
  readonly #queue: ActionQueue = new ActionQueue();
  readonly #notes: SyncNotes = new SyncNotes();
  readonly #undone: UndoneActions = new UndoneActions(this.#notes);
  readonly #rhythm: Rhythm;
  readonly #stages: SyncStages;
  /** When the next round begins, on the monotonic clock. */
  #until = -Infinity;
  #isInRound = false;
  /** Whether that is for what a server has told, between two rounds that ask. */
  #isBetween = false;
  /** When the last round that asks began. */
  #askedAt = -Infinity;
  /** Whether the next round is to begin at once, and to be a look. */
  #looksAtOnce = false;
  #isEnding = false;
  #clockIsWrong = false;
  /** Settings that hold from the next round on. */
  #options: SyncOptions | undefined;

  /**
   * Begins with a look.
   *
   * @param random For the jitter of waits.
   * @param finder Finds ways to peers that answer probes, where raw sockets are permitted.
   */
  constructor(options: SyncOptions, random: RandomSource, finder: PathFinder, now: Now) {
    this.#once = options.once;
    this.#rhythm = new Rhythm(options.interval, random, now.mono);
    this.#stages = new SyncStages(options, this.#queue, this.#notes, this.#rhythm, finder);
  }

  /** What there is to tell since this was last called, in order. */
  takeNotes(): readonly SyncNote[] {
    this.#stages.tellPaths();
    return this.#notes.take();
  }

  /** Says what to do. An action that it returns counts as begun, and is to be told of. */
  next(now: Now): SyncStep {
    if (this.#queue.doing !== undefined) return { kind: "wait", until: Infinity };
    for (;;) {
      const action = this.#queue.next(now);
      if (action !== undefined) return action;
      if (this.#isInRound) this.#endRound(now);
      const { failure, status } = this.#stages;
      if (failure !== undefined) return { kind: "fail", error: failure.error };
      if (this.#isEnding) return { kind: "end", status: this.#once ? status : EXIT.ok };
      const { toldUntil } = this.#stages;
      if (this.#looksAtOnce || now.mono >= this.#until) this.#beginRound(now);
      else if (now.mono >= toldUntil) this.#beginBetween(now);
      else return { kind: "wait", until: Math.min(this.#until, toldUntil) };
    }
  }

  /** Takes in what came of the action under way. */
  told(result: SyncResult, now: Now): void {
    const kind = this.#queue.doing;
    if (kind === undefined) return;
    const isTaken = this.#queue.told(result, now);
    if (result.kind === "answer" && result.notKept !== undefined) {
      this.#notes.once("warn", "not-kept", { why: result.notKept });
    }
    if (result.kind !== "failed") this.#undone.done(kind);
    else if (!isTaken) this.#failed(kind, result.error, result.why);
  }

  /** Takes in what comes without being asked for. */
  heard(news: SyncNews, now: Now): void {
    this.#stages.heard(news, now);
    // A server must not make this one ask as often as it likes.
    if (news.kind === "behind") {
      this.#until = Math.min(this.#until, Math.max(now.mono, this.#askedAt + this.#rhythm.soonest));
    }
  }

  /** What there is to say of the interface. @param device As it was read just now, where it was. */
  report(device: Device | undefined, now: Now): Omit<InterfaceReport, "lease"> {
    return this.#stages.report(device, now);
  }

  /** Replaces the settings, but for `once`, when the next round begins: at once. */
  configure(options: SyncOptions): void {
    this.#options = options;
    this.look();
  }

  /** Looks at the interface as soon as what is under way allows. */
  look(): void {
    this.#looksAtOnce = true;
  }

  /** Ends as soon as the round that is under way is over. */
  end(): void {
    this.#isEnding = true;
  }

  #failed(kind: SyncAction["kind"], error: unknown, why: string): void {
    // Without these nothing follows in this round, but what fails now may work in the next: the
    // interface may just be going, say.
    if (kind === "read-device" || kind === "ask") this.#rhythm.failed();
    if (this.#once && this.#stages.failure === undefined) this.#stages.fail(error);
    else if (!this.#once && kind === "ask" && error instanceof UserError) {
      this.#notes.once("warn", "not-asked", { why });
    } else this.#undone.failed(kind, why);
  }

  #beginRound(now: Now): void {
    this.#isInRound = true;
    if (this.#options !== undefined) {
      this.#rhythm.configure(this.#options.interval);
      this.#stages.configure(this.#options);
      this.#options = undefined;
    }
    if (this.#looksAtOnce) this.#rhythm.lookNext();
    this.#looksAtOnce = false;
    this.#askedAt = now.mono;
    this.#checkClock(now.unix);
    if (this.#rhythm.polls) this.#stages.pollServers(now);
    else this.#stages.look();
  }

  #beginBetween(now: Now): void {
    this.#isInRound = true;
    this.#isBetween = true;
    this.#stages.takeTold(now);
  }

  #endRound(now: Now): void {
    this.#isInRound = false;
    this.#isEnding ||= this.#once || this.#stages.isOver;
    const hasLooked = this.#stages.takeLooked();
    const isAwaiting = this.#stages.isAwaiting(now);
    if (this.#isBetween) this.#endBetween(isAwaiting, now);
    else {
      this.#until = now.mono + this.#rhythm.pause({
        hasDevice: this.#stages.hasDevice,
        isAwaiting,
        clockIsWrong: this.#clockIsWrong,
        hasLooked,
        isUndone: this.#undone.some,
      }, now.mono);
    }
    this.#undone.endRound(hasLooked && !isAwaiting);
  }

  /** What servers tell must not put off what was to come: that registers. */
  #endBetween(isAwaiting: boolean, now: Now): void {
    this.#isBetween = false;
    if (!isAwaiting && !this.#undone.some && this.#stages.hasDevice) return;
    this.#rhythm.lookNext();
    this.#until = Math.min(this.#until, now.mono + this.#rhythm.soonest);
  }

  #checkClock(unix: number): void {
    const isWrong = unix < EARLIEST_TIME;
    if (isWrong === this.#clockIsWrong) return;
    this.#clockIsWrong = isWrong;
    this.#notes.add({ kind: "clock", isWrong });
  }
}
