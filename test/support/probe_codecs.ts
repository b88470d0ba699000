/**
 * Fields of probes and echoes in the form that the codec of lib/ takes them, and back.
 *
 * @module
 */

import { type Echo, newEcho, newProbe, type Probe } from "../../lib/wire/probe/probe.ts";
import type { TwinEcho, TwinProbe } from "./probe_twin.ts";
import { libCandidate, plainPlace } from "./wgsig2_codecs.ts";

/** A probe's fields for lib/. */
export function libProbe({ flags, counter, token }: TwinProbe): Probe {
  const probe = { ...newProbe(), flags, counter };
  probe.token.bytes.set(token);
  return probe;
}

/** An echo's fields for lib/. */
export function libEcho({ flags, token, seen }: TwinEcho): Echo {
  const echo = { ...newEcho(), flags };
  echo.token.bytes.set(token);
  libCandidate(echo.seen, seen);
  return echo;
}

/** The fields of a probe. */
export function plainProbe({ flags, counter, token }: Probe): TwinProbe {
  return { flags, counter, token: [...token.bytes] };
}

/** The fields of an echo. */
export function plainEcho({ flags, token, seen }: Echo): TwinEcho {
  return { flags, token: [...token.bytes], seen: plainPlace(seen) };
}
