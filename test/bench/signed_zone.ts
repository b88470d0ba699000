/**
 * A zone that is signed, without sockets.
 *
 * @module
 */

import { Counters } from "../../lib/core/net/counters.ts";
import { ADDRESS_SIZE, writeIpv4 } from "../../lib/core/net/ip_address.ts";
import { ZoneSigner } from "../../lib/core/zone/server/signer.ts";
import { Signing } from "../../lib/core/zone/server/signing.ts";
import type { Zone } from "../../lib/core/zone/server/zone.ts";
import type { QueryPath } from "../../lib/core/zone/server/zone_view.ts";
import { AnswerWriter, MAX_TCP_SIZE } from "../../lib/wire/dns/answer.ts";
import { newDnsQuery, parseQuery } from "../../lib/wire/dns/query.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { countingKey } from "../support/zone_keys.ts";
import { UNIX } from "./requests.ts";
import { newBenchZone } from "./zones.ts";

const always = () => true;

/** Answers questions, with signatures or without. */
export class SignedZone {
  readonly #writer = new AnswerWriter();
  readonly #query = newDnsQuery();
  /** Where answers are. */
  readonly out: WireBuffer = new WireBuffer(MAX_TCP_SIZE);
  readonly #zone: Zone;
  readonly #path: QueryPath;
  readonly #signer: ZoneSigner;
  /** Of both clocks. */
  readonly now: { unix: number; mono: number } = { unix: UNIX, mono: 1 };

  /** @param keys How many sign it. Their signatures cost next to nothing. */
  constructor(peers: number, keys: number) {
    this.#zone = newBenchZone("group", peers);
    const signing = new Signing(1, new Counters());
    signing.work.configure({ perSecond: 1e9, burst: 1e9 });
    const made = Array.from({ length: keys }, (_, i) => countingKey(i, 13, true));
    this.#signer = new ZoneSigner(this.#zone.name, made, signing);
    const local = new WireBuffer(ADDRESS_SIZE);
    writeIpv4(local, 0, 0x7f00_0001);
    this.#path = { transport: "tcp", source: local, sourceAt: 0, local, localAt: 0 };
  }

  /** Answers the query of `size` bytes in `limit` bytes at most. Returns the answer's size. */
  answer(from: WireBuffer, size: number, limit: number, isSigned: boolean): number {
    parseQuery(from, 0, size, this.#query);
    this.#writer.begin(this.#query, from, this.out, 0, limit);
    if (isSigned) {
      this.#signer.begin(this.now, this.#path, always, false);
      this.#writer.coverWith(this.#signer);
    }
    const view = this.#zone.viewOf(this.#path, undefined);
    if (view === undefined) throw new Error("no view");
    view.find(this.#query, from, this.#path, this.now);
    view.answer(this.#query.type, this.#query, from, "tcp", this.now, this.#writer);
    return this.#writer.finish(this.#query, 0, true);
  }
}
