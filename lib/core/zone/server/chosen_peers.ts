/**
 * Some peers of a source, for those who may see no others.
 *
 * @module
 */

import { ID_SIZE } from "../../../wire/wgsig/record.ts";
import type { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import type { Now } from "../../net/clock.ts";
import { NONE } from "../../net/none.ts";
import type { AllowedStrings } from "./allowed_strings.ts";
import type { ChosenKeys } from "./chosen_keys.ts";
import type { Location } from "./location.ts";
import type { KeySink, ZonePeers } from "./peers.ts";

/**
 * The peers of a source whose keys are chosen: what it says of others is said of nobody. What a list
 * costs grows with the keys that are chosen, not with the peers that there are.
 */
export class ChosenPeers implements ZonePeers {
  readonly #source: ZonePeers;
  readonly #chosen: ChosenKeys;

  /** Shows of `source` those that are `chosen`, as they are there at the moment. */
  constructor(source: ZonePeers, chosen: ChosenKeys) {
    this.#source = source;
    this.#chosen = chosen;
  }

  /** See {@linkcode ZonePeers.isKnown}. */
  get isKnown(): boolean {
    return this.#source.isKnown;
  }

  /** See {@linkcode ZonePeers.allowed}. */
  get allowed(): AllowedStrings {
    return this.#source.allowed;
  }

  /** See {@linkcode ZonePeers.find}. */
  find(key: WireBuffer, at: number): number {
    return this.#chosen.has(key, at) ? this.#source.find(key, at) : NONE;
  }

  /** See {@linkcode ZonePeers.locate}. */
  locate(peer: number, into: Location): void {
    this.#source.locate(peer, into);
  }

  /** See {@linkcode ZonePeers.allowedOf}. */
  allowedOf(peer: number): number {
    return this.#source.allowedOf(peer);
  }

  /** See {@linkcode ZonePeers.seen}. */
  seen(peer: number, now: Now): number {
    return this.#source.seen(peer, now);
  }

  /** See {@linkcode ZonePeers.list}: those that were named first come last, as if they were the newest. */
  list(to: KeySink): void {
    const { bytes, count } = this.#chosen;
    for (let at = (count - 1) * ID_SIZE; at >= 0; at -= ID_SIZE) {
      if (this.#source.find(bytes, at) !== NONE) to.add(bytes, at);
    }
  }
}
