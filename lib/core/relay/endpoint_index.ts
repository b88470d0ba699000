/**
 * Finds whose endpoint a datagram comes from. Several can have the same one: a host that is in two
 * groups.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { hashId } from "../net/id_hash.ts";
import { NONE } from "../net/none.ts";
import { HashChains } from "./hash_chains.ts";
import { ENDPOINT_SIZE } from "./relay_group.ts";

/** Endpoints by place, which is a number below a capacity. */
export class EndpointIndex {
  readonly #seed: number;
  readonly #endpoints: WireBuffer;
  readonly #hashes: Int32Array;
  readonly #isThere: Uint8Array;
  readonly #chains: HashChains;
  // Filled up to the size that the hash takes.
  readonly #key = new WireBuffer(ID_SIZE);
  // The last one that was looked for: most datagrams come one after the other from the same.
  readonly #last = new WireBuffer(ENDPOINT_SIZE);
  #lastHash = 0;

  /** @param seed Random, so that nobody can choose endpoints that collide. */
  constructor(capacity: number, seed: number) {
    this.#seed = seed;
    this.#endpoints = new WireBuffer(capacity * ENDPOINT_SIZE);
    this.#hashes = new Int32Array(capacity);
    this.#isThere = new Uint8Array(capacity);
    this.#chains = new HashChains(capacity);
    this.#lastHash = this.#hash(this.#last, 0);
  }

  /** The first place with the endpoint at `at`, or NONE. */
  find(sources: WireBuffer, at: number): number {
    if (!areEqual(sources, at, this.#last, 0)) {
      copyBytes(sources, at, this.#last, 0, ENDPOINT_SIZE);
      this.#lastHash = this.#hash(sources, at);
    }
    return this.#alike(this.#chains.first(this.#lastHash), sources, at);
  }

  /** The next place with that endpoint, or NONE. */
  next(place: number, sources: WireBuffer, at: number): number {
    return this.#alike(this.#chains.next(place), sources, at);
  }

  /** Puts the endpoint at `at` to a place, whatever was there. */
  set(place: number, sources: WireBuffer, at: number): void {
    const own = place * ENDPOINT_SIZE;
    if (this.#isThere[place] !== 0 && areEqual(sources, at, this.#endpoints, own)) return;
    this.clear(place);
    copyBytes(sources, at, this.#endpoints, own, ENDPOINT_SIZE);
    const hash = this.#hashes[place] = this.#hash(sources, at);
    this.#chains.add(hash, place);
    this.#isThere[place] = 1;
  }

  /** Empties a place. */
  clear(place: number): void {
    if (this.#isThere[place] === 0) return;
    this.#chains.remove(this.#hashes[place]!, place);
    this.#isThere[place] = 0;
  }

  #alike(place: number, sources: WireBuffer, at: number): number {
    while (place !== NONE && !areEqual(sources, at, this.#endpoints, place * ENDPOINT_SIZE)) {
      place = this.#chains.next(place);
    }
    return place;
  }

  #hash(sources: WireBuffer, at: number): number {
    copyBytes(sources, at, this.#key, 0, ENDPOINT_SIZE);
    return hashId(this.#key, 0, this.#seed);
  }
}

/** The port first: it differs most. */
function areEqual(a: WireBuffer, aAt: number, b: WireBuffer, bAt: number): boolean {
  return a.view.getInt16(aAt + 16) === b.view.getInt16(bAt + 16) &&
    a.view.getInt32(aAt + 12) === b.view.getInt32(bAt + 12) &&
    a.view.getInt32(aAt + 8) === b.view.getInt32(bAt + 8) &&
    a.view.getInt32(aAt + 4) === b.view.getInt32(bAt + 4) &&
    a.view.getInt32(aAt) === b.view.getInt32(bAt);
}
