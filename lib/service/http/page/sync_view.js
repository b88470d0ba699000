// What `sync` says of its interface.

import { isolated, make, say, show, state } from "./dom.js";
import { plots } from "./plot.js";
import { facts, list, textColumn } from "./table.js";
import {
  ago,
  byName,
  byteRate,
  counted,
  duration,
  figure,
  listed,
  nameOf,
  natWords,
  roundTrip,
  shortKey,
  size,
  visible,
} from "./words.js";

/** @typedef {import("../../../core/status/report.ts").InterfaceReport} InterfaceReport */
/** @typedef {import("../../../core/status/report.ts").PeerReport} PeerReport */
/** @typedef {import("../../../core/status/report.ts").ServerReport} ServerReport */
/** @typedef {import("../../../core/status/report.ts").CandidateReport} CandidateReport */

/** @type {Readonly<Record<string, string>>} */
const OUTCOMES = {
  "in-use": "in use",
  works: "works",
  dead: "has died",
  "no-answer": "no answer",
  trying: "being tried",
  "in-vain": "in vain",
  "not-tried": "not tried",
};
/** @type {Readonly<Record<string, string>>} */
const SERVER_STATES = { ok: "answers", "no-answer": "no answer" };
/** @type {Readonly<Record<string, string>>} */
const SERVER_KINDS = { ok: "good", "no answer yet": "" };

/** @param {HTMLElement} badge @param {PeerReport} peer */
function showPath(badge, { alive, path }) {
  if (!alive) state(badge, "bad", "down");
  else state(badge, path === "relay" ? "warn" : "good", path);
}

/**
 * @param {HTMLElement} cell
 * @param {{ name: string | null, publicKey: string }} peer
 * @returns {(peer: { name: string | null }) => void}
 */
export function fillName(cell, peer) {
  const name = isolated("");
  name.className = "name";
  const key = make("span", { class: "key mono", title: peer.publicKey }, shortKey(peer.publicKey));
  cell.append(name, key);
  return ({ name: said }) => {
    say(name, visible(said ?? ""));
    show(name, said !== null);
  };
}

/**
 * What was tried besides, in a list that is made when somebody opens it.
 *
 * @param {HTMLElement} cell
 */
function fillReach(cell) {
  const endpoint = make("span", { class: "mono" });
  const why = make("span", { class: "why" });
  const count = make("summary", {});
  const tried = make("ul", {});
  const details = make("details", {}, count, tried);
  cell.append(endpoint, why, details);
  /** @type {readonly CandidateReport[]} */
  let candidates = [];
  const list = () => {
    if (!details.open) return;
    const texts = candidates.map(({ kind, endpoint, outcome, roundTrip: time }) =>
      `${kind} ${endpoint}: ${OUTCOMES[outcome] ?? outcome}${
        time === null ? "" : `, ${roundTrip(time)}`
      }`
    );
    for (const [i, text] of texts.entries()) {
      const child = tried.children[i];
      if (child) say(child, text);
      else tried.append(make("li", {}, text));
    }
    while (tried.children.length > texts.length) tried.lastElementChild?.remove();
  };
  details.addEventListener("toggle", list);
  return (/** @type {PeerReport} */ peer) => {
    candidates = peer.candidates;
    say(endpoint, peer.endpoint ?? "");
    show(endpoint, peer.endpoint !== null);
    say(why, peer.why);
    say(count, counted(candidates.length, "way known", "ways known"));
    show(details, candidates.length > 0);
    list();
  };
}

/** @returns {import("./live.js").View<InterfaceReport>} */
export function syncView() {
  const about = facts(
    /** @type {[string, (r: InterfaceReport) => readonly string[], string?][]} */ ([
      ["Public key", ({ publicKey }) => publicKey === null ? [] : [publicKey], "mono"],
      ["Seen at", ({ endpoints }) => endpoints, "mono"],
      ["Forwarded by the router from", ({ mapped }) => mapped, "mono"],
      ["NAT", ({ nat }) => [natWords(nat)]],
      ["Port", ({ port }) => port === null ? [] : [String(port)]],
      ["Registered by", ({ register }) => register === null ? [] : [register]],
      ["Leased address", ({ lease }) =>
        lease === null ? [] : [
          ...lease.addresses,
          ...lease.endsIn === null
            ? []
            : [`ends in ${duration(lease.endsIn)}, if it is not renewed`],
        ]],
    ]),
  );
  const hour = plots([
    {
      title: "Bytes",
      lines: [{ name: "received", title: "received" }, { name: "sent", title: "sent" }],
      format: byteRate,
      base: 1024,
    },
    {
      title: "Peers that are reached",
      lines: [{ name: "alive", title: "in all" }, { name: "relayed", title: "by relay" }],
      format: figure,
    },
  ]);
  const peers = list({
    id: "peers",
    title: "Peers",
    empty: "The interface has no peers.",
    keyOf: (/** @type {PeerReport} */ { publicKey }) => publicKey,
    textOf: ({ name, publicKey, endpoint }) => `${name ?? ""} ${publicKey} ${endpoint ?? ""}`,
    only: { label: "only those that are down", is: ({ alive }) => !alive },
    columns: [
      { title: "Peer", width: "16%", fill: fillName },
      {
        title: "Path",
        width: "13%",
        fill: (cell) => {
          const badge = make("span", {});
          cell.append(badge);
          return (peer) => showPath(badge, peer);
        },
      },
      { title: "Where, and why so", kind: "across", width: "30%", fill: fillReach },
      textColumn("Round trip", (peer) => roundTrip(peer.roundTrip), "number", "9%"),
      textColumn("Handshake", (peer) => ago(peer.handshakeAge), "number", "11%"),
      textColumn("Received", (peer) => size(peer.received), "number", "10%"),
      textColumn("Sent", (peer) => size(peer.sent), "number", "11%"),
    ],
  });
  const servers = list({
    id: "registries",
    title: "Registries",
    empty: "No registry is asked.",
    keyOf: (/** @type {ServerReport} */ { server }) => server,
    columns: [
      { ...textColumn("Registry", ({ server }) => server, "name", "34%") },
      {
        title: "State",
        width: "18%",
        fill: (cell) => {
          const badge = make("span", {});
          cell.append(badge);
          return ({ status }) =>
            state(badge, SERVER_KINDS[status] ?? "bad", SERVER_STATES[status] ?? status);
        },
      },
      textColumn(
        "Protocol",
        ({ protocol, relays }) =>
          `${protocol === null ? "not known" : `wgsig ${protocol}`}${relays ? ", relays" : ""}`,
        "",
        "18%",
      ),
      textColumn("Answered", ({ age }) => ago(age), "number", "15%"),
      textColumn("Round trip", (server) => roundTrip(server.roundTrip), "number", "15%"),
    ],
  });
  return {
    parts: [about.element, hour.element, peers.element, servers.element],
    title: (report) => report.interface,
    verdict: (report) => {
      if (!report.present) {
        return ["bad", "waiting", `There is no interface ${report.interface} yet.`];
      }
      const down = report.peers.filter(({ alive }) => !alive).map(nameOf);
      const all = report.peers.length;
      if (all === 0) return ["", "no peers", "The interface has no peers."];
      const relayed = report.peers.filter(({ alive, path }) => alive && path === "relay").length;
      const how = relayed > 0 ? `, ${relayed} of them by relay` : "";
      return down.length === 0
        ? [
          "good",
          "up",
          `${all === 1 ? "The peer is" : `All ${figure(all)} peers are`} reached${how}.`,
        ]
        : [
          "bad",
          `${figure(down.length)} down`,
          `Not reached: ${listed(down)}; ${figure(all - down.length)} of ${counted(all, "peer")} ${
            all - down.length === 1 ? "is" : "are"
          } reached${how}.`,
        ];
    },
    states: (report) => [
      ...report.peers.map((peer) => /** @type {const} */ ([
        `peer ${peer.publicKey}`,
        nameOf(peer),
        peer.alive ? `reached, ${peer.path}` : "down",
      ])),
      ...report.servers.map(({ server, status }) => /** @type {const} */ ([
        `registry ${server}`,
        `registry ${server}`,
        SERVER_STATES[status] ?? status,
      ])),
    ],
    update(report, history) {
      about.update(report);
      hour.update(history);
      peers.update(report.peers.toSorted(byName), report.more);
      servers.update(report.servers);
    },
  };
}
