/**
 * What lets a peer in through the own NAT: a small datagram from WireGuard's port to where it is.
 *
 * @module
 */

import { chooseOpeners, type OpenedEndpoint } from "../../core/ask/openers.ts";
import type { Sighting } from "../../core/ask/sighting.ts";
import type { RegistryOutcome } from "./registry_answer.ts";

/** WireGuard takes no notice of anything so short. */
export const OPENER: Uint8Array = new Uint8Array(8);
/** Gives the system time to take what was sent before the socket closes, in seconds. */
export const LINGER = 0.01;

/**
 * Where openers go: to where registries have seen others, not to what those say of themselves.
 *
 * @param own The own public key, in base64.
 * @param opensTo Which peers the NAT is opened to; all where undefined.
 * @param mono The monotonic clock, in seconds.
 */
export function endpointsToOpen(
  outcomes: readonly RegistryOutcome[],
  own: string | undefined,
  opensTo: ((peer: Sighting) => boolean) | undefined,
  mono: number,
): readonly OpenedEndpoint[] {
  const others = outcomes.flatMap(({ peers }) => peers)
    .filter(({ publicKey, kind = "seen" }) => publicKey !== own && kind === "seen");
  return chooseOpeners(opensTo ? others.filter(opensTo) : others, Math.floor(mono));
}
