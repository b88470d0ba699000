/**
 * The keys that two peers have in common, and nobody else has.
 *
 * ```
 * keys = HKDF-SHA256(ikm X25519(P_a, P_b), no salt, info "wgsig 2 pair" smaller larger)
 *
 *  0             32           64              68
 * +-------------+------------+---------------+--------------+
 * | K (smaller) | K (larger) | TAG (smaller) | TAG (larger) |
 * +-------------+------------+---------------+--------------+
 * ```
 *
 * Smaller and larger are the two public keys, compared as bytes. Each side seals with its own K, and
 * marks what it sends with its own TAG. docs/protocol-2.md, "Between peers".
 *
 * @module
 */

import { AEAD_KEY_SIZE, AeadKey } from "../crypto/aead_key.ts";
import { EXCHANGE_KEY_SIZE, type ExchangeKey } from "../crypto/exchange_key.ts";
import { deriveKey } from "../crypto/hkdf.ts";
import type { Primitives } from "../crypto/primitives.ts";
import { joinBytes, WireBuffer } from "../bytes/wire_buffer.ts";

/** "wgsig 2 pair". */
const INFO = Uint8Array.from("wgsig 2 pair", (letter) => letter.charCodeAt(0));
const TAGS = 2 * AEAD_KEY_SIZE;
const TAG_BYTES = 4;
const KEYS_SIZE = TAGS + 2 * TAG_BYTES;

/** What two peers speak with. */
export class PairKeys {
  /** Seals what this side sends. */
  readonly send: AeadKey;
  /** Opens what the other side has sent. */
  readonly receive: AeadKey;
  /** Marks what this side sends, 32 bits. It is no secret. */
  readonly sendTag: number;
  /** Marks what the other side sends, 32 bits. Two pairs may have the same. */
  readonly receiveTag: number;
  /** Whether this side has the smaller public key: of what only one may do, it does it. */
  readonly isSmaller: boolean;

  private constructor(keys: WireBuffer, isSmaller: boolean, primitives: Primitives) {
    const [own, theirs] = isSmaller ? [0, 1] : [1, 0];
    const key = (side: number) =>
      new AeadKey(
        keys.bytes.subarray(side * AEAD_KEY_SIZE, (side + 1) * AEAD_KEY_SIZE),
        primitives,
      );
    this.send = key(own);
    this.receive = key(theirs);
    this.sendTag = keys.view.getUint32(TAGS + own * TAG_BYTES);
    this.receiveTag = keys.view.getUint32(TAGS + theirs * TAG_BYTES);
    this.isSmaller = isSmaller;
  }

  /**
   * The keys of a pair. It takes an X25519.
   *
   * @param own This side's WireGuard private key.
   * @param peer The other side's WireGuard public key, 32 bytes. Not kept.
   * @returns Undefined where there are none: no peer has a public key of small order (RFC 7748,
   *   section 6.1), and nobody makes a pair with itself.
   * @throws {RangeError} If the public key has another size.
   */
  static agree(own: ExchangeKey, peer: Uint8Array, primitives: Primitives): PairKeys | undefined {
    if (peer.length !== EXCHANGE_KEY_SIZE) {
      throw new RangeError(`Cannot agree on keys: a public key has ${peer.length} bytes, not 32`);
    }
    const ownPublic = own.publicKey.bytes;
    const order = compare(ownPublic, peer);
    const shared = new Uint8Array(EXCHANGE_KEY_SIZE);
    if (order === 0 || !own.agree(new WireBuffer(peer), 0, shared)) return undefined;
    const isSmaller = order < 0;
    const info = joinBytes(isSmaller ? [INFO, ownPublic, peer] : [INFO, peer, ownPublic]);
    const keys = new WireBuffer(KEYS_SIZE);
    deriveKey({ secret: shared, info }, keys.bytes, primitives);
    const pair = new PairKeys(keys, isSmaller, primitives);
    shared.fill(0);
    keys.bytes.fill(0);
    return pair;
  }
}

/** Negative where `a` is the smaller one, 0 where they are the same. They are as long. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return 0;
}
