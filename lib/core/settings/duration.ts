/**
 * Durations as people write them: `500ms`, `30s`, `5m`, `2h`, `1d`; a bare number is seconds.
 *
 * @module
 */

/** Milliseconds of each unit. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/;

/** The seconds of a duration's text, or undefined where it is none. */
export function parseDuration(text: string): number | undefined {
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const seconds = Number(match[1]) * (UNITS[match[2] ?? "s"] ?? NaN) / 1000;
  return Number.isFinite(seconds) ? seconds : undefined;
}

/** An age as a person reads it: `12 s`, `3 min`, `2 h`, `4 d`. */
export function formatAge(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
