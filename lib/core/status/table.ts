/**
 * A report as a person reads it: lines of at most 80 columns.
 *
 * @module
 */

import { formatAge } from "../settings/duration.ts";
import { clip, flushRight, plain, wrap } from "./columns.ts";
import { milliseconds } from "./peer_report.ts";
import type {
  CandidateReport,
  InterfaceReport,
  Outcome,
  PeerReport,
  Report,
  ServerReport,
} from "./report.ts";

/** Widths of what a peer's line has, the columns that are flush right behind the two others. */
const NAME = 18;
const PATH = 10;
const NUMBERS = [11, 11, 11, 11] as const;
/** Characters of a key that tell it from others. */
const SHORT_KEY = 16;
const SERVER = 38;
const KIB = 1024;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
/** Of a report in words, those that need a look. */
const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  "in-use": "in use",
  works: "works",
  dead: "has died",
  "no-answer": "no answer",
  trying: "being tried",
  "in-vain": "in vain",
  "not-tried": "not tried",
};

/** SGR parameters: ECMA-48, 8.3.117. */
const STYLES = { bold: "1", good: "32", bad: "31", dim: "2" } as const;
type Style = keyof typeof STYLES;
type Paint = (text: string, style: Style) => string;

/** Puts a report into lines. @param isColoured Whether they may have colours. */
export function formatReport(report: Report, isColoured: boolean): string {
  const paint: Paint = isColoured
    ? (text, style) => `\x1b[${STYLES[style]}m${text}\x1b[0m`
    : (text) => text;
  return `${interfaceLines(report, paint).join("\n")}\n`;
}

/** Whether somebody is down. */
export function hasDown(report: Report): boolean {
  return report.peers.some(({ alive }) => !alive);
}

function interfaceLines(report: InterfaceReport, paint: Paint): readonly string[] {
  const { interface: name, present, publicKey, port, register, endpoints, mapped } = report;
  const head = `${paint("interface", "bold")} ${plain(name)}`;
  if (!present) return [`${head}: ${paint("waiting for it", "bad")}`];
  const facts = [
    publicKey === null ? "no key" : `public key ${plain(publicKey)}`,
    `port ${port ?? "unknown"}, registered: ${register ?? "unknown"}, NAT: ${plain(report.nat)}`,
    ...endpoints.length > 0 ? [`seen at ${endpoints.join(", ")}`] : [],
    ...mapped.length > 0 ? [`forwarded by the router from ${mapped.join(", ")}`] : [],
  ];
  return [
    head,
    ...facts.flatMap((fact) => wrap(plain(fact))),
    ...report.servers.length > 0 ? ["", ...serverLines(report.servers, paint)] : [],
    "",
    ...report.peers.length > 0 ? peerLines(report, paint) : ["no peers"],
  ];
}

function serverLines(servers: readonly ServerReport[], paint: Paint): readonly string[] {
  const row = (...[server, ...numbers]: readonly string[]) =>
    `${clip(server ?? "", SERVER).padEnd(SERVER)}${flushRight(numbers, [18, 12, 12])}`;
  return [
    paint(row("SERVER", "STATUS", "ANSWERED", "ROUND TRIP"), "bold"),
    ...servers.flatMap(({ server, status, age, roundTrip, protocol, relays }) => {
      const line = row(
        plain(server),
        plain(status),
        age === null ? "never" : `${formatAge(age)} ago`,
        roundTrip === null ? "-" : milliseconds(roundTrip),
      );
      const more = [
        ...protocol === null ? [] : [`wgsig ${protocol}`],
        ...relays ? ["relays"] : [],
      ];
      return [
        status === "ok" ? line : paint(line, "bad"),
        ...more.length > 0 ? [paint(`  ${more.join(", ")}`, "dim")] : [],
      ];
    }),
  ];
}

function peerLines({ peers, more }: InterfaceReport, paint: Paint): readonly string[] {
  const row = (name: string, path: string, numbers: readonly string[]) =>
    `${clip(name, NAME).padEnd(NAME)} ${path.padEnd(PATH)}${flushRight(numbers, NUMBERS)}`;
  return [
    paint(row("PEER", "PATH", ["HANDSHAKE", "ROUND TRIP", "RECEIVED", "SENT"]), "bold"),
    ...peers.flatMap((peer) => {
      const { alive, handshakeAge, roundTrip, received, sent, endpoint, why } = peer;
      const line = row(nameOf(peer), alive ? peer.path : "down", [
        handshakeAge === null ? "never" : `${formatAge(handshakeAge)} ago`,
        roundTrip === null ? "-" : milliseconds(roundTrip),
        formatSize(received),
        formatSize(sent),
      ]);
      return [
        paint(line, alive ? "good" : "bad"),
        ...wrap(plain(endpoint === null ? why : `${endpoint}: ${why}`)),
        ...triedLines(peer.candidates, paint),
      ];
    }),
    ...more > 0 ? [`and ${more} more`] : [],
  ];
}

/** What isn't in use, and was tried. */
function triedLines(candidates: readonly CandidateReport[], paint: Paint): readonly string[] {
  const tried = candidates.filter(({ outcome }) => outcome !== "in-use" && outcome !== "not-tried");
  if (tried.length === 0) return [];
  const texts = tried.map(({ kind, endpoint, outcome, roundTrip }) => {
    const time = roundTrip === null ? "" : `, ${milliseconds(roundTrip)}`;
    return `${kind} ${endpoint} (${OUTCOME_WORDS[outcome]}${time})`;
  });
  return wrap(plain(`tried: ${texts.join(", ")}`)).map((line) => paint(line, "dim"));
}

function nameOf({ name, publicKey }: PeerReport): string {
  return plain(name ?? `${publicKey.slice(0, SHORT_KEY)}…`);
}

/** Bytes, as people read them. */
function formatSize(bytes: number): string {
  let unit = 0;
  let size = bytes;
  while (size >= KIB && unit < UNITS.length - 1) {
    size /= KIB;
    unit++;
  }
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${size.toFixed(digits)} ${UNITS[unit]}`;
}
