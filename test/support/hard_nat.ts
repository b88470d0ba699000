/**
 * Two hosts behind NATs that make a mapping of its own for each destination, and what they send each
 * other, in a time that is made up.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../../lib/core/net/host_port.ts";
import type { PunchStep } from "../../lib/core/punch/punch_step.ts";

/** How a NAT draws ports: one for all destinations, one more each time, any. */
export type HardNatKind = "steady" | "sequential" | "random";

/** A NAT that lets in only what comes from where a mapping goes to. */
export class HardNat {
  readonly host: string;
  readonly #kind: HardNatKind;
  readonly #draw: () => number;
  readonly #step: number;
  /** External ports, by local port and destination. */
  readonly #ports = new Map<string, number>();
  /** Local ports, by external port and destination. */
  readonly #locals = new Map<string, number>();
  readonly #taken = new Set<number>();
  #next: number;

  /** @param draw Numbers from 0 to 1. @param step By how much a sequential one counts. */
  constructor(host: string, kind: HardNatKind, draw: () => number, step = 1) {
    this.host = host;
    this.#kind = kind;
    this.#draw = draw;
    this.#step = step;
    this.#next = 1024 + Math.floor(draw() * 64512);
  }

  /** The port that a datagram leaves by. */
  out(localPort: number, to: HostPort): number {
    const destination = formatHostPort(to);
    const flow = `${localPort} ${this.#kind === "steady" ? "" : destination}`;
    let port = this.#ports.get(flow);
    if (port === undefined) this.#ports.set(flow, port = this.#newPort());
    this.#locals.set(`${port} ${destination}`, localPort);
    return port;
  }

  /** The local port that a datagram comes to, if it comes in. */
  into(port: number, from: HostPort): number | undefined {
    return this.#locals.get(`${port} ${formatHostPort(from)}`);
  }

  /** Somebody else opens a mapping. */
  foreign(): void {
    this.#newPort();
  }

  #newPort(): number {
    let port: number;
    do {
      port = this.#kind === "random" ? 1024 + Math.floor(this.#draw() * 64512) : this.#next;
      if (port === this.#next) {
        this.#next += this.#step;
        if (this.#next > 0xffff) this.#next += 1024 - 0x10000;
      }
    } while (this.#taken.has(port));
    this.#taken.add(port);
    return port;
  }
}

/** A host behind a NAT, and the machine that it runs. */
export interface HardHost {
  readonly nat: HardNat;
  next(mono: number): PunchStep;
  /** When it begins, in seconds. */
  readonly from: number;
  /** Foreign flows that its NAT has in a second. */
  readonly foreign?: number;
  /** Takes in what has come. @returns Whether that is all that was wanted. */
  heard(hit: HardHit): boolean;
  /** Does something at its time, and says when that is to be done again; Infinity: never. */
  aside?(mono: number): number;
}

/** What came to a host. */
export interface HardHit {
  readonly host: number;
  readonly localPort: number;
  readonly from: HostPort;
  /** When it came. */
  readonly at: number;
}

/** WireGuard's port. */
export const WIREGUARD_PORT = 51820;

/** A run that takes longer than that, in seconds, is over. */
const END = 60;

/** Two hosts, and what is on its way between them. */
class Meeting {
  /** What happens when; the hit, if it is one. */
  readonly #events: { readonly at: number; readonly run: () => HardHit | undefined }[] = [];
  readonly #draw: () => number;
  readonly #delay: number;
  /** How many datagrams each host has sent. */
  readonly sent: [number, number] = [0, 0];

  constructor(draw: () => number, delay: number) {
    this.#draw = draw;
    this.#delay = delay;
  }

  start(i: 0 | 1, host: HardHost, other: HardHost): void {
    this.#plan(host.from, () => this.#work(i, host, other, host.from));
    if (host.foreign !== undefined) this.#foreign(host.nat, host.foreign, 0);
    if (host.aside !== undefined) {
      this.#plan(host.from, () => this.#aside(i, host, other, host.from));
    }
  }

  run(): HardHit | undefined {
    for (;;) {
      let first = 0;
      this.#events.forEach(({ at }, i) => {
        if (at < this.#events[first]!.at) first = i;
      });
      const [event] = this.#events.splice(first, 1);
      if (event === undefined || event.at > END) return undefined;
      const hit = event.run();
      if (hit !== undefined) return hit;
    }
  }

  #plan(at: number, run: () => HardHit | undefined): void {
    if (at < Infinity) this.#events.push({ at, run });
  }

  #work(i: 0 | 1, host: HardHost, other: HardHost, at: number): undefined {
    let step = host.next(at);
    for (; step.kind === "send"; step = host.next(at)) {
      for (const { to, from = WIREGUARD_PORT } of step.datagrams) {
        this.sent[i]++;
        const source = { host: host.nat.host, port: host.nat.out(from, to) };
        const comes = at + this.#delay;
        this.#plan(comes, () => {
          const localPort = other.nat.into(to.port, source);
          if (localPort === undefined) return undefined;
          const hit = { host: 1 - i, localPort, from: source, at: comes };
          if (other.heard(hit)) return hit;
          return this.#work(i === 0 ? 1 : 0, other, host, comes);
        });
      }
    }
    if (step.kind === "done") return;
    const { until } = step;
    if (until <= at) throw new Error(`told to wait until ${until} at ${at}`);
    this.#plan(until, () => this.#work(i, host, other, until));
  }

  #aside(i: 0 | 1, host: HardHost, other: HardHost, at: number): undefined {
    const next = host.aside?.(at) ?? Infinity;
    this.#work(i, host, other, at);
    this.#plan(next, () => this.#aside(i, host, other, next));
  }

  #foreign(nat: HardNat, rate: number, at: number): undefined {
    const next = at - Math.log(1 - this.#draw()) / rate;
    this.#plan(next, () => {
      nat.foreign();
      return this.#foreign(nat, rate, next);
    });
  }
}

/**
 * Runs two hosts until one has heard what it wants, or neither does anything any more.
 *
 * @param delay Of a datagram, in seconds.
 */
export function meet(
  [a, b]: readonly [HardHost, HardHost],
  draw: () => number,
  delay: number,
): { readonly hit: HardHit | undefined; readonly sent: readonly [number, number] } {
  const meeting = new Meeting(draw, delay);
  meeting.start(0, a, b);
  meeting.start(1, b, a);
  return { hit: meeting.run(), sent: meeting.sent };
}
