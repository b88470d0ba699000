/**
 * Registers in the store that no registry with the same key has made, of peers that this registry knows:
 * its own are to take their place. Else whoever writes to the store could keep what changes of a peer
 * from all other registries, by a register that claims to be proved, or to be from the far future.
 *
 * Each is replaced once: registries with another key, which may have made it, don't fight with these.
 *
 * @module
 */

import type { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { REGISTER_MAC_SIZE } from "../../wire/shared/record.ts";

/** So many MACs are known to have been replaced; the oldest are forgotten. */
const MOST_KNOWN = 4096;
/** So many peers wait to replace something. */
const MOST_WAITING = 1024;
/** What of a peer can be wrong at once, in bytes: one of each kind. */
const MOST_OF_ONE = 3 * REGISTER_MAC_SIZE;

/** What is wrong of the peers of one group. */
export class WrongRecords {
  readonly #known = new Set<string>();
  readonly #waiting = new Map<number, Uint8Array>();

  /**
   * The store has a register of a peer with a wrong MAC.
   *
   * @param macAt Where the MAC is.
   * @returns Whether that is to be replaced.
   */
  note(peer: number, { bytes }: WireBuffer, macAt: number): boolean {
    const mac = bytes.slice(macAt, macAt + REGISTER_MAC_SIZE);
    const name = String.fromCharCode(...mac);
    if (this.#known.has(name) || this.#waiting.size >= MOST_WAITING) return false;
    if (this.#known.size >= MOST_KNOWN) {
      for (const oldest of this.#known) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.add(name);
    const before = this.#waiting.get(peer) ?? new Uint8Array();
    const all = new Uint8Array(before.length + mac.length);
    all.set(before);
    all.set(mac, before.length);
    this.#waiting.set(peer, all.slice(-MOST_OF_ONE));
    return true;
  }

  /** The MACs that what is written of a peer takes the place of. */
  of(peer: number): Uint8Array | undefined {
    return this.#waiting.get(peer);
  }

  /** These were replaced, as {@linkcode of} had them; what came meanwhile is yet to be. */
  replaced(peer: number, macs: Uint8Array | undefined): void {
    if (macs !== undefined && this.#waiting.get(peer) === macs) this.#waiting.delete(peer);
  }

  /** The peer is gone. */
  forget(peer: number): void {
    this.#waiting.delete(peer);
  }
}
