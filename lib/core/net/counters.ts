/**
 * What the registry counts.
 *
 * @module
 */

/** Names of the counters, in the order in which they are printed. */
export const COUNTER_NAMES = [
  "received",
  "answered",
  "sent",
  "registered",
  "updated",
  "expired",
  "pushed-out",
  "no-room",
  "ipv6-source",
  "before-start",
  "answer-cut",
  "former-secret",
  "questions",
  "answered-proved",
  "answered-unproved",
  "exchanges",
  "joins",
  "joined",
  "join-refused",
  "roster-questions",
  "pushed",
  "push-repeated",
  "push-withheld",
  "kept-proved",
  "proof-required",
  "retry-clock",
  "retry-address",
  "retry-proof",
  "retry-label",
  "retry-busy",
  "drop-too-short",
  "drop-too-long",
  "drop-source-port-0",
  "drop-unknown-group",
  "drop-group-mismatch",
  "drop-not-encrypted",
  "drop-encrypted",
  "drop-not-allowed",
  "drop-bad-label",
  "drop-outside-window",
  "drop-replayed",
  "drop-bad-mac",
  "drop-not-opened",
  "drop-damaged",
  "drop-weak-key",
  "drop-join-unknown",
  "drop-join-busy",
  "drop-join-proof",
  "drop-roster-busy",
  "drop-roster-stranger",
  "drop-roster-proof",
  "relayed",
  "relayed-bytes",
  "relay-guessed",
  "relay-opened",
  "relay-greetings",
  "relay-stops",
  "relay-no-room",
  "relay-drop-stranger",
  "relay-drop-nobody",
  "relay-drop-index",
  "relay-drop-taken",
  "relay-drop-not-asked",
  "relay-drop-stopped",
  "relay-drop-limited",
  "relay-drop-busy",
  "relay-drop-nowhere",
  "shared-taken",
  "shared-corrected",
  "shared-no-room",
  "shared-bad-mac",
  "shared-damaged",
  "send-failed",
  "overload",
  "dns-received",
  "dns-answered",
  "dns-nodata",
  "dns-nxdomain",
  "dns-servfail",
  "dns-refused",
  "dns-formerr",
  "dns-notimp",
  "dns-badvers",
  "dns-notauth",
  "dns-drop-short",
  "dns-drop-response",
  "dns-truncated",
  "dns-limited",
  "dns-tsig",
  "dns-tsig-badkey",
  "dns-tsig-badsig",
  "dns-tsig-badtime",
  "dns-tsig-badtrunc",
  "dns-signed",
  "dns-signature-reused",
  "dns-sign-limited",
  "dns-sign-failed",
  "dns-tcp-connections",
  "dns-tcp-refused",
  "dns-tcp-cut",
  "lease-connections",
  "lease-refused",
  "lease-stranger",
  "lease-answered",
  "http-connections",
  "http-answered",
  "http-denied",
  "http-refused",
  "http-cut",
] as const;

/** A counter's name. */
export type CounterName = typeof COUNTER_NAMES[number];

/** No `Map`: where a name is a literal, engines look it up once, when they compile. */
const INDEX = Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, i])) as Readonly<
  Record<CounterName, number>
>;

/** Counters by name, kept so that counting allocates nothing. */
export class Counters {
  readonly #values = new Float64Array(COUNTER_NAMES.length);

  /** Counts `by` more. */
  add(name: CounterName, by = 1): void {
    const i = INDEX[name];
    this.#values[i] = this.#values[i]! + by;
  }

  /** How often `name` was counted. */
  get(name: CounterName): number {
    return this.#values[INDEX[name]]!;
  }

  /** All of them. */
  all(): Record<CounterName, number> {
    const entries = COUNTER_NAMES.map((name) => [name, this.get(name)]);
    return Object.fromEntries(entries) as Record<CounterName, number>;
  }

  /** All counters that are not 0, or that say how much work was done. */
  snapshot(): Partial<Record<CounterName, number>> {
    const shown: Partial<Record<CounterName, number>> = {};
    for (const name of COUNTER_NAMES) {
      const value = this.get(name);
      if (value > 0 || name === "received" || name === "answered") shown[name] = value;
    }
    return shown;
  }
}
