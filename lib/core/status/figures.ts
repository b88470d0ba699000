/**
 * Which figures of a server and of an interface are kept for an hour.
 *
 * @module
 */

import type { CounterName } from "../net/counters.ts";
import { type Figures, History } from "./history.ts";
import type { InterfaceReport } from "./report.ts";

/** Why a datagram was dropped, as far as somebody who looks at a plot wants to know. */
export const DROP_SORTS = [
  /** Another secret, another group, or something else altogether. */
  "drops-secret",
  /** A clock that is wrong, or a datagram that came before. */
  "drops-time",
  /** Keys and forms that this server doesn't want. */
  "drops-refused",
  "drops-malformed",
  /** What links and names of a group are about. */
  "drops-join",
  "drops-relay",
  "drops-dns",
  "drops-other",
] as const;

/** One of them. */
export type DropSort = typeof DROP_SORTS[number];

const SORTS: Readonly<Record<string, DropSort>> = {
  "drop-unknown-group": "drops-secret",
  "drop-group-mismatch": "drops-secret",
  "drop-bad-mac": "drops-secret",
  "drop-not-opened": "drops-secret",
  "drop-bad-label": "drops-time",
  "drop-outside-window": "drops-time",
  "drop-replayed": "drops-time",
  "drop-not-allowed": "drops-refused",
  "drop-not-encrypted": "drops-refused",
  "drop-encrypted": "drops-refused",
  "drop-weak-key": "drops-refused",
  "drop-too-short": "drops-malformed",
  "drop-too-long": "drops-malformed",
  "drop-source-port-0": "drops-malformed",
  "drop-damaged": "drops-malformed",
} satisfies Partial<Record<CounterName, DropSort>>;
const SORTS_BY_BEGINNING: readonly (readonly [string, DropSort])[] = [
  ["drop-join-", "drops-join"],
  ["drop-roster-", "drops-join"],
  ["relay-drop-", "drops-relay"],
  ["dns-drop-", "drops-dns"],
  ["drop-", "drops-other"],
];

/** The sort that a counter is of; undefined where it counts no drops. */
export function dropSort(counter: string): DropSort | undefined {
  return SORTS[counter] ??
    SORTS_BY_BEGINNING.find(([beginning]) => counter.startsWith(beginning))?.[1];
}

/** A history of a server. */
export function serverHistory(): History {
  return new History(["received", "answered", "relayed-bytes", ...DROP_SORTS], ["peers"]);
}

/** What it keeps. @param peers Those that are registered now. */
export function serverFigures(counters: Figures, peers: number): Figures {
  const figures: Record<string, number> = {
    received: (counters["received"] ?? 0) + (counters["dns-received"] ?? 0),
    answered: (counters["answered"] ?? 0) + (counters["dns-answered"] ?? 0),
    "relayed-bytes": counters["relayed-bytes"] ?? 0,
    peers,
  };
  for (const sort of DROP_SORTS) figures[sort] = 0;
  for (const [name, count] of Object.entries(counters)) {
    const sort = dropSort(name);
    if (sort !== undefined) figures[sort] = figures[sort]! + count;
  }
  return figures;
}

/** A history of an interface. */
export function interfaceHistory(): History {
  return new History(["received", "sent"], ["peers", "alive", "relayed"]);
}

/** What it keeps; nothing while there is no such interface. */
export function interfaceFigures(report: Pick<InterfaceReport, "present" | "peers">): Figures {
  const { present, peers } = report;
  if (!present) return {};
  const sum = (figure: "received" | "sent") => peers.reduce((sum, peer) => sum + peer[figure], 0);
  return {
    received: sum("received"),
    sent: sum("sent"),
    peers: peers.length,
    alive: peers.filter(({ alive }) => alive).length,
    relayed: peers.filter(({ alive, path }) => alive && path === "relay").length,
  };
}
