/**
 * A zone of WireGuard peers that answers questions, as servers and recursors of all kinds do.
 *
 * @module
 */

import type { ZoneExchange } from "../../lib/core/zone/client/exchange.ts";
import type { Transport } from "../../lib/core/dns/question_queue.ts";
import {
  type AskedQuestion,
  dnsResponse,
  FLAGS,
  instanceOf,
  keyOf,
  readQuestion,
  type TestRecord,
  type TestResponse,
} from "./dns_messages.ts";

/** A peer as the zone has it. */
export interface DoublePeer {
  readonly publicKey: string;
  /** A and AAAA records of its target. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** What SRV points to; its own name where this is left out. */
  readonly target?: string;
  /** `txtvers=1` and `pub=` where this is left out; null is no TXT record. */
  readonly txt?: readonly string[] | null;
}

/** What kind of server it is. */
export interface DoubleOptions {
  readonly zone?: string;
  readonly peers: readonly DoublePeer[];
  /** The most names in a list; more are left out. */
  readonly maxNames?: number;
  /** What a list that isn't whole shows: a count, TC, both, nothing. */
  readonly cut?: "count" | "tc" | "both" | "nothing";
  /** Whether there are lists by the beginnings of keys. */
  readonly subtypes?: boolean;
  /** Leave out what stands beside the answer. */
  readonly bare?: boolean;
  /** The most bytes over UDP, else TC. */
  readonly udpSize?: number;
  /** What `name TYPE` (in lower case) is answered with instead. */
  readonly instead?: (asked: string, question: AskedQuestion) => TestResponse | undefined;
}

/** A response, perhaps with the names of instances in its answer. */
interface DoubleResponse extends TestResponse {
  readonly listed?: readonly string[];
}

/** The zone of tests. */
export const ZONE = "example.com";

/** A peer with an address and a port of its own. */
export function doublePeer(number: number, more: Partial<DoublePeer> = {}): DoublePeer {
  return {
    publicKey: keyOf(number),
    addresses: [`192.0.${(number >> 8) & 255}.${number & 255}`],
    port: 1 + number % 65_535,
    ...more,
  };
}

/** A zone that answers. */
export class ZoneDouble {
  readonly #options: DoubleOptions;
  readonly #zone: string;
  /** By the name of the instance, and by what SRV points to. */
  readonly #byName: ReadonlyMap<string, DoublePeer>;
  readonly #byTarget: ReadonlyMap<string, DoublePeer>;
  /** What was asked, as `name TYPE`, over TCP with `+tcp` behind. */
  readonly asked: string[] = [];

  constructor(options: DoubleOptions) {
    this.#options = options;
    this.#zone = options.zone ?? ZONE;
    const { peers } = options;
    this.#byName = new Map(peers.map((peer) => [this.nameOf(peer.publicKey), peer]));
    this.#byTarget = new Map([...this.#byName].map(([name, peer]) => [peer.target ?? name, peer]));
  }

  /** The name of a peer's instance. */
  nameOf(publicKey: string): string {
    return instanceOf(publicKey, this.#zone);
  }

  /** The answer to a question. */
  answer(bytes: Uint8Array, transport: Transport): Uint8Array {
    const question = readQuestion(bytes);
    const { id, name, type, class: klass } = question;
    const asked = `${name.toLowerCase()} ${type}`;
    this.asked.push(transport === "tcp" ? `${asked} +tcp` : asked);
    const response: DoubleResponse = this.#options.instead?.(asked, question) ??
      this.#answer(asked, transport);
    const head = { id, questions: [{ name, type, class: klass }] };
    const { listed, ...rest } = response;
    const plain = dnsResponse({ ...head, ...rest });
    const whole = listed === undefined ? plain : withList(plain, name, listed);
    const { udpSize = 65_535 } = this.#options;
    if (transport === "tcp" || whole.length <= udpSize) return whole;
    return dnsResponse({ ...head, flags: FLAGS.aa | FLAGS.tc });
  }

  #answer(asked: string, transport: Transport): DoubleResponse {
    const { subtypes = true } = this.#options;
    const [name = "", type = ""] = asked.split(" ");
    const service = `_wireguard._udp.${this.#zone}`;
    const prefix = /^_([a-z2-7]{1,3})\._sub\./.exec(name)?.[1];
    if (name === service || (subtypes && name === `_${prefix}._sub.${service}`)) {
      const listed = [...this.#byName.keys()].filter((each) => each.startsWith(prefix ?? ""));
      if (listed.length === 0 && prefix !== undefined) return this.#nothing();
      return type === "PTR" ? this.#list(name, listed, transport) : {};
    }
    const peer = this.#byName.get(name);
    const records = [...this.#addresses(name), ...(peer === undefined ? [] : this.#text(peer))];
    if (peer === undefined && records.length === 0) return this.#nothing();
    if (type !== "SRV" || peer === undefined) {
      return { answers: records.filter((record) => record.type === type) };
    }
    const { port, target = name } = peer;
    return {
      answers: [{ type, name, data: { priority: 0, weight: 0, port, target } }],
      additionals: this.#options.bare ? [] : [...this.#addresses(target), ...this.#text(peer)],
    };
  }

  #list(name: string, listed: string[], transport: Transport): DoubleResponse {
    const { maxNames = Infinity, cut = "count", bare = false } = this.#options;
    const isCut = listed.length > maxNames;
    const tells = isCut && !bare && (cut === "count" || cut === "both");
    const count = { type: "TXT", name, data: ["txtvers=1", `peers=${listed.length}`] };
    const tc = isCut && transport === "tcp" && (cut === "tc" || cut === "both") ? FLAGS.tc : 0;
    return {
      flags: FLAGS.aa | tc,
      listed: listed.slice(0, maxNames),
      additionals: tells ? [count] : [],
    };
  }

  #nothing(): TestResponse {
    const mname = `ns.${this.#zone}`;
    const soa = { type: "SOA", name: this.#zone, data: { mname, rname: mname } };
    return { flags: FLAGS.aa | 3, authorities: [soa] };
  }

  #addresses(name: string): TestRecord[] {
    return (this.#byTarget.get(name)?.addresses ?? []).map((data) => ({
      type: data.includes(":") ? "AAAA" : "A",
      name,
      data,
    }));
  }

  #text({ publicKey, txt = ["txtvers=1", `pub=${publicKey}`] }: DoublePeer): TestRecord[] {
    return txt === null ? [] : [{ type: "TXT", name: this.nameOf(publicKey), data: [...txt] }];
  }
}

/**
 * Puts PTR records behind the question, which dns-packet would write without compression: no list of
 * 900 names would fit. Each owner and the end of each instance's name is the question's.
 */
function withList(response: Uint8Array, owner: string, listed: readonly string[]): Uint8Array {
  const after = 12 + owner.length + 2 + 4;
  const service = 0xc00c + owner.toLowerCase().indexOf("_wireguard.");
  const records = listed.flatMap((name) => {
    const label = [...new TextEncoder().encode(name.slice(0, name.indexOf(".")))];
    const data = [label.length, ...label, service >> 8, service & 255];
    return [0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 0, 0, data.length, ...data];
  });
  const whole = new Uint8Array(response.length + records.length);
  whole.set(response.subarray(0, after));
  whole.set(records, after);
  whole.set(response.subarray(after), after + records.length);
  new DataView(whole.buffer).setUint16(6, listed.length);
  return whole;
}

/** Asks until there is nothing more to ask; all answers come at once. */
export function askAll(exchange: ZoneExchange, zone: ZoneDouble, now = 0): void {
  for (;;) {
    const due = exchange.due(now);
    if (due.length === 0) return;
    for (const { bytes, transport } of due) {
      const receipt = exchange.receive(zone.answer(bytes, transport), transport);
      if (receipt !== "accepted") throw new Error(receipt);
    }
  }
}
