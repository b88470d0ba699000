/**
 * A report as a person reads it: lines of at most 80 columns.
 *
 * @module
 */

import { formatAge } from "../settings/duration.ts";
import {
  column,
  flushRight,
  formatSize,
  milliseconds,
  nameOf,
  type Paint,
  painter,
  plain,
  wrap,
} from "./lines.ts";
import type {
  CandidateReport,
  InterfaceReport,
  LeaseReport,
  Outcome,
  Report,
  ServerReport,
} from "./report.ts";
import type { MeshReport } from "./mesh.ts";
import { meshLines } from "./mesh_table.ts";
import type { ServeReport } from "./serve_report.ts";
import { serverLines } from "./serve_table.ts";

/** Widths of what a peer's line has, the columns that are flush right behind the two others. */
const NAME = 18;
const PATH = 10;
const NUMBERS = [11, 11, 11, 11] as const;
const SERVER = 38;
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

/** Puts a report into lines. @param isColoured Whether they may have colours. */
export function formatReport(report: Report, isColoured: boolean): string {
  const paint = painter(isColoured);
  const lines = report.kind === "serve"
    ? serverLines(report, paint)
    : interfaceLines(report, paint);
  return `${lines.join("\n")}\n`;
}

/** Puts meshes of a server's groups into lines. */
export function formatMeshes(
  { name }: Pick<ServeReport, "name">,
  meshes: readonly MeshReport[],
  isColoured: boolean,
): string {
  const paint = painter(isColoured);
  const lines = meshes.flatMap((mesh) => ["", ...meshLines(mesh, paint)]);
  return `${[`${paint("server", "bold")} ${plain(name)}`, ...lines].join("\n")}\n`;
}

/** Whether somebody is down: of an interface, a peer that it doesn't reach. */
export function hasDown(report: Report): boolean {
  return report.kind === "sync" && report.peers.some(({ alive }) => !alive);
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
    ...report.lease === null ? [] : [leaseOf(report.lease)],
  ];
  return [
    head,
    ...facts.flatMap((fact) => wrap(plain(fact))),
    ...report.servers.length > 0 ? ["", ...askedLines(report.servers, paint)] : [],
    "",
    ...report.peers.length > 0 ? peerLines(report, paint) : ["no peers"],
  ];
}

function leaseOf({ addresses, endsIn }: LeaseReport): string {
  if (addresses.length === 0) return "leased: nothing yet";
  const end = endsIn === null ? "" : `, for another ${formatAge(endsIn)} if it is not renewed`;
  return `leased: ${addresses.join(", ")}${end}`;
}

function askedLines(servers: readonly ServerReport[], paint: Paint): readonly string[] {
  const row = (...[server, ...numbers]: readonly string[]) =>
    `${column(server ?? "", SERVER)}${flushRight(numbers, [18, 12, 12])}`;
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
    `${column(name, NAME)} ${path.padEnd(PATH)}${flushRight(numbers, NUMBERS)}`;
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
