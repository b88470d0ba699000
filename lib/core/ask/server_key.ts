/**
 * The public key of a registry, as a client knows it: pinned, or learnt.
 *
 * @module
 */

import type { PeerKeys } from "../../wire/wgsig2/keys.ts";
import { equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { formatKey, KEY_SIZE } from "../net/peer_key.ts";
import type { Prover } from "./prover.ts";

/** What a person should know of a registry's key. Keys are in base64. */
export type ServerKeyNote =
  /** It was not known before. */
  | { readonly kind: "server-key-learnt"; readonly key: string }
  /** It is another than before, and nobody has pinned it: the registry was set up anew, or it isn't it. */
  | { readonly kind: "server-key-changed"; readonly key: string; readonly before: string }
  /** It is another than the one that is pinned: nothing that goes with it is believed. */
  | { readonly kind: "server-key-refused"; readonly key: string };

/** So many refused keys are remembered. */
const MOST_REFUSED = 16;

/** What became of a key that a registry has told. */
export type ToldKey = "same" | "taken" | "refused";

/** The key of one registry. */
export class ServerKey {
  readonly #prover: Prover | undefined;
  readonly #pin: WireBuffer | undefined;
  #known: WireBuffer | undefined;
  /** One that was told, and has still to be proved. */
  #tried: WireBuffer | undefined;
  #note: ServerKeyNote | undefined;
  /** The keys that were refused, each of which is said once. */
  readonly #refused = new Set<string>();

  /**
   * @param pin The one that must be it, 32 bytes.
   * @throws {RangeError} If that has another size.
   */
  constructor(pin: Uint8Array | undefined, prover: Prover | undefined) {
    if (pin !== undefined && pin.length !== KEY_SIZE) {
      throw new RangeError(`Cannot pin a server's key: it has ${pin.length} bytes, not 32`);
    }
    this.#pin = this.#known = pin && new WireBuffer(pin.slice());
    this.#prover = prover;
  }

  /** Whether it is pinned. */
  get isPinned(): boolean {
    return this.#pin !== undefined;
  }

  /** The key to ask for now; undefined where none is known. */
  get current(): WireBuffer | undefined {
    return this.#tried ?? this.#known;
  }

  /** What is shared with the holder of {@linkcode current}; undefined where nothing can be proved. */
  get shared(): PeerKeys | undefined {
    return this.current && this.#prover?.keysFor(this.current);
  }

  /** A member of the group has told this key: the registry, unless another member forges it. */
  told(key: WireBuffer): ToldKey {
    const { current } = this;
    if (current !== undefined && equalBytes(current, 0, key, 0, KEY_SIZE)) return "same";
    if (this.#pin !== undefined) return this.#refuse(key);
    if (this.#prover === undefined) {
      this.#learn(new WireBuffer(key.bytes.slice()));
      return "taken";
    }
    // Zeros are what a key of small order and any other make.
    if (this.#prover.keysFor(key) === undefined) return "refused";
    const known = this.#known;
    const isKnown = known !== undefined && equalBytes(known, 0, key, 0, KEY_SIZE);
    this.#tried = isKnown ? undefined : new WireBuffer(key.bytes.slice());
    return "taken";
  }

  /** Who has spoken has the private half of this key, which was {@linkcode current} when it was asked. */
  proved(key: WireBuffer): void {
    if (key !== this.#tried) return;
    this.#tried = undefined;
    this.#learn(key);
  }

  /** Nobody has spoken for the key that was told: back to the one that somebody has proved. */
  distrust(): void {
    if (this.#known !== undefined) this.#tried = undefined;
  }

  /** What is to be said, once. */
  takeNote(): ServerKeyNote | undefined {
    const note = this.#note;
    this.#note = undefined;
    return note;
  }

  #learn(key: WireBuffer): void {
    const name = formatKey(key.bytes);
    this.#note = this.#known === undefined
      ? { kind: "server-key-learnt", key: name }
      : { kind: "server-key-changed", key: name, before: formatKey(this.#known.bytes) };
    this.#known = key;
  }

  #refuse(key: WireBuffer): ToldKey {
    const name = formatKey(key.bytes);
    if (!this.#refused.has(name)) this.#note = { kind: "server-key-refused", key: name };
    if (this.#refused.size >= MOST_REFUSED) this.#refused.clear();
    this.#refused.add(name);
    return "refused";
  }
}
