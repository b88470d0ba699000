/**
 * The metrics of what is counted: for each counter its name, and the label that tells it from others
 * of its kind.
 *
 * @module
 */

import type { CounterName } from "../net/counters.ts";
import type { Metric } from "./exposition.ts";

/** Kinds of counters by how their names begin; what follows is the label's value. The longer first. */
const KINDS = [
  ["relay-drop-", "wgsig_relay_drops_total", "datagrams of relayed peers that were dropped"],
  ["dns-drop-", "wgsig_dns_drops_total", "DNS messages that were not answered"],
  ["drop-", "wgsig_drops_total", "datagrams that were dropped"],
  ["retry-", "wgsig_retries_total", "questions that were told to ask again"],
] as const;
/** The label of these. */
const REASON = "reason";

/** Counters that have a metric of their own. */
type Single = Exclude<
  CounterName,
  `relay-drop-${string}` | `dns-drop-${string}` | `drop-${string}` | `retry-${string}`
>;

const HELP: Readonly<Record<Single, string>> = {
  received: "datagrams that came in",
  answered: "requests and questions that were answered",
  sent: "datagrams of answers",
  registered: "peers added",
  updated: "requests and questions of known peers",
  expired: "records discarded because of their age",
  "pushed-out": "records that made room in a full group",
  "no-room": "requests of strangers to a full group",
  "ipv6-source": "requests over IPv6 whose endpoint was not recorded",
  "before-start": "requests that were made before the start",
  "answer-cut": "answers that were cut to their first datagram",
  "former-secret": "requests with the second of a group's two secrets",
  questions: "questions of wgsig 2 that opened",
  "answered-proved": "proved questions that were answered",
  "answered-unproved": "questions without proof that were answered",
  exchanges: "keys computed for peers that are new here",
  pushed: "datagrams with changes for subscribers",
  "push-repeated": "of those, the repeated ones",
  "push-withheld": "pushes put off because of the budget of a network",
  joins: "questions to join, with the token of an invitation",
  joined: "peers that have joined",
  "join-refused": "questions to join that were refused, or put off",
  "roster-questions": "questions about the roster",
  "kept-proved": "unproved requests for a peer that has proved its key",
  "proof-required": "unproved requests where proof is required",
  relayed: "datagrams of WireGuard that were passed on",
  "relayed-bytes": "bytes of WireGuard that were passed on",
  "relay-guessed": "of what was passed on, sessions from before",
  "relay-opened": "pairs of peers of which one has asked for the other",
  "relay-greetings": "of what was passed on, the beginnings of handshakes",
  "relay-stops": "pairs that have found a direct path",
  "relay-no-room": "peers that were asked for while there were too many pairs",
  "shared-taken": "records of other registries that were taken over",
  "shared-corrected": "records of the store that are written anew, since they are older than here",
  "shared-no-room": "records of other registries for which there was no room",
  "shared-bad-mac": "registers in the store that no registry with this key has made",
  "shared-damaged": "records in the store that can't be read",
  "send-failed": "answers that the system did not take",
  overload: "datagrams thrown away unread",
  "dns-received": "DNS messages that came in",
  "dns-answered": "DNS messages answered with records",
  "dns-nodata": "DNS answers without a record of that type",
  "dns-nxdomain": "DNS answers that there is no such name",
  "dns-servfail": "DNS answers that an interface can't be read",
  "dns-refused": "DNS messages that were refused",
  "dns-formerr": "malformed DNS messages",
  "dns-notimp": "DNS messages that are no query",
  "dns-badvers": "DNS messages of an EDNS version that is not known",
  "dns-notauth": "DNS messages whose TSIG was refused",
  "dns-truncated": "DNS answers that did not fit",
  "dns-limited": "DNS answers that were cut because of the budget",
  "dns-tsig": "DNS messages with a right TSIG",
  "dns-tsig-badkey": "DNS messages with a TSIG of a key that is not known",
  "dns-tsig-badsig": "DNS messages with a TSIG whose MAC is wrong",
  "dns-tsig-badtime": "DNS messages with a TSIG of another time",
  "dns-tsig-badtrunc": "DNS messages with a TSIG whose MAC is cut short",
  "dns-signed": "signatures of DNS record sets that were made",
  "dns-signature-reused": "signatures of DNS record sets that were used again",
  "dns-sign-limited": "DNS record sets that were not signed because there was too much to sign",
  "dns-sign-failed": "DNS record sets that were not signed because a key failed",
  "dns-tcp-connections": "TCP connections for DNS",
  "dns-tcp-refused": "TCP connections for DNS that were one too many",
  "dns-tcp-cut": "TCP connections for DNS that were idle, slow or nonsense",
  "lease-connections": "connections to the lease server",
  "lease-refused": "connections to the lease server that were one too many",
  "lease-stranger": "connections to the lease server from elsewhere",
  "lease-answered": "answers of the lease server",
  "http-connections": "connections over HTTP",
  "http-answered": "requests over HTTP that were answered",
  "http-denied": "requests over HTTP without the token, or by another name",
  "http-refused": "connections over HTTP that were one too many",
  "http-cut": "connections over HTTP that were silent, slow or nonsense",
};
const HELP_BY_NAME: Readonly<Record<string, string>> = HELP;

/** A counter as a metric. */
export interface CounterMetric {
  readonly name: string;
  readonly metric: Metric;
  /** Values of its labels. */
  readonly values: readonly string[];
}

/** The metric of a counter. @param counter Its name, as the log has it. */
export function counterMetric(counter: string): CounterMetric {
  const kind = KINDS.find(([beginning]) => counter.startsWith(beginning));
  if (kind !== undefined) {
    const [beginning, name, help] = kind;
    const metric = { type: "counter", help, labels: [REASON] } as const;
    return { name, metric, values: [counter.slice(beginning.length)] };
  }
  const help = HELP_BY_NAME[counter] ?? `the counter ${counter}`;
  return {
    name: `wgsig_${counter.replaceAll("-", "_")}_total`,
    metric: { type: "counter", help, labels: [] },
    values: [],
  };
}
