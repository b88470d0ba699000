// What `serve` says of its groups, and of all else that it does.

import { Children, make, say, section, show, state } from "./dom.js";
import { fillReaches, meshPart, reachesOf } from "./mesh_view.js";
import { plots } from "./plot.js";
import { facts, list, textColumn } from "./table.js";
import { fillName } from "./sync_view.js";
import {
  ago,
  byName,
  byteRate,
  counted,
  duration,
  figure,
  listed,
  nameOf,
  rate,
  shortKey,
  size,
} from "./words.js";

/** @typedef {import("../../../core/status/serve_report.ts").ServeReport} ServeReport */
/** @typedef {import("../../../core/status/serve_report.ts").GroupReport} GroupReport */
/** @typedef {import("../../../core/status/serve_report.ts").RegisteredPeerReport} RegisteredPeerReport */
/** @typedef {import("../../../core/status/serve_report.ts").RelayedPairReport} RelayedPairReport */
/** @typedef {import("../../../core/status/serve_report.ts").HeldLeaseReport} HeldLeaseReport */
/** @typedef {import("../../../core/status/mesh.ts").MeshReport} MeshReport */
/** @typedef {ServeReport & { readonly mesh?: readonly MeshReport[] }} ServeReportWithMesh */
/** @typedef {import("../../../core/status/history.ts").HistoryReport} HistoryReport */

/** Series of drops, and what they are about. */
const DROPS = /** @type {const} */ ([
  ["drops-secret", "another secret or group, or not wgsig at all"],
  ["drops-time", "a wrong clock, or heard before"],
  ["drops-refused", "a key or a form that isn't wanted"],
  ["drops-malformed", "damaged, or of a wrong length"],
  ["drops-join", "invitations and names"],
  ["drops-relay", "not to be relayed"],
  ["drops-dns", "no DNS question"],
  ["drops-other", "something else"],
]);

/**
 * All drops as one series beside the others.
 *
 * @param {HistoryReport} history
 * @returns {HistoryReport}
 */
function withDrops(history) {
  const all = DROPS.map(([name]) => history.series[name] ?? []);
  const [first = []] = all;
  const drops = first.map((_, i) => {
    const known = all.map((samples) => samples[i] ?? null).filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
  });
  return { ...history, series: { ...history.series, drops } };
}

/** How many of a sort there were in the last hour. @param {HistoryReport} history @param {string} name */
function inHour({ interval, series }, name) {
  const rates = series[name] ?? [];
  return Math.round(
    rates.reduce((/** @type {number} */ sum, value) => sum + (value ?? 0), 0) * interval,
  );
}

/**
 * @param {(key: string) => readonly string[]} reaches
 * @returns {import("./table.js").Column<RegisteredPeerReport>[]}
 */
function peerColumns(reaches) {
  return [
    { title: "Peer", width: "18%", fill: fillName },
    {
      title: "Key",
      width: "13%",
      fill: (cell) => {
        const badge = make("span", {});
        cell.append(badge);
        return ({ proved }) => state(badge, proved ? "good" : "", proved ? "proved" : "not proved");
      },
    },
    {
      title: "Where it is seen",
      kind: "across",
      width: "25%",
      fill: (cell) => {
        const seen = make("span", {});
        const places = make("span", { class: "why" });
        cell.append(seen, places);
        /** @type {Children<string, HTMLElement>} */
        const endpoints = new Children(seen, (text) => ({
          element: make("span", { class: "mono endpoint" }, text),
          update: () => {},
        }));
        return (peer) => {
          endpoints.update([...new Set(peer.endpoints)], (text) => text);
          const texts = peer.places.map(({ kind, endpoint }) => `${kind} ${endpoint}`);
          say(places, texts.length > 0 ? `and says: ${texts.join(", ")}` : "");
          show(places, texts.length > 0);
        };
      },
    },
    textColumn("NAT", ({ nat }) => nat === "unknown" ? "not known" : nat, "", "12%"),
    { title: "Reaches", width: "13%", fill: (cell) => fillReaches(cell, reaches) },
    textColumn(
      "Speaks",
      ({ protocol, probes }) => `wgsig ${protocol}${probes || protocol === 1 ? "" : ", no probes"}`,
      "",
      "9%",
    ),
    textColumn("Heard", ({ age }) => ago(age), "number", "10%"),
  ];
}

/** @param {GroupReport} first */
function groupPart({ id }, meshes = () => /** @type {readonly MeshReport[]} */ ([])) {
  /** @type {ReadonlyMap<string, readonly string[]>} */
  let reaches = new Map();
  const about = facts(
    /** @type {[string, (g: GroupReport) => readonly string[], string?][]} */ ([
      [
        "Who is registered",
        ({ proof }) => [proof === "required" ? "who proves its key" : "any member"],
      ],
      ["Proved", ({ proved, count }) => [`${figure(proved)} of ${figure(count)}`]],
      ["Seen over IPv6", ({ ipv6, count }) => [`${figure(ipv6)} of ${figure(count)}`]],
      ["NATs", ({ nats }) => [
        listed(
          Object.entries(nats).filter(([, count]) => count > 0)
            .map(([nat, count]) => `${figure(count)} ${nat === "unknown" ? "not known" : nat}`),
          4,
        ),
      ]],
      ["Told at once of changes", ({ subscribers }) => [counted(subscribers, "peer")]],
      ["Known by name", ({ roster }) => roster === null ? [] : [counted(roster, "peer")]],
      ["Open invitations", ({ invitations }) => invitations === null ? [] : [figure(invitations)]],
    ]),
    "small",
  );
  const peers = list({
    id: `group-${id}`,
    title: `Peers of group ${id}`,
    empty: "Nobody is registered.",
    keyOf: (/** @type {RegisteredPeerReport} */ { publicKey }) => publicKey,
    textOf: ({ name, publicKey, endpoints }) => `${name ?? ""} ${publicKey} ${endpoints.join(" ")}`,
    only: { label: "only those that have not proved their key", is: ({ proved }) => !proved },
    columns: peerColumns((key) => reaches.get(key) ?? []),
  });
  const mesh = meshPart(id);
  peers.element.firstElementChild?.after(about.element);
  peers.element.append(mesh.element);
  return {
    element: peers.element,
    /** @param {GroupReport} group */
    update(group) {
      about.update(group);
      const told = meshes().find((each) => each.group === id);
      if (told) reaches = reachesOf(told);
      mesh.update(told);
      peers.update(group.peers.toSorted(byName), group.more);
    },
  };
}

/** What has been dropped, by sort; nothing is there while there is nothing. */
function dropsPart() {
  const part = list({
    id: "drops",
    title: "Dropped in the last hour",
    isCounted: false,
    empty: "Nothing was dropped.",
    keyOf: (/** @type {readonly [string, string, number]} */ [name]) => name,
    columns: [
      textColumn("Because it was", ([, about]) => about, "", "70%"),
      textColumn("Datagrams", ([, , count]) => figure(count), "number", "30%"),
    ],
  });
  return {
    element: part.element,
    /** @param {HistoryReport} history */
    update(history) {
      const counts = DROPS.map((
        [name, about],
      ) => /** @type {const} */ ([name, about, inHour(history, name)]));
      part.update(counts.filter(([, , count]) => count > 0).toSorted((a, b) => b[2] - a[2]));
    },
  };
}

/** Pairs whose datagrams are passed on. */
function relayPart() {
  /** @type {ReadonlyMap<string, string>} */
  let names = new Map();
  const nameBy = (/** @type {string} */ key) => names.get(key) ?? shortKey(key);
  const pairs = list({
    id: "relayed",
    title: "Relayed pairs",
    empty: "No pair is relayed.",
    keyOf: (/** @type {RelayedPairReport} */ { group, a, b }) => `${group} ${a} ${b}`,
    textOf: ({ a, b }) => `${nameBy(a)} ${nameBy(b)} ${a} ${b}`,
    columns: [
      textColumn("One peer", ({ a }) => nameBy(a), "name", "30%"),
      textColumn("The other", ({ b }) => nameBy(b), "name", "30%"),
      textColumn("Group", ({ group }) => String(group), "number", "10%"),
      textColumn("Wanted for", ({ since }) => duration(since), "number", "15%"),
      textColumn("Last datagram", ({ age }) => ago(age), "number", "15%"),
    ],
  });
  const sums = make("p", { class: "quiet" });
  pairs.element.firstElementChild?.after(sums);
  return {
    element: pairs.element,
    /** @param {ServeReport} report */
    update({ relay, groups }) {
      show(pairs.element, relay !== null);
      if (relay === null) return;
      names = new Map(
        groups.flatMap(({ peers }) =>
          peers.map((peer) => /** @type {const} */ ([peer.publicKey, nameOf(peer)]))
        ),
      );
      say(sums, `${counted(relay.datagrams, "datagram")} passed on, ${size(relay.bytes)}.`);
      pairs.update(relay.pairs, relay.more);
    },
  };
}

function leasesPart() {
  const held = list({
    id: "leases",
    title: "Leased addresses",
    empty: "No address is leased.",
    keyOf: (/** @type {HeldLeaseReport} */ { publicKey, address }) => `${publicKey} ${address}`,
    textOf: ({ name, publicKey, address }) => `${name ?? ""} ${publicKey} ${address}`,
    columns: [
      { title: "Peer", width: "40%", fill: fillName },
      textColumn("Address", ({ address }) => address, "mono", "35%"),
      textColumn("Ends in", ({ endsIn }) => duration(endsIn), "number", "25%"),
    ],
  });
  return {
    element: held.element,
    /** @param {ServeReport} report */
    update({ leases }) {
      show(held.element, leases !== null);
      if (leases !== null) held.update(leases.held, leases.more);
    },
  };
}

/** Everything that is counted, for whoever wants to know it exactly. */
function countersPart() {
  const { element } = section("counters", "Counted since the start");
  const counts = list({
    id: "counts",
    title: "Counters",
    empty: "Nothing was counted.",
    keyOf: (/** @type {readonly [string, number]} */ [name]) => name,
    columns: [
      textColumn("Counter", ([name]) => name, "mono", "70%"),
      textColumn("Count", ([, count]) => figure(count), "number", "30%"),
    ],
  });
  const details = make("details", {}, make("summary", {}, "All counters that are not 0"));
  const rows = counts.element.querySelector(".frame");
  if (rows) details.append(rows);
  element.append(details);
  return {
    element,
    /** @param {ServeReport} report */
    update({ counters }) {
      if (details.open) counts.update(Object.entries(counters).filter(([, count]) => count > 0));
    },
  };
}

/** @returns {import("./live.js").View<ServeReportWithMesh>} */
export function serveView() {
  const about = facts(
    /** @type {[string, (r: ServeReport) => readonly string[], string?][]} */ ([
      [
        "Public key, which peers pin",
        ({ serverKey }) => serverKey === null ? [] : [serverKey],
        "mono",
      ],
      ["Listens at", ({ listen }) => listen, "mono"],
      [
        "Invitations name it",
        ({ publicAddress }) => publicAddress === null ? [] : [publicAddress],
        "mono",
      ],
      ["Has run for", ({ uptime }) => [duration(uptime)]],
      ["State file", ({ state }) => [state ?? "none: a restart forgets peers"]],
      ["Shares its peers in", ({ store }) =>
        store === null ? [] : [
          `${store.address}: ${store.connected ? "connected" : "gone"}`,
          ...store.fault?.over === false ? [store.fault.why] : [],
        ]],
      ["DNS is answered at", ({ dns }) => dns, "mono"],
      ["DNS zones", ({ zones }) => zones.map(({ name }) => name), "mono"],
    ]),
  );
  const hour = plots([
    {
      title: "Requests",
      lines: [{ name: "received", title: "received" }, { name: "answered", title: "answered" }],
      format: rate,
    },
    { title: "Dropped", lines: [{ name: "drops", title: "datagrams" }], format: rate },
    {
      title: "Relayed",
      lines: [{ name: "relayed-bytes", title: "passed on" }],
      format: byteRate,
      base: 1024,
    },
    { title: "Registered", lines: [{ name: "peers", title: "peers" }], format: figure },
  ]);
  const groups = make("div", { class: "groups" });
  /** @type {readonly MeshReport[]} */
  let meshes = [];
  /** @type {Children<GroupReport, HTMLElement>} */
  const groupParts = new Children(groups, (group) => groupPart(group, () => meshes));
  const drops = dropsPart();
  const relayed = relayPart();
  const leases = leasesPart();
  const counters = countersPart();
  return {
    parts: [
      about.element,
      hour.element,
      groups,
      relayed.element,
      leases.element,
      drops.element,
      counters.element,
    ],
    title: ({ name }) => `serve, port ${name}`,
    verdict: ({ groups, relay }) => {
      const sum = (/** @type {"count" | "proved"} */ of) =>
        groups.reduce((sum, group) => sum + group[of], 0);
      const pairs = relay === null || relay.count === 0
        ? ""
        : `, ${counted(relay.count, "pair")} relayed`;
      const where = groups.length === 1 ? "" : ` in ${counted(groups.length, "group")}`;
      return [
        "good",
        "serving",
        `${counted(sum("count"), "peer")}${where}, ${figure(sum("proved"))} proved${pairs}.`,
      ];
    },
    states: ({ groups }) =>
      groups.flatMap(({ id, peers }) =>
        peers.map((peer) => /** @type {const} */ ([
          `${id} ${peer.publicKey}`,
          nameOf(peer),
          peer.endpoints.join(" and "),
        ]))
      ),
    update(report, history) {
      about.update(report);
      hour.update(withDrops(history));
      meshes = report.mesh ?? [];
      groupParts.update(report.groups, ({ id }) => String(id));
      relayed.update(report);
      leases.update(report);
      drops.update(history);
      counters.update(report);
    },
  };
}
