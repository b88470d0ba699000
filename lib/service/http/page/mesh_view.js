// Who of a group would reach whom, and how: as a matrix where it fits, and as a list for each peer.

import { isolated, make, mark, say, show } from "./dom.js";
import { figure, listed, nameOf } from "./words.js";

/** @typedef {import("../../../core/status/mesh_report.ts").MeshReport} MeshReport */
/** @typedef {import("../../../core/status/mesh_report.ts").Reach} Reach */
/** @typedef {import("../../../core/status/serve_report.ts").GroupReport} GroupReport */

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
  return rows[Math.max(a, b)]?.[Math.min(a, b)] ?? "u";
}

/**
 * Whom each peer reaches, in words.
 *
 * @param {MeshReport} mesh
 * @param {ReadonlyMap<string, string>} names By key.
 * @returns {ReadonlyMap<string, readonly string[]>}
 */
export function reachesOf(mesh, names) {
  const { peers } = mesh;
  return new Map(peers.map((key, a) => {
    const texts = REACHES.flatMap(([letter, , word]) => {
      const those = peers.filter((_, b) => b !== a && letterOf(mesh, a, b) === letter);
      if (those.length === 0) return [];
      const some = listed(those.map((each) => names.get(each) ?? each), 2);
      return [
        letter === "d"
          ? `${figure(those.length)} direct`
          : `${figure(those.length)} ${word}: ${some}`,
      ];
    });
    return /** @type {const} */ ([key, texts]);
  }));
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
  const place = make("div", {});
  const legend = make("ul", { class: "legend" });
  for (const [, kind, word, meaning] of REACHES) {
    legend.append(make("li", {}, sign(kind, ""), make("b", {}, word), ` ${meaning}`));
  }
  const card = make("div", { class: "card" }, place, legend);
  const element = make("div", { class: "mesh-part" }, heading, card);
  let shown = "";
  return {
    element,
    /**
     * @param {MeshReport | undefined} mesh
     * @param {ReadonlyMap<string, string>} names By key.
     */
    update(mesh, names) {
      const isShown = mesh !== undefined && mesh.more === 0 && mesh.peers.length >= LEAST &&
        mesh.peers.length <= MOST;
      show(element, isShown);
      if (!isShown) return;
      const called = mesh.peers.map((key) => names.get(key) ?? key);
      const now = JSON.stringify([called, mesh.rows]);
      if (now === shown) return;
      shown = now;
      mark(element, "class", `mesh-part ${called.length <= FEW ? "few" : ""}`);
      place.replaceChildren(matrix(mesh, called, heading.id));
    },
  };
}

/**
 * @param {MeshReport} mesh
 * @param {readonly string[]} names
 * @param {string} heading Its id.
 */
function matrix(mesh, names, heading) {
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
      const letter = letterOf(mesh, a, b);
      const [, kind, word] = REACHES.find(([each]) => each === letter) ?? REACHES[3];
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
 * The names of a group's peers, by key.
 *
 * @param {readonly GroupReport[]} groups
 * @returns {ReadonlyMap<string, string>}
 */
export function namesIn(groups) {
  return new Map(
    groups.flatMap(({ peers }) =>
      peers.map((peer) => /** @type {const} */ ([peer.publicKey, nameOf(peer)]))
    ),
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
