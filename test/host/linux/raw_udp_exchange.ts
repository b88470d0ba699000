/**
 * A raw UDP socket beside the one that owns its port, and its peers, through what every host has: it
 * runs on Deno, Bun and QuickJS, in a network of its own.
 *
 * @module
 */

import { type DatagramBatch, SLOT_SIZE } from "../../../lib/core/net/datagram_batch.ts";
import { errorCode } from "../../../lib/host/error.ts";
import type { Host } from "../../../lib/host/host.ts";
import type { RawUdpSocket } from "../../../lib/host/raw_udp.ts";
import { Inbox, station } from "./raw_exchange.ts";

const OWNER = 51_820;
const PEER = 40_001;
const OTHER = 40_002;
/** Hears only what has three hops left. */
const NEAR = 40_003;
/** Hears only what has the mark 7. */
const MARKED = 40_004;
const SPARE = 45_000;
const MARK = 7;
const ENCODER = new TextEncoder();

/** A network of its own, for {@linkcode converse}. */
export const RAW_NETWORK: readonly string[] = [
  "unshare",
  "--net",
  "sh",
  "-c",
  `ip link set lo up && nft 'table inet t {
    chain input {
      type filter hook input priority 0;
      udp dport ${NEAR} meta nfproto ipv4 ip ttl != 3 drop
      udp dport ${NEAR} meta nfproto ipv6 ip6 hoplimit != 3 drop
    }
    chain output {
      type filter hook output priority 0;
      udp dport ${MARKED} meta mark != ${MARK} drop
    }
  }' && exec "$@"`,
  "sh",
];

/** What a raw socket has heard, as `text from port at port`. */
class RawInbox extends Inbox {
  readonly raw = {
    onBatch: (batch: DatagramBatch, ports: Uint16Array): void => {
      const before = this.texts.length;
      this.handlers.onBatch(batch);
      for (let i = 0; i < batch.count; i++) this.texts[before + i] += ` at ${ports[i]}`;
    },
    onSendError: (code: string, to?: { host: string; port: number }): void =>
      void this.errors.push(`${code} ${to?.host} ${to?.port}`),
  };

  /** What came since, up to the text that ends it. */
  async until(end: string): Promise<string[]> {
    for (let count = 1;; count++) {
      const texts = await this.first(count);
      const at = texts.findIndex((text) => text.startsWith(`${end} from`));
      if (at >= 0) return texts.splice(0, at + 1);
    }
  }
}

/** What a conversation came to, by its parts. */
export type Conversation = Readonly<Record<string, readonly string[]>>;

/** Speaks from a port that another socket owns, and from others, and hears what comes there. */
export async function converse(host: Host, address: string): Promise<Conversation> {
  const family = address.includes(":") ? 6 : 4;
  const owner = await station(host, address, OWNER);
  const peer = await station(host, address, PEER);
  const other = await station(host, address, OTHER);
  const near = await station(host, address, NEAR);
  const marked = await station(host, address, MARKED);
  const inbox = new RawInbox();
  const options = { family, port: OWNER, ...inbox.raw } as const;
  const raw = await host.rawUdp({ ...options, mark: MARK });
  const unmarked = await host.rawUdp({ ...options, mark: 0, onBatch() {}, onSendError() {} });
  const say = (socket: RawUdpSocket, text: string, port: number, how = {}) =>
    socket.send(ENCODER.encode(text), { host: address, port }, how);
  const result: Record<string, readonly string[]> = {};
  try {
    say(raw, "probe", PEER);
    say(raw, "", OTHER);
    say(raw, "spare", PEER, { from: SPARE });
    result.peer = (await peer.first(2)).slice();
    result.other = (await other.first(1)).slice();

    peer.say("not heard", SPARE);
    other.say("", OWNER);
    peer.say("echo", OWNER);
    result.heard = await inbox.until("echo");
    result.owner = (await owner.first(2)).slice();

    raw.hearAlso(SPARE, 2);
    for (let i = -1; i <= 2; i++) peer.say(`hit ${i}`, SPARE + i);
    peer.say("all", OWNER);
    result.also = await inbox.until("all");
    raw.hearAlso(0, 0);
    peer.say("hit", SPARE);
    peer.say("end", OWNER);
    result.alsoNoMore = await inbox.until("end");

    // What has WireGuard's shape, and what only looks like it at first.
    for (let type = 0; type <= 5; type++) {
      for (const size of [31, 32, 148]) peer.say(shape(type, size), OWNER);
    }
    peer.say("\x01\0\x01\0".padEnd(40, "t"), OWNER);
    peer.say("\x01\0\0\x01".padEnd(40, "u"), OWNER);
    peer.say("shapes", OWNER);
    const heard = await inbox.until("shapes");
    result.shapes = heard.map((text) => `${text.charCodeAt(0)} ${text.indexOf(" from")}`);

    for (const ttl of [undefined, 3, 2, 255, undefined]) say(raw, `ttl ${ttl}`, NEAR, { ttl });
    say(raw, "last", NEAR, { ttl: 3 });
    result.near = (await near.first(2)).slice();

    say(unmarked, "without", MARKED);
    say(raw, "with", MARKED);
    result.marked = (await marked.first(1)).slice();

    peer.say("x".repeat(SLOT_SIZE + 1), OWNER);
    peer.say("y".repeat(SLOT_SIZE), OWNER);
    peer.say("sizes", OWNER);
    result.sizes = (await inbox.until("sizes")).map((text) => `${text.indexOf(" from")}`);

    for (let i = 0; i < 150; i++) peer.say("many", OWNER);
    peer.say("enough", OWNER);
    result.many = [`${(await inbox.until("enough")).length}`];

    const before = inbox.errors.length;
    result.errorsBefore = inbox.errors.slice();
    raw.send(new Uint8Array(SLOT_SIZE + 1), { host: address, port: PEER });
    for (const host of ["example.org", address]) {
      raw.send(Uint8Array.of(1), { host, port: PEER }, { ttl: host === address ? 0 : 3 });
    }
    result.errors = inbox.errors.slice(before);
    result.ports = [[0, 1], [65_535, 2], [5, -1]].map(([first, count]) => {
      try {
        raw.hearAlso(first!, count!);
        return "none";
      } catch (error) {
        return errorCode(error);
      }
    });

    raw.close();
    raw.close();
    say(raw, "too late", PEER);
    unmarked.send(Uint8Array.of(120), { host: address, port: PEER });
    await peer.first(3);
    result.closed = [...peer.texts.slice(2), ...inbox.texts];
    return result;
  } finally {
    raw.close();
    unmarked.close();
    for (const { socket } of [owner, peer, other, near, marked]) socket.close();
  }
}

function shape(type: number, size: number): string {
  return `${String.fromCharCode(type)}\0\0\0`.padEnd(size, "s");
}

/** What {@linkcode converse} comes to where all is well. */
export const CONVERSATION: Conversation = {
  peer: ["probe from 51820", "spare from 45000"],
  other: [" from 51820"],
  heard: [" from 40002 at 51820", "echo from 40001 at 51820"],
  owner: [" from 40002", "echo from 40001"],
  also: [
    "hit 0 from 40001 at 45000",
    "hit 1 from 40001 at 45001",
    "all from 40001 at 51820",
  ],
  alsoNoMore: ["end from 40001 at 51820"],
  shapes: ["0 31", "0 32", "0 148", "1 31", "2 31", "3 31", "4 31"].concat(
    ["5 31", "5 32", "5 148", "1 40", "1 40", "115 6"],
  ),
  near: ["ttl 3 from 51820", "last from 51820"],
  marked: ["with from 51820"],
  sizes: ["2048", "5"],
  many: ["151"],
  errorsBefore: [],
  ports: ["EINVAL", "EINVAL", "EINVAL"],
  closed: ["x from 51820"],
};

/** The errors of {@linkcode converse}. */
export function conversationErrors(address: string): string[] {
  return [
    `EMSGSIZE ${address} 40001`,
    "EINVAL example.org 40001",
    `EINVAL ${address} 40001`,
  ];
}

/** What opening a raw socket of each family fails with. */
export async function rawRefusals(host: Host): Promise<string> {
  const codes: string[] = [];
  for (const family of [4, 6] as const) {
    const handlers = { onBatch() {}, onSendError() {} };
    try {
      (await host.rawUdp({ family, port: 5, mark: 0, ...handlers })).close();
      codes.push("none");
    } catch (error) {
      codes.push(errorCode(error));
    }
  }
  return codes.join();
}
