// Who of a group would reach whom, and how: as a matrix where it fits, and as a list for each peer.

import { isolated, make, mark, say, show } from "./dom.js";
import { byName, counted, figure, listed, nameOf } from "./words.js";

/** @typedef {import("../../../core/status/mesh.ts").MeshReport} MeshReport */
/** @typedef {import("../../../core/status/serve_report.ts").GroupReport} GroupReport */

const NOBODY = { name: null, publicKey: "" };

/** So many peers a matrix has at most, and at least. */
const MOST = 16;
const LEAST = 3;
/** So many fit a telephone. */
const FEW = 6;

/** How they reach each other: its letter, its kind, its word, and what it means. */
const REACHES = /** @type {const} */ ([
  ["d", "good", "direct", "straight from peer to peer"],
  ["h", "half", "hard", "straight where guessed ports meet, else by relay"],
  ["r", "warn", "relay", "only through a relay"],
  ["u", "", "not known", "they have not said what NATs they are behind"],
]);

/**
 * The letter of two peers.
 *
 * @param {MeshReport} mesh
 * @param {number} a
 * @param {number} b
 */
function letterOf({ rows }, a, b) {
  return rows?.[Math.max(a, b)]?.[Math.min(a, b)] ?? "u";
}

/**
 * Whom each peer reaches, in words, by its key.
 *
 * @param {MeshReport} mesh
 * @returns {ReadonlyMap<string, readonly string[]>}
 */
export function reachesOf(mesh) {
  const { peers, rows } = mesh;
  if (rows === null) return new Map();
  return new Map(peers.map(({ publicKey }, a) => {
    const texts = REACHES.flatMap(([letter, , word]) => {
      const those = peers.filter((_, b) => b !== a && letterOf(mesh, a, b) === letter);
      if (those.length === 0) return [];
      const count = `${figure(those.length)} ${letter === "r" ? "by relay" : word}`;
      // Whom a relay is needed for is worth a name.
      return [letter === "r" ? `${count}: ${listed(those.map(nameOf), 2)}` : count];
    });
    return /** @type {const} */ ([publicKey, texts]);
  }));
}

/** How many pairs are of which kind. @param {MeshReport} mesh */
function summary({ pairs, peers, more }) {
  const counts = [
    ...pairs.direct > 0 ? [`${figure(pairs.direct)} direct`] : [],
    ...pairs.hard > 0 ? [`${figure(pairs.hard)} hard`] : [],
    ...pairs.relay > 0 ? [`${figure(pairs.relay)} only through a relay`] : [],
    ...pairs.unknown > 0 ? [`${figure(pairs.unknown)} not known`] : [],
  ];
  const all = pairs.direct + pairs.hard + pairs.relay + pairs.unknown;
  const whose = more > 0 ? ` of the ${figure(peers.length)} peers heard last` : "";
  return `${counted(all, "pair")}${whose}: ${counts.join(", ")}.`;
}

/**
 * @param {string} kind
 * @param {string} word
 */
function sign(kind, word) {
  return make(
    "span",
    { class: `sign ${kind}`.trim(), title: word },
    make("span", { class: "unseen" }, word),
  );
}

/** @param {number} id Of the group. */
export function meshPart(id) {
  const heading = make("h3", { id: `mesh-${id}` }, "Who reaches whom");
  const counts = make("p", { class: "quiet" });
  const place = make("div", {});
  const legend = make("ul", { class: "legend" });
  for (const [, kind, word, meaning] of REACHES) {
    legend.append(make("li", {}, sign(kind, ""), make("b", {}, word), ` ${meaning}`));
  }
  const card = make("div", { class: "card" }, place, legend);
  const element = make("div", { class: "mesh-part" }, heading, counts, card);
  let shown = "";
  return {
    element,
    /** @param {MeshReport | undefined} mesh */
    update(mesh) {
      show(element, mesh !== undefined && mesh.peers.length > 1);
      if (mesh === undefined) return;
      const { peers, rows, more } = mesh;
      say(counts, summary(mesh));
      // The report's order is that of who was heard last, and never rests.
      const order = [...peers.keys()].sort((a, b) =>
        byName(peers[a] ?? NOBODY, peers[b] ?? NOBODY)
      );
      const names = order.map((place) => nameOf(peers[place] ?? NOBODY));
      const isShown = rows !== null && more === 0 && names.length >= LEAST && names.length <= MOST;
      show(card, isShown);
      const now = isShown ? JSON.stringify([names, lettersOf(mesh, order)]) : "";
      if (now === shown) return;
      shown = now;
      mark(card, "class", names.length <= FEW ? "card few" : "card");
      place.replaceChildren(...isShown ? [matrix(lettersOf(mesh, order), names, heading.id)] : []);
    },
  };
}

/**
 * The letters of all pairs, in an order.
 *
 * @param {MeshReport} mesh
 * @param {readonly number[]} order
 */
function lettersOf(mesh, order) {
  return order.map((a) => order.map((b) => letterOf(mesh, a, b)));
}

/**
 * @param {readonly (readonly string[])[]} letters
 * @param {readonly string[]} names
 * @param {string} heading Its id.
 */
function matrix(letters, names, heading) {
  const head = make("tr", {}, make("td", {}));
  for (const [i, name] of names.entries()) {
    const number = make("span", { "aria-hidden": "true" }, String(i + 1));
    const said = isolated(name);
    mark(said, "class", "unseen");
    head.append(make("th", { scope: "col", title: name }, number, said));
  }
  const body = make("tbody");
  for (const [a, name] of names.entries()) {
    const number = make("span", { class: "quiet", "aria-hidden": "true" }, `${a + 1} `);
    const row = make("tr", {}, make("th", { scope: "row" }, number, isolated(name)));
    for (const [b, other] of names.entries()) {
      if (a === b) {
        row.append(make("td", { class: "self" }, make("span", { class: "unseen" }, "itself")));
        continue;
      }
      const [, kind, word] = REACHES.find(([letter]) => letter === letters[a]?.[b]) ?? REACHES[3];
      const cell = make("td", { title: `${name} and ${other}: ${word}` }, sign(kind, word));
      row.append(cell);
    }
    body.append(row);
  }
  return make(
    "table",
    { class: "mesh", "aria-labelledby": heading },
    make("thead", {}, head),
    body,
  );
}

/**
 * A cell that says whom a peer reaches.
 *
 * @param {HTMLElement} cell
 * @param {(key: string) => readonly string[]} textsOf
 * @returns {(peer: { publicKey: string }) => void}
 */
export function fillReaches(cell, textsOf) {
  return ({ publicKey }) => {
    const texts = textsOf(publicKey);
    for (const [i, text] of texts.entries()) {
      const child = cell.children[i];
      if (child) say(child, text);
      else cell.append(make("span", { class: "line" }, text));
    }
    while (cell.children.length > texts.length) cell.lastElementChild?.remove();
  };
}
