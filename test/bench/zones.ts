/**
 * DNS zones of many peers, and queries for them, without sockets.
 *
 * @module
 */

import { BATCH_SIZE } from "../../lib/core/net/datagram_batch.ts";
import { Counters } from "../../lib/core/net/counters.ts";
import { ADDRESS_SIZE, writeIpv4 } from "../../lib/core/net/ip_address.ts";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import { Zone } from "../../lib/core/zone/server/zone.ts";
import type { QueryPath } from "../../lib/core/zone/server/zone_view.ts";
import { GroupPeers } from "../../lib/core/zone/server/group_peers.ts";
import { DevicePeers, KnownAllowedIps, type ZonePeers } from "../../lib/core/zone/server/peers.ts";
import { ZoneSet } from "../../lib/core/zone/server/set.ts";
import { MAX_TCP_SIZE, MAX_UDP_SIZE } from "../../lib/wire/dns/answer.ts";
import { signMessage, TSIG_FUDGE, type TsigKey, tsigSize } from "../../lib/wire/dns/tsig.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ListQuestion, SrvQuestions, ZONE } from "./dns_questions.ts";
import { portOf, registryOf, UNIX, writeId } from "./requests.ts";

/** Where a zone's peers come from. */
export const SOURCES = ["group", "device"] as const;

const SEED = 1;
const NO_BUDGET = { bytesPerSecond: 0, burst: 0 };
const NOW = { unix: UNIX, mono: 1 };

/** How a zone is asked. */
export interface BenchZoneOptions {
  /** With which the questions are signed. */
  readonly tsig?: TsigKey;
}

/** A server of one zone. */
export class BenchZone {
  readonly #zones = new ZoneSet(NO_BUDGET, SEED, new Counters());
  readonly #tsig: TsigKey | undefined;
  /** The size of a question. */
  readonly #size: number;
  readonly #questions: SrvQuestions;
  readonly #list = new ListQuestion();
  readonly #listQuery = new WireBuffer(this.#list.query);
  readonly #queries: WireBuffer;
  readonly #answers = new WireBuffer(BATCH_SIZE * MAX_UDP_SIZE);
  readonly #tcpAnswer = new WireBuffer(MAX_TCP_SIZE);
  readonly #path: QueryPath;
  readonly #peers: number;
  #next = 0;

  constructor(
    source: (typeof SOURCES)[number],
    peers: number,
    { tsig }: BenchZoneOptions = {},
  ) {
    const zone = newBenchZone(source, peers, tsig === undefined ? [] : [tsig]);
    this.#zones.configure([zone], NO_BUDGET);
    this.#questions = new SrvQuestions(peers);
    this.#tsig = tsig;
    this.#size = this.#questions.size + (tsig === undefined ? 0 : tsigSize(tsig));
    this.#queries = new WireBuffer(BATCH_SIZE * this.#size);
    this.#peers = peers;
    const local = new WireBuffer(ADDRESS_SIZE);
    writeIpv4(local, 0, 0x7f00_0001);
    this.#path = { transport: "udp", source: local, sourceAt: 0, local, localAt: 0 };
  }

  /** Writes 64 queries, each for another peer than before. */
  fill(): void {
    for (let i = 0; i < BATCH_SIZE; i++) {
      const at = this.#at(i);
      this.#questions.write((this.#next + i) % this.#peers, i, this.#queries, at);
      if (this.#tsig === undefined) continue;
      signMessage(this.#tsig, this.#queries, at, this.#questions.size, UNIX, TSIG_FUDGE);
    }
    this.#next = (this.#next + BATCH_SIZE) % this.#peers;
  }

  /** Answers the 64 queries. */
  answer(): void {
    const size = this.#size;
    for (let i = 0; i < BATCH_SIZE; i++) {
      const at = i * MAX_UDP_SIZE;
      const out = this.#answers;
      this.#zones.answer(this.#queries, this.#at(i), size, this.#path, NOW, out, at, MAX_UDP_SIZE);
    }
  }

  /** Whether the last answer to the first of the queries was right. */
  get isRight(): boolean {
    const peer = (this.#next + this.#peers - BATCH_SIZE) % this.#peers;
    return this.#questions.isAnswer(peer, 0, this.#answers, 0, MAX_UDP_SIZE);
  }

  /** Answers a question for the list of all over TCP, and returns the answer's size. */
  answerList(): number {
    const query = this.#listQuery;
    const path = this.#path;
    path.transport = "tcp";
    const out = this.#tcpAnswer;
    const size = this.#zones.answer(query, 0, query.size, path, NOW, out, 0, MAX_TCP_SIZE);
    path.transport = "udp";
    return size;
  }

  #at(query: number): number {
    return query * this.#size;
  }
}

/** A zone of so many peers, that may be asked with `keys`. */
export function newBenchZone(
  source: (typeof SOURCES)[number],
  peers: number,
  keys: readonly TsigKey[] = [],
): Zone {
  const zonePeers = source === "group" ? groupPeers(peers) : devicePeers(peers);
  return new Zone({ name: ZONE, peers: [zonePeers], keys });
}

function groupPeers(peers: number): ZonePeers {
  const group = registryOf(peers, peers).groups.get(0);
  if (group === undefined) throw new Error("the registry has no group");
  return new GroupPeers(group, new KnownAllowedIps(new Map(), SEED));
}

function devicePeers(peers: number): ZonePeers {
  const device = new DevicePeers(SEED);
  const id = new WireBuffer(32);
  device.set({
    publicKey: undefined,
    listenPort: 0,
    peers: Array.from({ length: peers }, (_, peer) => {
      writeId(peer, id);
      return {
        publicKey: formatKey(id.bytes),
        endpoint: { host: "127.0.0.1", port: portOf(peer) },
        allowedIps: [`10.0.${peer >> 8}.${peer & 255}/32`],
      };
    }),
  });
  return device;
}
