/**
 * The half of the birthday scheme of who is behind a NAT that maps each destination to a random port:
 * it opens many mappings towards the other side, from as many local ports, and hears which of them
 * the other side hits. With 256 mappings and 1024 guesses ({@linkcode GuessedPorts}), one does in 98
 * of 100 times.
 *
 * Which port was hit is a hint: anybody can send a byte. Probes prove the path.
 *
 * @module
 */

import type { HostPort } from "../net/host_port.ts";
import { Pace, type PunchStep } from "./punch_step.ts";

/** How long a hit is waited for, in seconds: less than NATs keep a mapping that nobody has answered. */
const LISTENING = 10;

/** What is opened, and where to. */
export interface OpenedPortsOptions {
  /** Where the other side sends from: its NAT's mapping of WireGuard's port. */
  readonly to: HostPort;
  /** The first of the local ports that mappings are opened from. */
  readonly firstPort: number;
  /** How many mappings. */
  readonly count: number;
  /** How many are opened in a second. */
  readonly rate: number;
}

/** Opens mappings, and hears a hit. */
export class OpenedPorts {
  readonly #options: OpenedPortsOptions;
  readonly #pace: Pace;
  #opened = 0;
  #until = Infinity;
  #hit: number | undefined;

  /** Prepares. Nothing is opened before {@linkcode next}. */
  constructor(options: OpenedPortsOptions) {
    this.#options = options;
    this.#pace = new Pace(options.count, options.rate);
  }

  /** The local port that was hit first. */
  get hit(): number | undefined {
    return this.#hit;
  }

  /** What to do now. The datagrams have one byte of 0. */
  next(mono: number): PunchStep {
    if (this.#hit !== undefined) return { kind: "done" };
    if (this.#pace.isOver) {
      return mono < this.#until ? { kind: "wait", until: this.#until } : { kind: "done" };
    }
    const count = this.#pace.take(mono);
    if (count === 0) return { kind: "wait", until: this.#pace.at };
    const { to, firstPort } = this.#options;
    const first = firstPort + this.#opened;
    this.#opened += count;
    this.#until = mono + LISTENING;
    return {
      kind: "send",
      datagrams: Array.from({ length: count }, (_, i) => ({ to, from: first + i })),
    };
  }

  /**
   * Takes in that something came to a local port. @returns Whether that is a hit.
   *
   * @param from Where it came from: nobody but the other side hits.
   */
  heard(localPort: number, { host, port }: HostPort): boolean {
    const { to, firstPort } = this.#options;
    const isOpen = localPort >= firstPort && localPort < firstPort + this.#opened;
    if (!isOpen || host !== to.host || port !== to.port) return false;
    this.#hit ??= localPort;
    return true;
  }
}
