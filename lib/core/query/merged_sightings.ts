/**
 * What several servers say of where peers are, put together.
 *
 * @module
 */

import { isOutdated, newestFirst, type Sighting } from "../ask/sighting.ts";
import type { ServerOutcome, ServerStatus } from "./query_result.ts";

/** Servers tell ages in whole seconds: so much apart, one is older than the other for certain. */
const AGE_STEP = 1;

/** What servers with these have said was said before. */
const NOT_HEARD: ReadonlySet<ServerStatus> = new Set([
  "no-answer",
  "not-authenticated",
  "wrong-key",
  "not-found",
]);

/**
 * Merges what servers say, each with its name in `server`. What one has said that answers no more is
 * left out where another, which answers, has heard the peer since: that peer may be elsewhere now, and
 * the first can't tell. What is older than `maxAge` seconds at `unix` is left out, whoever says it.
 *
 * @returns By public key: every endpoint that some server knows, the newest first.
 */
export function mergeSightings(
  all: Iterable<Sighting>,
  servers: readonly Pick<ServerOutcome, "server" | "status">[],
  { unix, maxAge }: { readonly unix: number; readonly maxAge: number },
): Map<string, Sighting[]> {
  const silent = new Set(
    servers.filter(({ status }) => NOT_HEARD.has(status)).map(({ server }) => server),
  );
  const isSilent = ({ server }: Sighting) => server !== undefined && silent.has(server);
  const merged = new Map<string, Sighting[]>();
  for (const each of all) {
    if (isOutdated(each, unix, maxAge)) continue;
    const known = merged.get(each.publicKey);
    if (known === undefined) merged.set(each.publicKey, [each]);
    else known.push(each);
  }
  for (const [publicKey, seen] of merged) {
    seen.sort(newestFirst);
    if (silent.size === 0 || !seen.some(isSilent)) continue;
    const { seconds = -Infinity } = seen.find((each) => !isSilent(each)) ?? {};
    const current = seen.filter((each) =>
      !isSilent(each) || (each.seconds ?? -Infinity) + AGE_STEP >= seconds
    );
    merged.set(publicKey, current);
  }
  return merged;
}
