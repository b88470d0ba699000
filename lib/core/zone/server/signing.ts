/**
 * What all zones of a server sign with together: the signatures that are used again, and how much may
 * be signed anew. It stays when the zones are configured anew: with the same keys, nothing is signed
 * twice.
 *
 * @module
 */

import type { Counters } from "../../net/counters.ts";
import { SignatureCache } from "./signature_cache.ts";
import { signingRate, SigningWork } from "./signing_work.ts";

/** How much is kept, in pieces of 128 KiB. Memory is taken when it is needed. */
export interface SigningBounds {
  /** For the sets of the zones. */
  readonly sets: number;
  /** For sets of more than 4 KiB. */
  readonly lists: number;
  /**
   * For names that don't exist, of which there is no end, and those of lists without peers; and for
   * which lists are the same.
   */
  readonly passing: number;
}

/** 64 MiB, for 200 000 sets; 8 MiB; 4 MiB. */
const BOUNDS: SigningBounds = { sets: 512, lists: 64, passing: 32 };
/** So many signers are known by their number. */
const MAX_SIGNERS = 4096;
/** Until somebody has measured it: that of OpenSSL. */
const SECONDS_PER_SIGNATURE = 25e-6;

/** One for a server. */
export class Signing {
  /** Signatures of the sets of zones, */
  readonly sets: SignatureCache;
  /** of large ones, */
  readonly lists: SignatureCache;
  /** and of what is soon another. */
  readonly passing: SignatureCache;
  /** What may be signed anew. */
  readonly work: SigningWork = new SigningWork(signingRate(SECONDS_PER_SIGNATURE));
  /** Told of `dns-signed`, `dns-signature-reused`, `dns-sign-limited` and `dns-sign-failed`. */
  readonly counters: Counters;
  readonly #numbers = new Map<string, number>();
  #last = 0;

  /** Makes one without signatures. @param seed Random. */
  constructor(seed: number, counters: Counters, bounds: SigningBounds = BOUNDS) {
    this.counters = counters;
    this.sets = new SignatureCache(bounds.sets, seed);
    this.lists = new SignatureCache(bounds.lists, seed);
    this.passing = new SignatureCache(bounds.passing, seed);
  }

  /** The number of a signer: the same for the same name and keys, never that of another. */
  numberOf(name: Uint8Array, keys: readonly { readonly dnskey: Uint8Array }[]): number {
    const text = [name, ...keys.map(({ dnskey }) => dnskey)].join(" ");
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    if (this.#numbers.size >= MAX_SIGNERS) this.#numbers.clear();
    this.#numbers.set(text, ++this.#last);
    return this.#last;
  }
}
