/**
 * What signs the zones of a server. The binaries for routers have none.
 *
 * @module
 */

import type { Counters } from "../../../core/net/counters.ts";
import { ZoneSigner } from "../../../core/zone/server/signer.ts";
import { Signing } from "../../../core/zone/server/signing.ts";
import { signingRate } from "../../../core/zone/server/signing_work.ts";
import type { ZoneKey } from "../../../core/zone/server/zone_key.ts";
import { encodeName } from "../../../wire/dns/name.ts";
import type { ServedZone } from "./zones.ts";

/** Makes signers. It outlives reloads: what was signed with the same keys is used again. */
export class ZoneSigners {
  readonly #signing: Signing;

  /** @param seed Random. */
  constructor(counters: Counters, seed: number) {
    this.#signing = new Signing(seed, counters);
  }

  /** Takes over how long a signature takes here, in seconds: so many are made. */
  configure(secondsPerSignature: number): void {
    this.#signing.work.configure(signingRate(secondsPerSignature));
  }

  /** What signs a zone with these keys. */
  newSigner({ name, cds }: Pick<ServedZone, "name" | "cds">, keys: readonly ZoneKey[]): ZoneSigner {
    return new ZoneSigner(encodeName(name), keys, this.#signing, cds);
  }
}
