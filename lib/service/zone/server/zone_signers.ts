/**
 * What signs the zones of a server. Only a server with signed zones loads it.
 *
 * @module
 */

import type { Counters } from "../../../core/net/counters.ts";
import { ZoneSigner } from "../../../core/zone/server/signer.ts";
import { Signing } from "../../../core/zone/server/signing.ts";
import { signingRate } from "../../../core/zone/server/signing_work.ts";
import type { ZoneKey } from "../../../core/zone/server/zone_key.ts";
import type { Clock } from "../../../host/clock.ts";
import { encodeName } from "../../../wire/dns/name.ts";
import type { ServedZone } from "./zones.ts";

/** It is tried for so long, in seconds, */
const TRIAL = 0.02;
/** or so often; the first half doesn't count: engines become faster. */
const TRIALS = 64;
/** What is signed on trial. */
const TRIAL_SIZE = 256;

/** Makes signers. It outlives reloads: what was signed with the same keys is used again. */
export class ZoneSigners {
  readonly #host: Clock;
  readonly #signing: Signing;

  /** @param seed Random. */
  constructor(host: Clock, counters: Counters, seed: number) {
    this.#host = host;
    this.#signing = new Signing(seed, counters);
  }

  /** Finds out how much may be signed with these keys here. */
  measure(keys: readonly ZoneKey[]): void {
    const byAlgorithm = new Map(keys.map((key) => [key.algorithm, key]));
    const seconds = [...byAlgorithm.values()].map((key) => secondsWith(this.#host, key));
    this.#signing.work.configure(signingRate(Math.max(...seconds)));
  }

  /** What signs a zone with these keys; nothing where there are none. */
  newSigner(
    { name, cds }: Pick<ServedZone, "name" | "cds">,
    keys: readonly ZoneKey[],
  ): ZoneSigner | undefined {
    if (keys.length === 0) return undefined;
    return new ZoneSigner(encodeName(name), keys, this.#signing, cds);
  }
}

/** How long a signature takes. */
function secondsWith(host: Clock, { signing }: ZoneKey): number {
  const message = new Uint8Array(TRIAL_SIZE);
  const start = host.now().mono;
  let halfway = start;
  let now = start;
  let counted = 0;
  for (let i = 0; i < TRIALS && now - start < TRIAL; i++) {
    signing.sign(message);
    now = host.now().mono;
    if (i >= TRIALS / 2 || now - start > TRIAL / 2) counted++;
    else halfway = now;
  }
  return (now - halfway) / Math.max(counted, 1);
}
