/**
 * Looks how the own NAT maps the port that asks a registry: at the registry's other ports as well, and
 * without a word of what this peer is registered with.
 *
 * @module
 */

import { OFFER } from "../../wire/wgsig2/answer.ts";
import type { Now } from "../net/clock.ts";
import { familyOf, formatHostPort, type HostPort } from "../net/host_port.ts";
import type { AskedInquiry } from "./asked_inquiry.ts";
import type { Conversation } from "./conversation.ts";
import { Inquiry } from "./inquiry.ts";
import type { PortSight } from "./nat_verdict.ts";
import { OwnMapping } from "./own_mapping.ts";
import type { RegistryName } from "./server_name.ts";

/** So many other ports are asked, for so many seconds. */
const LOOK = { ports: 4, wait: 1.5 };
/** So often each is asked, for retries. */
const MOST_LOOKS = 3;
/** So long after all else is known what shows the cookie is awaited, in seconds. */
const GRACE = 1;

/** Where a question went that was heard, and when first by the monotonic clock. */
interface FirstSent {
  readonly to: HostPort;
  readonly at: number;
}

/** Looks around one registry. */
export class LookAround {
  readonly #conversation: Conversation;
  readonly #mapping = new OwnMapping(LOOK);
  readonly #sent = new Map<AskedInquiry, FirstSent>();
  /** Asks once more: a registry tells of its other ports to who shows a cookie. */
  #again: AskedInquiry | undefined;

  /** Begins with the first {@linkcode follow}. */
  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  /** Goes on where the registry has answered over IPv4. */
  follow(ipv4: Inquiry | undefined, now: Now): void {
    if (ipv4?.isAnswered !== true) return;
    if (ipv4.also.length > 0) return this.#mapping.follow(this.#conversation, ipv4, now);
    const wish = { family: 4, registers: false, asks: false } as const;
    const inquiry = this.#again?.inquiry ?? new Inquiry(this.#conversation, wish, now);
    this.#again ??= { inquiry, family: 4, isOwn: true, attempts: 0 };
    if (inquiry.isAnswered) this.#mapping.follow(this.#conversation, inquiry, now);
  }

  /** What is to be asked now, and at which port. */
  due(now: Now): AskedInquiry | undefined {
    const again = this.#again === undefined ? [] : [this.#again];
    return [...again, ...this.#mapping.asked].find(({ attempts, inquiry }) =>
      attempts < MOST_LOOKS && inquiry.next(now).kind === "ask"
    );
  }

  /** Where that goes: to the address that has answered. */
  placeOf({ family, port }: AskedInquiry): HostPort | undefined {
    const first = [...this.#sent.values()].find(({ to }) => familyOf(to) === family);
    return first && { ...first.to, port: port ?? first.to.port };
  }

  /** Notes that a question goes out. */
  note(asked: AskedInquiry, to: HostPort, { mono }: Now): void {
    if (asked === this.#again) return;
    // Until it is heard, it may go to another address each time.
    const isOpen = this.#sent.get(asked) === undefined || !asked.inquiry.isHeard;
    if (isOpen) this.#sent.set(asked, { to, at: mono });
  }

  /** Until when it is awaited: the monotonic clock. */
  get until(): number {
    return this.#mapping.until;
  }

  /** Whether nothing is awaited. @param knownAt When all else was known; Infinity before. */
  isOver(now: Now, knownAt: number): boolean {
    const awaitsAgain = this.#again?.inquiry.isDone === false && now.mono < knownAt + GRACE;
    return !awaitsAgain && this.#mapping.isOver(now);
  }

  /** Where each port that was asked has seen the own one. */
  sights({ host, port: named }: RegistryName): readonly PortSight[] {
    return [...this.#sent].flatMap(([{ inquiry, port = named }, { to, at }]) =>
      inquiry.seen === undefined ? [] : [{
        server: formatHostPort({ host, port }),
        registry: to,
        seen: inquiry.seen,
        askedAt: at,
      }]
    );
  }

  /** Where the registry relays, if it does. */
  get relay(): HostPort | undefined {
    const relays = ([{ inquiry }]: [AskedInquiry, FirstSent]) =>
      (inquiry.offers & OFFER.relays) !== 0;
    return [...this.#sent].find(relays)?.[1].to;
  }
}
