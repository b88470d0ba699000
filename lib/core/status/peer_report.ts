/**
 * What is said of one peer of an interface: how it is reached, why so, and what else was tried.
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../net/host_port.ts";
import { kindOfStranger, type Path, type PathKind, rankOf } from "../path/path.ts";
import type { NatKind } from "../ask/own_reach.ts";
import type { RelayMode } from "../path/relay_wish.ts";
import { milliseconds } from "./lines.ts";
import { elapsed, measured } from "./rounded.ts";
import type { CandidateReport, Outcome, PeerReport } from "./report.ts";

/** What handshakes have tried. */
export interface HandshakeTrial {
  /** The endpoint under trial. */
  readonly current: HostPort | undefined;
  /** Endpoints that were, as text, that one among them. */
  readonly tried: ReadonlySet<string>;
  /** Whether there is nothing left to try. */
  readonly isExhausted: boolean;
}

/** What is known of a peer. */
export interface PeerFacts {
  readonly publicKey: string;
  readonly name: string | undefined;
  readonly isAlive: boolean;
  /** Whether it was heard since this host began to look. */
  readonly isHeard: boolean;
  /** WireGuard's. */
  readonly endpoint: HostPort | undefined;
  readonly handshakeAge: number | undefined;
  readonly received: number;
  readonly sent: number;
  /** The ways that are probed; undefined where it answers no probes, or none are sent. */
  readonly way: {
    readonly held: Path | undefined;
    readonly paths: readonly Path[];
    /** How its NAT maps its port. */
    readonly nat: NatKind;
  } | undefined;
  /** Where servers say that it may be, relays among them. */
  readonly told: readonly HostPort[];
  /** What is being tried by handshake; undefined where nothing is. */
  readonly trial: HandshakeTrial | undefined;
  /** Whether it may be relayed. */
  readonly relay: RelayMode;
}

/** What is known of the own side. */
export interface OwnFacts {
  /** Where registries relay, as text. */
  readonly relays: ReadonlySet<string>;
  /** Whether probes are sent. */
  readonly probes: boolean;
  /** Whether servers answer, have done so, or never have. */
  readonly answers: "now" | "before" | "never";
  /** How the own NAT maps WireGuard's port. */
  readonly nat: NatKind;
}

/** Says it. */
export function peerReport(facts: PeerFacts, own: OwnFacts): PeerReport {
  const { publicKey, name, isAlive, endpoint, handshakeAge, received, sent, way } = facts;
  const held = heldBy(facts);
  const path = pathOf(facts, own, held);
  const candidates = way === undefined
    ? triedCandidates(facts, own)
    : probedCandidates(facts, own, held);
  const better = path === "handshake" || path === "none" ? [] : vainKinds(candidates, path);
  return {
    publicKey,
    name: name ?? null,
    alive: isAlive,
    path,
    endpoint: endpoint === undefined ? null : formatHostPort(endpoint),
    why: isAlive ? whyReached(facts, own, path, better) : whyDown(facts, own, candidates),
    roundTrip: isAlive ? timeOf(held) : null,
    handshakeAge: handshakeAge === undefined ? null : elapsed(handshakeAge),
    received,
    sent,
    candidates,
  };
}

/** The way that WireGuard takes, where it is a known one. */
function heldBy({ way, endpoint }: PeerFacts): Path | undefined {
  const held = way?.held;
  if (held === undefined || endpoint === undefined) return undefined;
  return formatHostPort(held.endpoint) === formatHostPort(endpoint) ? held : undefined;
}

function pathOf(
  { isAlive, isHeard, endpoint }: PeerFacts,
  { relays }: OwnFacts,
  held: Path | undefined,
): PeerReport["path"] {
  if (!isAlive) return "none";
  if (held !== undefined && (isHeard || isProved(held))) return held.kind;
  return endpoint !== undefined && relays.has(formatHostPort(endpoint)) ? "relay" : "handshake";
}

function timeOf(path: Path | undefined): number | null {
  return path === undefined || path.roundTrip === Infinity ? null : measured(path.roundTrip);
}

function isProved({ provedAt }: Path): boolean {
  return provedAt > -Infinity;
}

function probedCandidates(
  { way, told, isAlive, relay }: PeerFacts,
  { relays }: OwnFacts,
  held: Path | undefined,
): readonly CandidateReport[] {
  const used = isAlive ? held : undefined;
  const isBetter = ({ kind }: Path) => used === undefined || rankOf(kind) < rankOf(used.kind);
  const paths = (way?.paths ?? []).filter(({ kind }) => kind !== "relay").map((path) => ({
    kind: path.kind,
    endpoint: formatHostPort(path.endpoint),
    outcome: path === used
      ? "in-use" as const
      : outcomeOf(path, relay !== "always" && isBetter(path)),
    roundTrip: timeOf(path),
  }));
  const offered = told.map(formatHostPort).filter((endpoint) => relays.has(endpoint));
  const isRelayed = used?.kind === "relay";
  const all = new Set([...offered, ...isRelayed ? [formatHostPort(used.endpoint)] : []]);
  return [
    ...paths,
    ...Array.from(all, (endpoint): CandidateReport => ({
      kind: "relay",
      endpoint,
      outcome: isRelayed && endpoint === formatHostPort(used.endpoint) ? "in-use" : "not-tried",
      roundTrip: null,
    })),
  ];
}

/** @param isProbed Whether it is worth a probe. */
function outcomeOf({ provedAt, deadAt }: Path, isProbed: boolean): Outcome {
  if (provedAt > deadAt) return "works";
  if (deadAt > -Infinity) return "dead";
  return isProbed ? "no-answer" : "not-tried";
}

function triedCandidates(
  { told, trial, endpoint, isAlive }: PeerFacts,
  { relays }: OwnFacts,
): readonly CandidateReport[] {
  const used = isAlive && endpoint !== undefined ? formatHostPort(endpoint) : undefined;
  const current = trial?.current && formatHostPort(trial.current);
  return told.map((each) => {
    const text = formatHostPort(each);
    const outcome = text === used
      ? "in-use"
      : trial === undefined || !trial.tried.has(text)
      ? "not-tried"
      : text === current && !trial.isExhausted
      ? "trying"
      : "in-vain";
    const kind = relays.has(text) ? "relay" : kindOfStranger(each);
    return { kind, endpoint: text, outcome, roundTrip: null };
  });
}

/** Better ways than the one in use that don't work. */
function vainKinds(
  candidates: readonly CandidateReport[],
  path: PathKind,
): readonly PathKind[] {
  const vain = candidates.filter(({ kind, outcome }) =>
    rankOf(kind) < rankOf(path) &&
    (outcome === "no-answer" || outcome === "dead" || outcome === "in-vain")
  );
  return [...new Set(vain.map(({ kind }) => kind))];
}

function whyReached(
  facts: PeerFacts,
  own: OwnFacts,
  path: PeerReport["path"],
  better: readonly PathKind[],
): string {
  const held = heldBy(facts);
  if (!facts.isHeard && !(held !== undefined && isProved(held))) {
    return "its last handshake is from before sync began, and nothing was heard since";
  }
  if (path === "relay") {
    if (facts.relay === "always") return "as the settings say";
    const nats = natsBetween(facts, own);
    const reasons = [
      ...nats === undefined ? [] : [`${nats}: nothing gets through`],
      ...better.length > 0 ? [`better ways tried in vain: ${better.join(", ")}`] : [],
    ];
    return reasons.length > 0 ? reasons.join("; ") : "no better way is known";
  }
  if (path === "handshake") {
    const why = !own.probes
      ? "this host sends no probes"
      : facts.way === undefined
      ? "it answers no probes"
      : "WireGuard hears it from there";
    return `found by handshake: ${why}`;
  }
  const time = timeOf(held);
  const how = held === undefined || !isProved(held)
    ? "WireGuard hears it from there"
    : `proved by probes${time === null ? "" : `, round trip ${milliseconds(time)}`}`;
  return better.length > 0 ? `${how}; better ways tried in vain: ${better.join(", ")}` : how;
}

/** What makes a direct way hopeless; undefined where nothing does, or nobody knows. */
function natsBetween({ way }: PeerFacts, { nat: own }: OwnFacts): string | undefined {
  const theirs = way?.nat ?? "unknown";
  const draws = [own, theirs].filter((each) => each === "hard").length;
  if (draws === 2) return "both NATs are hard";
  const isBoth = draws === 1 && (own === "sequential" || theirs === "sequential");
  return isBoth
    ? `${own === "hard" ? "the own" : "its"} NAT is hard, the other one sequential`
    : undefined;
}

const UNANSWERED = {
  now: "no server knows it; does sync run there, with the same servers and group?",
  before: "no server answers any more, and none has told of it",
  never: "no server has answered",
} as const;

function whyDown(
  facts: PeerFacts,
  own: OwnFacts,
  candidates: readonly CandidateReport[],
): string {
  const { trial, way, relay, told } = facts;
  if (told.length === 0 && candidates.length === 0) return UNANSWERED[own.answers];
  const tries = way === undefined
    ? trial === undefined
      ? "it has no handshake yet"
      : trial.isExhausted
      ? "all endpoints were tried by handshake in vain"
      : "its endpoints are tried by handshake"
    : "its endpoints are probed, and no handshake has come through";
  const nats = natsBetween(facts, own);
  const reasons = [
    tries,
    ...nats === undefined ? [] : [nats],
    ...relay === "never"
      ? ["the settings forbid relays"]
      : own.relays.size === 0
      ? ["no registry relays"]
      : [],
  ];
  return reasons.join("; ");
}
