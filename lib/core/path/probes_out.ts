/**
 * Probes that are under way to one peer: an echo belongs to one of them.
 *
 * @module
 */

import { LONG_NONCE_SIZE } from "../../wire/crypto/aead_key.ts";
import { copyBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { formatHostPort } from "../net/host_port.ts";
import type { Path } from "./path.ts";

/** A probe that was sent. */
export interface ProbeOut {
  readonly path: Path;
  /** When, on the monotonic clock, in seconds. */
  readonly sentAt: number;
}

interface Kept extends ProbeOut {
  readonly to: string;
  readonly nonce: WireBuffer;
}

/** An echo comes within this time, or is none, in seconds. */
const LASTS = 3;
const MOST = 192;
/** Of those to one endpoint, as many are tried: each costs the opening of the echo. */
const MOST_TRIED = 8;

/** Remembers the last ones. */
export class ProbesOut {
  readonly #out: Kept[] = [];

  /** One was sent now. @param nonce Holds its nonce at `at`. */
  add(path: Path, nonce: WireBuffer, at: number, mono: number): void {
    while (this.#out.length >= MOST || mono - (this.#out[0]?.sentAt ?? mono) > LASTS) {
      this.#out.shift();
    }
    const copy = new WireBuffer(LONG_NONCE_SIZE);
    copyBytes(nonce, at, copy, 0, LONG_NONCE_SIZE);
    this.#out.push({ path, to: formatHostPort(path.endpoint), nonce: copy, sentAt: mono });
  }

  /**
   * The probe to an endpoint that an echo from there belongs to; it is answered then.
   *
   * @param opens Whether the echo opens with the nonce of a probe.
   */
  find(to: string, mono: number, opens: (nonce: WireBuffer) => boolean): ProbeOut | undefined {
    let tried = 0;
    for (let i = this.#out.length - 1; i >= 0 && tried < MOST_TRIED; i--) {
      const each = this.#out[i]!;
      if (mono - each.sentAt > LASTS) return undefined;
      if (each.to !== to) continue;
      tried++;
      if (!opens(each.nonce)) continue;
      this.#out.splice(i, 1);
      return each;
    }
    return undefined;
  }
}
