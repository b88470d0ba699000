/**
 * The other half of the birthday scheme: who is behind a NAT that keeps one mapping for WireGuard's
 * port sends a byte to many random ports of the other side's address. See `opened_ports.ts`.
 *
 * @module
 */

import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { HostPort } from "../net/host_port.ts";
import type { RandomSource } from "../net/random.ts";
import { Pace, type PunchDatagram, type PunchStep } from "./punch_step.ts";

/** NATs leave the ports below to others. */
const FIRST_PORT = 1024;
/** The most guesses: so others are still found fast. */
const MAX_GUESSES = 16_384;
/** Ports are drawn so many at a time. */
const DRAWN = 256;
/** How long a word from the other side is waited for after the last guess, in seconds. */
const LISTENING = 2;

/** What is guessed, and where. */
export interface GuessedPortsOptions {
  /** The other side's address. */
  readonly host: string;
  /** How many guesses, 16384 at most; each is another port. */
  readonly count: number;
  /** How many are sent in a second. */
  readonly rate: number;
}

/** Guesses, each port once. */
export class GuessedPorts {
  readonly #host: string;
  readonly #random: RandomSource;
  readonly #pace: Pace;
  readonly #drawn = new WireBuffer(2 * DRAWN);
  #drawnAt = 2 * DRAWN;
  /** Ports that were guessed, but those that were answered. */
  readonly #guessed = new Set<number>();
  /** Ports that something has come from, and that were not answered yet. */
  readonly #heard = new Set<number>();
  #until = Infinity;

  /** Prepares. Nothing is sent before {@linkcode next}. @throws {RangeError} If there are too many. */
  constructor({ host, count, rate }: GuessedPortsOptions, random: RandomSource) {
    if (count > MAX_GUESSES) throw new RangeError(`Cannot guess ${count} ports: 16384 at most`);
    this.#host = host;
    this.#random = random;
    this.#pace = new Pace(count, rate);
  }

  /** What to do now. The datagrams have one byte of 0, and leave from WireGuard's port. */
  next(mono: number): PunchStep {
    if (this.#heard.size > 0) return { kind: "send", datagrams: this.#answers() };
    if (this.#pace.isOver) {
      return mono < this.#until ? { kind: "wait", until: this.#until } : { kind: "done" };
    }
    const count = this.#pace.take(mono);
    if (count === 0) return { kind: "wait", until: this.#pace.at };
    this.#until = mono + LISTENING;
    const datagrams: PunchDatagram[] = [];
    while (datagrams.length < count) {
      const port = this.#draw();
      if (port < FIRST_PORT || this.#guessed.has(port)) continue;
      this.#guessed.add(port);
      datagrams.push({ to: { host: this.#host, port } });
    }
    return { kind: "send", datagrams };
  }

  /**
   * Takes in that something has come to WireGuard's port. Where it is from a port that was guessed, the
   * guess was right but came before the mapping was there: it is sent once more.
   */
  heard({ host, port }: HostPort): void {
    if (host === this.#host && this.#guessed.delete(port)) this.#heard.add(port);
  }

  #answers(): readonly PunchDatagram[] {
    const answers = Array.from(this.#heard, (port) => ({ to: { host: this.#host, port } }));
    this.#heard.clear();
    return answers;
  }

  #draw(): number {
    if (this.#drawnAt === this.#drawn.size) {
      this.#random(this.#drawn.bytes);
      this.#drawnAt = 0;
    }
    const port = this.#drawn.view.getUint16(this.#drawnAt);
    this.#drawnAt += 2;
    return port;
  }
}
