/**
 * What one side does where a NAT maps each destination to another port.
 *
 * ```
 *                       theirs easy          sequential            hard
 *   own easy            –                    ports are predicted   ports are guessed
 *   own sequential      –                    ports are predicted   –
 *   own hard            mappings are opened  –                     –
 * ```
 *
 * Where both count, both predict.
 *
 * @module
 */

import type { NatKind } from "../ask/own_reach.ts";

/** Ports are predicted; mappings are opened, of which the other side guesses one; or the other way round. */
export type HardMeans = "predict" | "open" | "guess";

/** What this side does; undefined where it does nothing of that. */
export function hardMeans(own: NatKind, theirs: NatKind): HardMeans | undefined {
  if (theirs === "sequential") {
    return own === "easy" || own === "sequential" ? "predict" : undefined;
  }
  if (own === "hard" && theirs === "easy") return "open";
  return own === "easy" && theirs === "hard" ? "guess" : undefined;
}
