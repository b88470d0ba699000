/**
 * *mac1* of WireGuard's handshake messages: whoever knows a public key sees by it whether a message is
 * for the holder of that key.
 *
 * It is BLAKE2s of 16 bytes over what stands before it, with the key BLAKE2s("mac1----" ‖ public key).
 * https://www.wireguard.com/papers/wireguard.pdf, section 5.4.4; RFC 7693.
 *
 * @module
 */

import { blake2s } from "@noble/hashes/blake2.js";
import { equalBytes, WireBuffer } from "../bytes/wire_buffer.ts";
import { ID_SIZE } from "../wgsig/record.ts";
import { INITIATION_SIZE, MESSAGE, RESPONSE_SIZE } from "./message.ts";

const LABEL = new TextEncoder().encode("mac1----");
const MAC_SIZE = 16;
/** From where mac1 begins to the end of a message. */
const MACS_SIZE = 2 * MAC_SIZE;

// One message is worked on at a time.
const state = blake2s.create({ dkLen: MAC_SIZE });
const mac = new WireBuffer(MAC_SIZE);

/** Tells messages for the holder of one key from others. The state that its key leaves is kept. */
export class Mac1Key {
  readonly #keyed;

  /** @param publicKey Holds the public key, 32 bytes at `at`. Not kept. */
  constructor({ bytes }: WireBuffer, at: number) {
    const hash = blake2s.create().update(LABEL).update(bytes.subarray(at, at + ID_SIZE));
    this.#keyed = blake2s.create({ key: hash.digest(), dkLen: MAC_SIZE });
  }

  /**
   * Whether the initiation or response at `at` is for the holder of the key; in constant time.
   *
   * @param type `MESSAGE.initiation` or `MESSAGE.response`: its size is known by that.
   */
  isFor(message: WireBuffer, at: number, type: number): boolean {
    const size = (type === MESSAGE.initiation ? INITIATION_SIZE : RESPONSE_SIZE) - MACS_SIZE;
    const covered = message.bytes.subarray(at, at + size);
    this.#keyed._cloneInto(state).update(covered).digestInto(mac.bytes);
    return equalBytes(message, at + size, mac, 0, MAC_SIZE);
  }
}
