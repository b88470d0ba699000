/**
 * A mesh as a person reads it: lines of at most 80 columns.
 *
 * @module
 */

import { column, counted, nameOf, type Paint, plain, type Style, WIDTH, wrap } from "./lines.ts";
import type { MeshClass, MeshKind, MeshReport } from "./mesh.ts";

/** Peers of whom there is a matrix; of more, there are counts. */
const MOST_IN_MATRIX = 14;
/** So many of them have room for words. */
const MOST_WITH_WORDS = 7;
const NAME = 18;
const [WORD, LETTER] = [8, 4] as const;
/** Pairs that are written out. */
const MOST_PAIRS = 50;

const CLASSES: readonly MeshClass[] = ["direct", "hard", "relay", "unknown"];
const KINDS: readonly MeshKind[] = ["open", "easy", "sequential", "hard", "unknown"];
const STYLES: Readonly<Record<MeshClass, Style>> = {
  direct: "good",
  hard: "bold",
  relay: "bad",
  unknown: "dim",
};

/** Puts it into lines. */
export function meshLines(mesh: MeshReport, paint: Paint): readonly string[] {
  const { group, peers, more, pairs, rows } = mesh;
  const counts = CLASSES.filter((each) => pairs[each] > 0).map((each) => `${pairs[each]} ${each}`);
  const isSmall = rows !== null && peers.length <= MOST_IN_MATRIX;
  return [
    `${paint("mesh", "bold")} of group ${group}`,
    ...wrap(
      `${counted(peers.length + more, "peer")}; pairs: ${counts.join(", ") || "none"}` +
        (more > 0 ? ` among the ${peers.length} heard last` : ""),
    ),
    ...isSmall ? matrixLines(mesh, rows, paint) : kindLines(mesh),
    ...relayLines(mesh, isSmall, paint),
    ...unknownLines(mesh),
  ];
}

function matrixLines(
  { peers }: MeshReport,
  rows: readonly string[],
  paint: Paint,
): readonly string[] {
  if (peers.length < 2) return [];
  const hasWords = peers.length <= MOST_WITH_WORDS;
  const width = hasWords ? WORD : LETTER;
  const head = ["", ...peers.slice(1).map((_, i) => `${i + 1}`)];
  const cells = (i: number) =>
    [...rows[i] ?? ""].map((letter) => {
      const word = CLASSES.find((each) => each.startsWith(letter)) ?? "unknown";
      const shown = hasWords ? word : letter.toUpperCase();
      return paint(shown.padStart(width), STYLES[word]);
    });
  return [
    "",
    paint(head.map((text, i) => text.padStart(i === 0 ? NAME + 3 : width)).join(""), "bold"),
    ...peers.map((peer, i) =>
      `${`${i + 1}`.padStart(2)} ${column(nameOf(peer), NAME)}${cells(i).join("")}`.trimEnd()
    ),
    ...hasWords ? [] : ["", ...wrap("D direct, H hard, R relay, U unknown")],
    "",
    ...peers.flatMap((peer, i) => wrap(plain(`${i + 1} ${nameOf(peer)}: ${traitsOf(peer)}`))),
  ];
}

function traitsOf({ kind, ipv6 }: MeshReport["peers"][number]): string {
  return `${natOf(kind)}${ipv6 ? ", has IPv6" : ""}`;
}

function natOf(kind: MeshKind): string {
  return kind === "open" ? "its port is forwarded" : `NAT ${kind}`;
}

function kindLines({ peers, kinds }: MeshReport): readonly string[] {
  const counts = KINDS.filter((kind) => kinds[kind] > 0).map((kind) => `${kinds[kind]} ${kind}`);
  const withIpv6 = peers.filter(({ ipv6 }) => ipv6).length;
  return wrap(`NATs: ${counts.join(", ")}; ${withIpv6} with IPv6`);
}

/** Who needs a relay, and whether there is one. */
function relayLines(
  { peers, pairs, relayed, relays }: MeshReport,
  isSmall: boolean,
  paint: Paint,
): readonly string[] {
  if (pairs.relay === 0) {
    return ["", ...wrap(`no pair needs a relay${relays ? ", though there is one here" : ""}`)];
  }
  const verb = pairs.relay === 1 ? "needs" : "need";
  const head = `${counted(pairs.relay, "pair")} ${verb} a relay: ` +
    (relays ? "this registry is one" : "this registry is none; start it with --relay");
  const called = (place: number) => column(nameOf(peers[place]!), 2 * NAME).trimEnd();
  const shown = isSmall ? [] : relayed.slice(0, MOST_PAIRS);
  return [
    "",
    ...wrap(head).map((line) => relays ? line : paint(line, "bad")),
    ...shown.map(([a, b]) => column(`    ${called(a)} – ${called(b)}`, WIDTH).trimEnd()),
    ...!isSmall && pairs.relay > shown.length ? [`    and ${pairs.relay - shown.length} more`] : [],
  ];
}

function unknownLines({ pairs, kinds }: MeshReport): readonly string[] {
  if (pairs.unknown === 0) return [];
  return wrap(
    kinds.unknown > 0
      ? `${counted(kinds.unknown, "peer")} with an unknown NAT: ` +
        "sync finds it out where the registry listens at two ports"
      : "whether peers behind the same address reach each other is up to their router",
  );
}
