// Figures as people read them, as `wgsig status` prints them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
/** Characters of a key that tell it from others. */
const SHORT_KEY = 12;

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** @param {number | null} seconds */
export function ago(seconds) {
  return seconds === null ? "never" : `${duration(seconds)} ago`;
}

/** @param {number | null} seconds */
export function roundTrip(seconds) {
  if (seconds === null) return "–";
  const ms = seconds * 1000;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** @param {number} bytes */
export function size(bytes) {
  let unit = 0;
  let left = bytes;
  while (left >= 1024 && unit < UNITS.length - 1) {
    left /= 1024;
    unit++;
  }
  return `${left.toFixed(unit === 0 || left >= 100 ? 0 : 1)} ${UNITS[unit]}`;
}

/** @param {number} bytes per second */
export function byteRate(bytes) {
  return `${size(bytes)}/s`;
}

/** @param {number} value per second */
export function rate(value) {
  return `${figure(value)}/s`;
}

/** A number with at most three digits that count, and a thin space for each thousand. @param {number} value */
export function figure(value) {
  if (value !== 0 && value < 0.01) return "<0.01";
  if (value < 100) return String(Number(value.toPrecision(3)));
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/g, "\u202f");
}

/**
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun, nouns = `${noun}s`) {
  return `${figure(count)} ${count === 1 ? noun : nouns}`;
}

/**
 * Some of them by name.
 *
 * @param {readonly string[]} names
 */
export function listed(names, most = 3) {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(", ")} and ${more} more` : names.join(", ");
}

/** @param {{ name: string | null, publicKey: string }} peer */
export function nameOf({ name, publicKey }) {
  return name === null ? shortKey(publicKey) : visible(name);
}

/** Without what a reader doesn't see, and what turns the text around it. */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** @param {string} name */
export function visible(name) {
  return name.replace(UNSEEN, "\ufffd");
}

const ORDER = new Intl.Collator(undefined, { numeric: true });

/**
 * Those with a name come first.
 *
 * @param {{ name: string | null, publicKey: string }} a
 * @param {{ name: string | null, publicKey: string }} b
 */
export function byName(a, b) {
  if ((a.name === null) !== (b.name === null)) return a.name === null ? 1 : -1;
  return ORDER.compare(nameOf(a), nameOf(b)) || (a.publicKey < b.publicKey ? -1 : 1);
}

/** @param {string} key */
export function shortKey(key) {
  return `${key.slice(0, SHORT_KEY)}…`;
}

/** What a NAT is called, and what that means for others. @type {Readonly<Record<string, string>>} */
const NATS = {
  easy: "one port for all (easy)",
  sequential: "the next port for each (sequential)",
  hard: "any port for each (hard)",
  unknown: "not known yet",
};

/** @param {string} nat */
export function natWords(nat) {
  return NATS[nat] ?? nat;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** @param {number} at Milliseconds. */
export function timeOfDay(at) {
  return CLOCK.format(at);
}
