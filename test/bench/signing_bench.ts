/**
 * What signatures cost that are used again: zones answer questions of many peers with and without
 * them, wire and core alone. Runs on Deno and Bun.
 *
 * @module
 */

import { MAX_TCP_SIZE, MAX_UDP_SIZE } from "../../lib/wire/dns/answer.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ListQuestion, SrvQuestions } from "./dns_questions.ts";
import { SignedZone } from "./signed_zone.ts";

const PEERS = 10_000;
const ROUNDS = 25;
const LISTS = 500;
/** Peers of the list that is whole. */
const LISTED = 500;

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
