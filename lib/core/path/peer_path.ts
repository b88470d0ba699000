/**
 * The way to one peer: which are probed, which one WireGuard is given, and when it moves to a better one.
 *
 * ```
 *            nothing works                               something works
 *   ┌──────────────────────────────┐   proved    ┌────────────────────────────────────┐
 *   │ all ways are probed, often   │────────────►│ better ways are probed, seldom     │
 *   │ after 3 s: through the relay │             │ the one in use is watched          │
 *   └──────────────────────────────┘◄────────────└────────────────────────────────────┘
 *                                      it is dead
 * ```
 *
 * Of the two sides, the one with the smaller key acts first: handshakes that cross are both lost.
 *
 * It is long: what registries, WireGuard and probes say come together here, and nowhere else; each
 * part that has a state of its own is a file.
 *
 * @module
 */

import type { NatKind } from "../ask/own_reach.ts";
import { familyOf, type HostPort } from "../net/host_port.ts";
import type { HardOptions, HardWay } from "./hard_way.ts";
import {
  formerOf,
  kindOfStranger,
  newPath,
  type Path,
  rankOf,
  sameEndpoint,
  slowerOf,
} from "./path.ts";
import { PathChoice } from "./path_choice.ts";
import type { OwnMapping, PathChange, PathStep, SeenPeer, ToldPeer } from "./path_step.ts";
import { PathSwitch } from "./path_switch.ts";
import { PathTable } from "./path_table.ts";
import { PathWatch } from "./path_watch.ts";
import { ProbeQueue } from "./probe_queue.ts";
import { type RelayMode, RelayWish } from "./relay_wish.ts";
import { Settling } from "./settling.ts";

/** So long who has the larger key lets the other side begin the handshake, in seconds. */
const SECOND_SET = 0.2;
/** So long it takes to have another port taken for WireGuard's. */
const PORT_MOVED = 0.15;
/** A handshake comes up, or doesn't. */
const HANDSHAKE = 8;
/** So long a way on which none comes up isn't taken where there is a relay, in seconds: twice each time. */
const [BARRED, LONGEST_BARRED] = [30, 300];
/** After so long in vain others may try by other means. */
const VAIN = 9;

/** Decides for one peer. All times are seconds of the monotonic clock. */
export class PeerPath {
  readonly #isFirst: boolean;
  readonly #table = new PathTable();
  readonly #probes = new ProbeQueue();
  readonly #watch: PathWatch;
  readonly #relay: RelayWish;
  readonly #choice: PathChoice;
  readonly #hard: HardWay;
  #own: OwnMapping = { nat: "unknown", seen: "" };
  #told: ToldPeer | undefined;
  #held: Path | undefined;
  #heldAt = -Infinity;
  /** That which another port was taken for last. */
  #moved: Path | undefined;
  /** WireGuard's, when the interface was read last. */
  #endpoint: HostPort | undefined;
  #isAlive = false;
  /** What WireGuard had sent, in bytes, and when that was less. */
  #sent = 0;
  #sentAt = -Infinity;
  /** Whether it sends nothing, and so begins no handshake, on a direct way. */
  #isIdle = false;
  /** Since when nothing works. */
  #failsFrom = Infinity;
  /** Whether one of the ends is known to have moved since the handshake. */
  #isDoubted = false;
  /** Whether registries tell that the peer has moved, since it was heard on the way in use. */
  #hasMoved = false;
  #switch: PathSwitch | undefined;
  readonly #settling = new Settling();
  #changes: PathChange[] = [];
  /** When what is proved, and isn't taken, is to be looked at again. */
  #proofEndsAt = Infinity;

  /**
   * @param isFirst Whether the own key is the smaller one.
   * @param hard What is tried where a NAT is sequential or hard.
   */
  constructor(isFirst: boolean, mode: RelayMode, hard: HardWay) {
    this.#isFirst = isFirst;
    this.#hard = hard;
    this.#watch = new PathWatch(isFirst);
    this.#relay = new RelayWish(isFirst, mode);
    this.#choice = new PathChoice(isFirst);
  }

  /** The way in use; undefined where none is known. */
  get held(): Path | undefined {
    return this.#held;
  }

  /** The ways that there may be, the best first. */
  get paths(): readonly Path[] {
    return this.#table.all();
  }

  /** How the peer's NAT maps its port, as far as registries know. */
  get nat(): NatKind {
    return this.#told?.nat ?? "unknown";
  }

  /** Whether another port than WireGuard's is taken. */
  get isMoved(): boolean {
    return this.#moved !== undefined;
  }

  /** Whether the peer is wanted through the relay. */
  get wantsRelay(): boolean {
    return this.#relay.isWanted;
  }

  /** Whether the peer is reached through a relay, whatever else works: no probe is answered then. */
  get isAlwaysRelayed(): boolean {
    return this.#relay.mode === "always";
  }

  /** Whether registries are to stop what they relay: a direct way is proved. */
  get isDirect(): boolean {
    return this.#switch !== undefined && this.#held?.kind === "relay";
  }

  /** Whether all was in vain so far, so that others may try by other means. */
  isVain(mono: number): boolean {
    return this.#told !== undefined && !this.#works && mono - this.#failsFrom > VAIN;
  }

  /** Changes since this was last called. */
  takeChanges(): readonly PathChange[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** Between two probes of the way in use, in seconds. */
  setWatchInterval(seconds: number): void {
    this.#watch.setInterval(seconds);
  }

  /** Replaces the budgets for hard NATs. */
  configure(hard: HardOptions): void {
    this.#hard.configure(hard);
  }

  /** Replaces a setting. */
  setRelay(mode: RelayMode, mono: number): void {
    this.#relay.setMode(mode);
    if (mode === "always") this.#switch = undefined;
    this.#reconsider(mono);
  }

  /** Takes in how the own port is seen. */
  setOwn(own: OwnMapping): void {
    this.#own = own;
  }

  /** Takes in what registries tell. */
  tell(told: ToldPeer, mono: number): void {
    const held = this.#held;
    const wasTold = held?.isTold === true;
    const hasChanged = this.#table.tell(told.places);
    const isKnown = this.#told !== undefined;
    this.#told = told;
    this.#relay.offer(told.relays);
    // The registry doesn't answer any more, or has forgotten the peer.
    if (held?.kind === "relay" && !this.#relay.isOffered(held.endpoint)) this.#held = undefined;
    if (hasChanged) {
      this.#hasMoved = isKnown;
      // Where it was reached may be where it was.
      if (wasTold && held?.isTold === false) this.#isDoubted = true;
      if (!this.#works || held?.kind === "relay") this.#search(mono);
    }
    this.#reconsider(mono);
  }

  /** The own side has moved: whether what worked works still is not known. */
  doubt(mono: number): void {
    if (this.#held?.kind === "relay" || this.#told === undefined) return;
    this.#isDoubted = true;
    this.#search(mono);
  }

  /** Takes in what WireGuard says. */
  see({ endpoint, isAlive, received, sent }: SeenPeer, mono: number): void {
    const before = this.#endpoint;
    this.#isAlive = isAlive;
    if (sent !== this.#sent) this.#sentAt = mono;
    this.#sent = sent;
    this.#endpoint = endpoint;
    const held = this.#held;
    this.#isIdle = held !== undefined && held.kind !== "relay" && !isAlive &&
      mono - Math.max(this.#heldAt, this.#sentAt) > HANDSHAKE;
    if (held !== undefined && before !== undefined && endpoint === undefined) {
      // The interface was made anew.
      this.#heldAt = mono;
      this.#settling.begin(0, "none", 0, mono);
      this.#changes.push({ path: held, before: undefined, isSet: true });
    }
    const verdict = this.#watch.see({ received, sent }, mono);
    // Who has moved isn't where nobody answers.
    const isDead = verdict === "dead" || (verdict === "unused" && this.#hasMoved);
    if (isDead && held !== undefined) {
      this.#watch.stop();
      held.deadAt = mono;
      // The port is given back: it may be another one next time.
      if (held.from !== undefined) {
        this.#held = this.#table.meet(held.endpoint, undefined, held.kind);
      }
      this.#relay.hurry();
      if (!this.#isDoubted) this.#search(mono);
      this.#isDoubted = true;
      this.#hasMoved = false;
    }
    const isStill = before !== undefined && endpoint !== undefined &&
      sameEndpoint(before, endpoint);
    if (endpoint !== undefined && isAlive) this.#follow(endpoint, isStill, mono);
    else if (held !== undefined && !isAlive && !this.#isIdle && mono - this.#heldAt > HANDSHAKE) {
      this.#fail(held, mono);
    }
    this.#reconsider(mono);
  }

  /** No other port can be taken for WireGuard's here: nothing is opened for that. */
  cannotMove(): void {
    this.#hard.refuse();
  }

  /** WireGuard could not be given a way. */
  refused(path: Path, mono: number): void {
    path.deadAt = mono;
    if (path.from !== undefined) {
      path.barredUntil = Infinity;
      this.#hard.refuse();
    }
    if (this.#held !== path) return;
    this.#held = undefined;
    this.#reconsider(mono);
  }

  /** Something that is the peer's came from there. @returns The way that it took. */
  hear(endpoint: HostPort, from: number | undefined, mono: number): Path {
    const held = this.#held;
    const isMapped = this.#told?.nat === "hard" || this.#told?.nat === "sequential";
    const kind = isMapped && familyOf(endpoint) === 4 ? "predicted" : kindOfStranger(endpoint);
    // What comes to another port is handed to WireGuard's once its traffic takes that way.
    const path = held !== undefined && this.#isMovedTo(endpoint)
      ? held
      : this.#table.meet(endpoint, from, kind);
    if (path === held) this.#heardHeld(mono);
    return path;
  }

  /** Something came that is no probe; whose it is isn't known. */
  heardByte(endpoint: HostPort, from: number | undefined): void {
    const port = this.#hard.heard(endpoint, from);
    if (port !== undefined) this.#probes.add(this.#table.meet(endpoint, port, "predicted"));
  }

  /** A probe was answered. @param hasSwitched Whether the other side has moved there as well. */
  echoed(path: Path, roundTrip: number, hasSwitched: boolean, mono: number): void {
    // Whatever goes to the endpoint of a moved port takes that way.
    if (path !== this.#held && this.#isMovedTo(path.endpoint)) return;
    this.#table.adopt(path);
    path.provedAt = mono;
    path.roundTrip = Math.min(path.roundTrip, roundTrip);
    if (path === this.#held) {
      this.#heardHeld(mono);
      this.#isDoubted = false;
      this.#reconsider(mono);
    }
    this.#choice.proved(mono);
    // The other side may need a moment to have another port taken for WireGuard's.
    const wait = path.kind === "predicted" && path.from === undefined ? PORT_MOVED : 0;
    if (hasSwitched && this.#switch?.path === path) this.#hold(path, wait, mono);
  }

  /** The other side moves to a way. @returns Whether this one does as well. */
  switched(path: Path, mono: number): boolean {
    if (this.#switch !== undefined && this.#isFirst || mono < path.barredUntil) return false;
    path.provedAt = mono;
    const back = path.roundTrip < Infinity ? path.roundTrip : 0;
    const wait = this.#isAlive || path.from !== undefined ? 0 : SECOND_SET + back;
    // Where there is a session, the other side was pulled back, and so may this one be.
    const isThere = this.#held === path && !this.#isAlive && this.#isComingUp(mono);
    if (!isThere) this.#hold(path, wait, mono);
    return true;
  }

  /** Registries have been told, or could not be. */
  toldRegistries(isDone: boolean, mono: number): void {
    this.#switch?.told(mono);
    this.#relay.told(isDone, mono);
  }

  /** Says what to do. */
  next(mono: number): PathStep {
    this.#failsFrom = this.#works ? Infinity : Math.min(this.#failsFrom, mono);
    for (;;) {
      const held = this.#held;
      if (this.#moved !== undefined && this.#moved !== held) {
        this.#moved = undefined;
        return { kind: "unmove" };
      }
      const settle = held && this.#settling.take(mono);
      if (settle === "read") return { kind: "read" };
      if (settle === "set" && held !== undefined) return { kind: "set", path: held };
      const step = this.#nextOfSwitch(mono) ?? this.#nextProbe(mono) ?? this.#nextOfWatch(mono) ??
        this.#nextOfHard(mono) ?? this.#nextOfRelay(mono);
      if (step !== undefined) return step;
      if (this.#decide(mono)) continue;
      const until = Math.min(
        this.#settling.nextAt,
        this.#switch?.nextAt ?? Infinity,
        this.#probes.rounds.nextAt,
        this.#watch.nextAt,
        this.#relay.nextAt,
        this.#hard.nextAt,
        this.#decidesAt(),
        this.#proofEndsAt,
      );
      return { kind: "wait", until };
    }
  }

  /** Whether what goes to an endpoint leaves through another port than WireGuard's. */
  #isMovedTo(endpoint: HostPort): boolean {
    const held = this.#held;
    return held?.from !== undefined && sameEndpoint(held.endpoint, endpoint);
  }

  get #works(): boolean {
    return (this.#isAlive || this.#isIdle) && !this.#isDoubted && this.#held !== undefined;
  }

  /** Whether WireGuard goes through a relay, as far as is known. */
  get #isRelayed(): boolean {
    const endpoint = this.#endpoint;
    return this.#held?.kind === "relay" ||
      (endpoint !== undefined && this.#relay.isOffered(endpoint));
  }

  #nextOfSwitch(mono: number): PathStep | undefined {
    const move = this.#switch;
    switch (move?.take(mono)) {
      case "tell":
        return { kind: "tell" };
      case "probe":
        return { kind: "probe", path: move.path, hops: undefined, switches: true };
      case "vain":
        move.path.deadAt = mono;
        this.#switch = undefined;
    }
    return undefined;
  }

  #nextProbe(mono: number): PathStep | undefined {
    const rank = this.#works ? rankOf(this.#held!.kind) : Infinity;
    const better = () =>
      this.#table.all()
        .filter(({ kind, endpoint }) => rankOf(kind) < rank && !this.#isMovedTo(endpoint));
    const probe = this.#probes.take({ better, hasSession: this.#isAlive }, mono);
    return probe && { kind: "probe", ...probe, switches: false };
  }

  #nextOfWatch(mono: number): PathStep | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    switch (this.#watch.take(mono)) {
      case "probe":
        return { kind: "probe", path: held, hops: undefined, switches: false };
      case "read":
        return { kind: "read" };
      case "wait":
        return undefined;
    }
  }

  #nextOfHard(mono: number): PathStep | undefined {
    const { nat: theirs = "unknown", places = [] } = this.#told ?? {};
    const seen = places.find(({ kind, endpoint }) => kind === "seen" && familyOf(endpoint) === 4);
    const { nat: own, seen: ownMapping } = this.#own;
    const facts = { own, ownMapping, theirs, seen: seen?.endpoint };
    const isNeeded = !this.#works || this.#held?.kind === "relay";
    const step = this.#hard.take(facts, this.#probes.rounds.startedAt, isNeeded, mono);
    if (step?.kind !== "predict") return step;
    for (const { to, from } of step.datagrams) this.#probes.add(newPath(to, "predicted", from));
    return this.#nextProbe(mono);
  }

  #nextOfRelay(mono: number): PathStep | undefined {
    const best = this.#choice.best(this.#table.all(), mono);
    const isProved = best !== undefined || this.#switch !== undefined;
    this.#proofEndsAt = best === undefined || this.#works ? Infinity : mono + 1;
    const step = this.#relay.take({
      works: this.#works || isProved,
      isRelayed: this.#isRelayed,
    }, mono);
    if (step?.kind !== "use") return step;
    this.#hold(newPath(step.endpoint, "relay"), 0, mono);
    return this.next(mono);
  }

  /** Whether WireGuard's handshake may still come up on the way that was taken last. */
  #isComingUp(mono: number): boolean {
    return !this.#isDoubted && mono - this.#heldAt <= HANDSHAKE;
  }

  #heardHeld(mono: number): void {
    this.#watch.heard(mono, this.#held?.roundTrip ?? Infinity);
    this.#hasMoved = false;
  }

  #decidesAt(): number {
    return this.#switch === undefined ? this.#choice.at(this.#table.all()) : Infinity;
  }

  #decide(mono: number): boolean {
    if (mono < this.#decidesAt()) return false;
    this.#choice.forget();
    if (this.#relay.mode === "always") return false;
    const best = this.#choice.best(this.#table.all(), mono);
    if (best === undefined) return false;
    const held = this.#held;
    if (held === best && this.#isComingUp(mono)) return false;
    if (this.#works && held !== undefined) {
      // Where both see another way as the best one, they must not go to and fro.
      if (!this.#isFirst && held.kind !== "relay") return false;
      if (rankOf(held.kind) <= rankOf(best.kind)) return false;
    }
    this.#switch = new PathSwitch(best, held?.kind === "relay" && this.#isAlive, mono);
    return true;
  }

  /** @param wait Until it is set, in seconds. */
  #hold(path: Path, wait: number, mono: number): void {
    const before = this.#held;
    this.#switch = undefined;
    this.#isDoubted = false;
    this.#held = path;
    this.#heldAt = mono;
    this.#isIdle = false;
    if (path.from !== undefined) this.#moved = path;
    this.#choice.forget();
    if (path !== before) this.#settling.forget();
    this.#settling.begin(wait, formerOf(before, path), slowerOf(path, before), mono);
    const isSet = this.#endpoint === undefined || !sameEndpoint(this.#endpoint, path.endpoint);
    if (path !== before) this.#changes.push({ path, before, isSet });
    if (path.kind === "relay") this.#watch.stop();
    else this.#watch.start(mono, path.roundTrip);
    this.#reconsider(mono);
  }

  /** WireGuard's handshakes don't come up on the way in use, though probes may. */
  #fail(held: Path, mono: number): void {
    held.deadAt = mono;
    this.#held = undefined;
    if (held.kind === "relay") return this.#relay.failed(mono);
    if (!this.#relay.isUsable) return;
    // The first one may have been lost.
    const twice = held.failures++ - 1;
    if (twice >= 0) held.barredUntil = mono + Math.min(BARRED * 2 ** twice, LONGEST_BARRED);
  }

  /** WireGuard has heard the peer from somewhere. @param isStill Whether it has known that before. */
  #follow(endpoint: HostPort, isStill: boolean, mono: number): void {
    const held = this.#held;
    if (held !== undefined && sameEndpoint(held.endpoint, endpoint)) {
      if (mono - this.#heldAt > HANDSHAKE) held.failures = 0;
      if (this.#watch.nextAt === Infinity && held.kind !== "relay") {
        this.#watch.start(mono, held.roundTrip);
      }
      return;
    }
    if (this.#switch !== undefined) return;
    const isRelay = this.#relay.isRelay(endpoint);
    // It isn't sure whether it relays still, and it is no direct way.
    if (isRelay && !this.#relay.isOffered(endpoint)) {
      this.#held = undefined;
      return;
    }
    const isGood = held !== undefined && held.deadAt < this.#heldAt;
    // What was under way has pulled it back: both sides have to move once more.
    if (isGood && !isRelay) {
      if (this.#settling.isSetting) return;
      if (!this.#isFirst && this.#settling.isUnderWay(mono)) return;
      if (this.#isFirst && this.#settling.insists(mono)) {
        this.#switch = new PathSwitch(held, false, mono);
        return;
      }
    }
    const path = isRelay
      ? newPath(endpoint, "relay")
      : this.#table.find(endpoint) ?? newPath(endpoint, kindOfStranger(endpoint));
    this.#held = path;
    this.#heldAt = mono;
    this.#settling.end(mono);
    if (!isStill) this.#isDoubted = false;
    this.#changes.push({ path, before: held, isSet: false });
    if (path.kind === "relay") this.#watch.stop();
    else this.#watch.start(mono, path.roundTrip);
  }

  /** All ways are probed anew, often: nothing is known to work. */
  #search(mono: number): void {
    this.#probes.rounds.start(true, mono);
    this.#choice.forget();
  }

  /** Has ways probed where that can help. */
  #reconsider(mono: number): void {
    if (this.#told === undefined || this.#relay.mode === "always") {
      return this.#probes.rounds.stop();
    }
    const held = this.#held;
    if (!this.#works || held === undefined) return this.#probes.rounds.need(true, mono);
    const best = this.#table.all()[0];
    if (best !== undefined && rankOf(best.kind) < rankOf(held.kind)) {
      this.#probes.rounds.need(false, mono);
    } else this.#probes.rounds.stop();
  }
}
