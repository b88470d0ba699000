/**
 * What is tried to reach a peer where a NAT maps each destination to another port, besides the ways of
 * which registries tell: see `hard_means.ts`, and `core/punch`. What is opened and guessed is so once,
 * until one of the two mappings is another: routers keep an entry for each.
 *
 * @module
 */

import type { NatKind } from "../ask/own_reach.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";
import type { RandomSource } from "../net/random.ts";
import { GuessedPorts } from "../punch/guessed_ports.ts";
import { OpenedPorts } from "../punch/opened_ports.ts";
import { PredictedPorts } from "../punch/predicted_ports.ts";
import type { PunchDatagram } from "../punch/punch_step.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { hardMeans } from "./hard_means.ts";

/** Budgets. */
export interface HardOptions {
  /** Whether it is tried at all. */
  readonly isOn: boolean;
  /** Mappings that are opened. */
  readonly mappings: number;
  /** Ports that are guessed. */
  readonly probes: number;
  /** Datagrams per second. */
  readonly rate: number;
}

/** What it depends on. */
export interface HardFacts {
  /** How the own NAT maps WireGuard's port. */
  readonly own: NatKind;
  /** Where registries see it, as text. */
  readonly ownMapping: string;
  readonly theirs: NatKind;
  /** Where registries see the peer over IPv4; undefined where they don't. */
  readonly seen: HostPort | undefined;
}

/** What is due. */
export type HardStep =
  /** Probes: each may find a way. */
  | { readonly kind: "predict"; readonly datagrams: readonly PunchDatagram[] }
  /** Datagrams of one byte. */
  | { readonly kind: "punch"; readonly datagrams: readonly PunchDatagram[] }
  /** These ports are to be heard as well; none where the count is 0. */
  | { readonly kind: "hear"; readonly first: number; readonly count: number };

/** Only one pair at a time has its ports heard, and its hundreds of datagrams sent. */
export class HardTurn {
  #holder: string | undefined;

  /** The public key of the peer whose turn it is, in base64. */
  get holder(): string | undefined {
    return this.#holder;
  }

  /** Whether it is this one's turn now. */
  take(publicKey: string): boolean {
    this.#holder ??= publicKey;
    return this.#holder === publicKey;
  }

  /** It needs it no more, or is gone. @returns Whether it was its turn. */
  leave(publicKey: string): boolean {
    if (this.#holder !== publicKey) return false;
    this.#holder = undefined;
    return true;
  }
}

/** Whom it is about. */
export interface HardPeer {
  /** In base64. */
  readonly publicKey: string;
  /** Whether the own key is the smaller one. */
  readonly isFirst: boolean;
}

/** After the beginning of a search, in seconds: plain punching has failed by then. */
const PREDICT = 0.8;
const BIRTHDAY = 1.5;
/** Ports that the system gives to nobody by itself, on Linux, are below these; others have few. */
const FIRST_PORT = 33_000;
const LAST_PORT = 59_000;
/** Pairs of mappings that are remembered: where registries see several, the first one changes. */
const MOST_TRIED = 16;
/** Between two times that all is tried for one peer, in seconds; twice as long after each soon after. */
const [FIRST_GAP, LONGEST_GAP] = [60, 3600];
/** A port that was hit is heard for so long after: then WireGuard's traffic goes through it, or not. */
const HEARD = 15;

type Birthday = { readonly opened: OpenedPorts } | { readonly guessed: GuessedPorts };

/** Decides for one peer. All times are seconds of the monotonic clock. */
export class HardWay {
  readonly #peer: HardPeer;
  readonly #turn: HardTurn;
  readonly #random: RandomSource;
  #options: HardOptions;
  #predicted: PredictedPorts | undefined;
  readonly #predictedFor = new Tried();
  #birthday: Birthday | undefined;
  readonly #guessedFor = new Tried();
  #ports: { readonly first: number; readonly count: number } | undefined;
  #isRefused = false;
  #endsAt = Infinity;
  #nextAt = Infinity;

  /** Has tried nothing yet. */
  constructor(peer: HardPeer, options: HardOptions, turn: HardTurn, random: RandomSource) {
    this.#peer = peer;
    this.#options = options;
    this.#turn = turn;
    this.#random = random;
  }

  /** Replaces budgets, for the next try. */
  configure(options: HardOptions): void {
    this.#options = options;
  }

  /** What was found could not be used: nothing is opened here any more. */
  refuse(): void {
    this.#isRefused = true;
    // What is under way is in vain.
    if (this.#birthday !== undefined && "opened" in this.#birthday) this.#endsAt = -Infinity;
  }

  /** When something is due, as far as the last {@linkcode take} could tell. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /**
   * What is due, if something is; it counts as done.
   *
   * @param searchedFrom When the search for a way began; Infinity where there is none.
   * @param isNeeded Whether there is no direct way.
   */
  take(
    facts: HardFacts,
    searchedFrom: number,
    isNeeded: boolean,
    mono: number,
  ): HardStep | undefined {
    this.#nextAt = Infinity;
    if (!isNeeded && this.#birthday !== undefined && this.#endsAt === Infinity) {
      this.#endsAt = mono + HEARD;
    }
    if (mono >= this.#endsAt) return this.#end();
    if (isNeeded && searchedFrom < Infinity && this.#options.isOn) {
      this.#begin(facts, searchedFrom, mono);
      const step = this.#nextPrediction(mono);
      if (step !== undefined) return step;
    }
    return this.#nextOfBirthday(mono);
  }

  /**
   * Something came that is no probe.
   *
   * @param port The local port that it came to; undefined for WireGuard's.
   * @returns The local port through which a way may lead now, if that shows one.
   */
  heard(from: HostPort, port: number | undefined): number | undefined {
    const birthday = this.#birthday;
    if (birthday === undefined) return undefined;
    if ("guessed" in birthday) birthday.guessed.heard(from);
    else if (port !== undefined && birthday.opened.heard(port, from)) return port;
    return undefined;
  }

  #begin({ own, ownMapping, theirs, seen }: HardFacts, from: number, mono: number): void {
    if (seen === undefined) return;
    const mappings = `${ownMapping} ${formatHostPort(seen)}`;
    const means = hardMeans(own, theirs);
    if (means === "predict") {
      if (!this.#predictedFor.lacks(mappings)) return;
      const at = Math.max(from + PREDICT, this.#predictedFor.nextAt);
      if (mono < at) return this.#wait(at);
      this.#predictedFor.add(mappings, mono);
      const isSecond = own === "sequential" && !this.#peer.isFirst;
      this.#predicted = new PredictedPorts(isSecond ? "second" : "each", this.#random);
      return this.#predicted.seen(seen);
    }
    if (means === undefined || means === "open" && this.#isRefused) return;
    if (this.#birthday !== undefined || !this.#guessedFor.lacks(mappings)) return;
    const at = Math.max(from + BIRTHDAY, this.#guessedFor.nextAt);
    if (mono < at) return this.#wait(at);
    if (!this.#turn.take(this.#peer.publicKey)) return this.#wait(mono + 1);
    this.#guessedFor.add(mappings, mono);
    const { mappings: count, probes, rate } = this.#options;
    if (means === "open") {
      const first = this.#drawPort(count);
      this.#ports = { first, count };
      this.#birthday = { opened: new OpenedPorts({ to: seen, firstPort: first, count, rate }) };
    } else {
      const guesses = { host: seen.host, count: probes, rate };
      this.#birthday = { guessed: new GuessedPorts(guesses, this.#random) };
    }
  }

  #nextPrediction(mono: number): HardStep | undefined {
    const step = this.#predicted?.next(mono);
    switch (step?.kind) {
      case "send":
        return { kind: "predict", datagrams: step.datagrams };
      case "wait":
        this.#wait(step.until);
        break;
      case "done":
        this.#predicted = undefined;
    }
    return undefined;
  }

  #nextOfBirthday(mono: number): HardStep | undefined {
    const birthday = this.#birthday;
    if (birthday === undefined) return undefined;
    const ports = this.#ports;
    if (ports !== undefined && "opened" in birthday) {
      this.#ports = undefined;
      return { kind: "hear", ...ports };
    }
    const step = "opened" in birthday ? birthday.opened.next(mono) : birthday.guessed.next(mono);
    if (step.kind === "send") return { kind: "punch", datagrams: step.datagrams };
    if (step.kind === "done" && this.#endsAt === Infinity) this.#endsAt = mono + HEARD;
    this.#wait(Math.min(step.kind === "wait" ? step.until : Infinity, this.#endsAt));
    return undefined;
  }

  #end(): HardStep | undefined {
    const birthday = this.#birthday;
    this.#birthday = undefined;
    this.#endsAt = Infinity;
    this.#turn.leave(this.#peer.publicKey);
    return birthday !== undefined && "opened" in birthday
      ? { kind: "hear", first: 0, count: 0 }
      : undefined;
  }

  #drawPort(count: number): number {
    const drawn = new WireBuffer(4);
    this.#random(drawn.bytes);
    return FIRST_PORT + drawn.view.getUint32(0) % (LAST_PORT - FIRST_PORT - count);
  }

  #wait(until: number): void {
    this.#nextAt = Math.min(this.#nextAt, until);
  }
}

/** For which pairs of mappings something was tried. */
class Tried {
  readonly #mappings = new Set<string>();
  #gap = 0;
  #nextAt = -Infinity;

  /** When it may be tried anew, for other mappings. */
  get nextAt(): number {
    return this.#nextAt;
  }

  /** Whether it wasn't tried for these. */
  lacks(mappings: string): boolean {
    return !this.#mappings.has(mappings);
  }

  /** It is tried for these now. */
  add(mappings: string, mono: number): void {
    const [oldest] = this.#mappings;
    if (this.#mappings.size === MOST_TRIED) this.#mappings.delete(oldest!);
    this.#mappings.add(mappings);
    const isLater = mono > this.#nextAt + 2 * this.#gap;
    this.#gap = isLater ? FIRST_GAP : Math.min(2 * this.#gap, LONGEST_GAP);
    this.#nextAt = mono + this.#gap;
  }
}
