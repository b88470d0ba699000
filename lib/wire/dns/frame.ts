/**
 * DNS messages on a TCP stream, each with its length before it (RFC 1035, section 4.2.2; RFC 7766).
 *
 * @module
 */

/** Size of the length, in bytes. */
export const LENGTH_SIZE = 2;
/** The longest message, in bytes. */
const MAX_MESSAGE_SIZE = 0xffff;
const FIRST_CAPACITY = 512;

/** A message of at most 65535 bytes with its length before it. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(LENGTH_SIZE + message.length);
  new DataView(framed.buffer).setUint16(0, message.length);
  framed.set(message, LENGTH_SIZE);
  return framed;
}

/** Takes a TCP stream apart into its messages. Holds at most one, of 65535 bytes. */
export class MessageReader {
  #kept: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  #size = 0;

  /**
   * Takes in bytes as they came, and gives each message that they complete to `take`. The message's
   * bytes are only lent. Neither `take` nor anybody it calls may call this.
   */
  push(bytes: Uint8Array, take: (message: Uint8Array) => void): void {
    for (let at = 0; at < bytes.length;) {
      const wanted = this.#wanted();
      const piece = bytes.subarray(at, at + wanted - this.#size);
      this.#keep(piece);
      at += piece.length;
      if (this.#size < LENGTH_SIZE || this.#size < this.#wanted()) continue;
      const message = this.#kept.subarray(LENGTH_SIZE, this.#size);
      this.#size = 0;
      take(message);
    }
  }

  /** How many bytes are needed before something can be done: the length, then all. */
  #wanted(): number {
    if (this.#size < LENGTH_SIZE) return LENGTH_SIZE;
    return LENGTH_SIZE + ((this.#kept[0]! << 8) | this.#kept[1]!);
  }

  #keep(piece: Uint8Array): void {
    const size = this.#size + piece.length;
    if (size > this.#kept.length) {
      const grown = new Uint8Array(Math.min(2 * size, LENGTH_SIZE + MAX_MESSAGE_SIZE));
      grown.set(this.#kept.subarray(0, this.#size));
      this.#kept = grown;
    }
    this.#kept.set(piece, this.#size);
    this.#size = size;
  }
}
