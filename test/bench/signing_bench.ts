/**
 * What signatures cost that are used again: zones answer questions of many peers with and without
 * them, wire and core alone. Runs on Deno and Bun.
 *
 * @module
 */

import { Counters } from "../../lib/core/net/counters.ts";
import { ADDRESS_SIZE, writeIpv4 } from "../../lib/core/net/ip_address.ts";
import { ZoneSigner } from "../../lib/core/zone/server/signer.ts";
import { Signing } from "../../lib/core/zone/server/signing.ts";
import type { QueryPath } from "../../lib/core/zone/server/zone_view.ts";
import { AnswerWriter, MAX_TCP_SIZE, MAX_UDP_SIZE } from "../../lib/wire/dns/answer.ts";
import { newDnsQuery, parseQuery } from "../../lib/wire/dns/query.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { countingKey } from "../support/zone_keys.ts";
import { ListQuestion, SrvQuestions } from "./dns_questions.ts";
import { UNIX } from "./requests.ts";
import { newBenchZone } from "./zones.ts";

const PEERS = 10_000;
const ROUNDS = 7;
const LISTS = 500;
/** Peers of the list that is whole. */
const LISTED = 500;

/** Answers questions, with signatures or without. */
class SignedZone {
  readonly #writer = new AnswerWriter();
  readonly #query = newDnsQuery();
  readonly #out = new WireBuffer(MAX_TCP_SIZE);
  readonly #zone;
  readonly #path: QueryPath;
  readonly signer: ZoneSigner;
  readonly now = { unix: UNIX, mono: 1 };

  constructor(peers: number, keys: number) {
    this.#zone = newBenchZone("group", peers);
    const signing = new Signing(1, new Counters());
    signing.work.configure({ perSecond: 1e9, burst: 1e9 });
    const made = Array.from({ length: keys }, (_, i) => countingKey(i, 13, true));
    this.signer = new ZoneSigner(this.#zone.name, made, signing);
    const local = new WireBuffer(ADDRESS_SIZE);
    writeIpv4(local, 0, 0x7f00_0001);
    this.#path = { transport: "tcp", source: local, sourceAt: 0, local, localAt: 0 };
  }

  answer(from: WireBuffer, size: number, limit: number, isSigned: boolean): number {
    parseQuery(from, 0, size, this.#query);
    this.#writer.begin(this.#query, from, this.#out, 0, limit);
    if (isSigned) {
      this.signer.begin(this.now, "udp", true);
      this.#writer.coverWith(this.signer);
    }
    const view = this.#zone.viewOf(this.#path, undefined);
    if (view === undefined) throw new Error("no view");
    view.answer(this.#query, from, this.#path, this.now, this.#writer);
    return this.#writer.finish(this.#query, 0, true);
  }
}

/** The least microseconds of several rounds. */
function least(count: number, run: (i: number) => void): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    for (let i = 0; i < count; i++) run(i);
    best = Math.min(best, performance.now() - from);
  }
  return best * 1000 / count;
}

function say(line: string): void {
  // deno-lint-ignore no-console -- a bench prints
  console.log(line);
}

function benchSrv(keys: number): void {
  const zone = new SignedZone(PEERS, keys);
  const questions = new SrvQuestions(PEERS);
  const query = new WireBuffer(questions.size);
  const ask = (isSigned: boolean) => (peer: number) => {
    questions.write(peer, peer, query, 0);
    zone.answer(query, questions.size, MAX_UDP_SIZE, isSigned);
  };
  const plain = least(PEERS, ask(false));
  const signed = least(PEERS, ask(true));
  const size = zone.answer(query, questions.size, MAX_UDP_SIZE, true);
  say(`SRV, ${keys} keys: ${plain.toFixed(2)} µs, signed ${signed.toFixed(2)} µs (${size} bytes)`);
}

function benchList(peers: number): void {
  const zone = new SignedZone(peers, 1);
  const query = new WireBuffer(new ListQuestion().query);
  const ask = (isSigned: boolean) => () => {
    zone.now.mono += 1e-3;
    zone.answer(query, query.size, MAX_TCP_SIZE, isSigned);
  };
  const plain = least(LISTS, ask(false));
  const signed = least(LISTS, ask(true));
  say(`PTR of ${peers}: ${plain.toFixed(1)} µs, signed ${signed.toFixed(1)} µs`);
}

benchSrv(1);
benchSrv(2);
benchList(LISTED);
benchList(PEERS);
