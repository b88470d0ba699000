/**
 * WireGuard's messages for tests: what someone who passes them on can see of them is right, the rest is
 * made up.
 *
 * @module
 */

import { blake2s } from "@noble/hashes/blake2.js";
import { joinBytes } from "../../lib/wire/bytes/wire_buffer.ts";

function messageOf(type: number, size: number, ...indices: readonly number[]): Uint8Array {
  const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + indices[0]!) & 255);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  indices.forEach((index, i) => view.setUint32(4 + 4 * i, index, true));
  return bytes;
}

/** Writes mac1 as the paper has it, section 5.4.4. */
function authenticate(message: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const at = message.length - 32;
  const key = blake2s(joinBytes([new TextEncoder().encode("mac1----"), publicKey]));
  message.set(blake2s(message.subarray(0, at), { key, dkLen: 16 }), at);
  return message;
}

/** An initiation to the holder of a key. */
export function initiationTo(publicKey: Uint8Array, sender: number): Uint8Array {
  return authenticate(messageOf(1, 148, sender), publicKey);
}

/** The response to an initiation: the holder of the key has chosen `receiver`. */
export function responseTo(publicKey: Uint8Array, sender: number, receiver: number): Uint8Array {
  return authenticate(messageOf(2, 92, sender, receiver), publicKey);
}

/** A cookie reply. */
export function cookieReplyTo(receiver: number): Uint8Array {
  return messageOf(3, 64, receiver);
}

/** A data message; a keepalive if its size is left out. */
export function dataTo(receiver: number, size = 32): Uint8Array {
  return messageOf(4, size, receiver);
}
