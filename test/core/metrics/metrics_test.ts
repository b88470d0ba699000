/** Metrics: what stands in them, and that nothing in a name can break them. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Exposition } from "../../../lib/core/metrics/exposition.ts";
import { counterMetric } from "../../../lib/core/metrics/counters.ts";
import { allMetrics, metricsText, type ProgramFacts } from "../../../lib/core/metrics/metrics.ts";
import { COUNTER_NAMES } from "../../../lib/core/net/counters.ts";
import { REACHED_BY } from "../../../lib/core/status/report.ts";
import type { ServeReport } from "../../../lib/core/status/serve_report.ts";
import { unready } from "../../../lib/core/status/ready.ts";
import { REPORT } from "../../support/status_report.ts";
import { test } from "../../testing.ts";

const FACTS: ProgramFacts = {
  version: "1.2.3",
  runtime: "quickjs 1",
  startedAt: 1_700_000_000.4,
  maxPeers: 10,
  counters: { "http-answered": 3 },
  now: { unix: 1_700_000_100, mono: 100 },
};

const SERVER: ServeReport = {
  kind: "serve",
  name: "1223",
  version: "1.2.3",
  runtime: "quickjs 1",
  uptime: 100,
  listen: ["0.0.0.0:1223"],
  dns: [],
  serverKey: null,
  publicAddress: null,
  state: null,
  store: null,
  groups: [7, 8].map((id) => ({
    id,
    proof: "auto",
    count: 3,
    proved: 1,
    ipv6: 1,
    nats: { unknown: 1, easy: 1, sequential: 0, hard: 1 },
    subscribers: 2,
    roster: null,
    invitations: null,
    peers: [1, 2].map((n) => ({
      publicKey: `key ${id}.${n}`,
      name: n === 1 ? "alice" : null,
      proved: n === 1,
      protocol: 2,
      age: 12.5,
      endpoints: [],
      places: [],
      nat: "easy",
      probes: true,
    })),
    more: 1,
  })),
  relay: { count: 1, datagrams: 2, bytes: 3, pairs: [], more: 0 },
  zones: [],
  leases: null,
  counters: { ...Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])), "drop-bad-mac": 5 },
};

/** The samples of a text, by their names with labels. */
function samples(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.trimEnd().split("\n")) {
    if (line.startsWith("# ")) continue;
    const [, name = "", value = ""] = /^(.+) (\S+)$/.exec(line) ?? [];
    assert(!found.has(name), `twice: ${name}`);
    found.set(name, value);
  }
  return found;
}

test("metrics: an interface's peers have the names that exporters of WireGuard have", () => {
  const all = samples(metricsText(REPORT, FACTS));
  const alice = 'interface="wg0",public_key="uEN/FxDargZsj7MEVnIKmCcoN71q+0r+n7triSVeaio=",' +
    'friendly_name="alice"';
  const nobody = 'interface="wg0",public_key="UFERvJuzK9UG8AvRsrTj3sA1Vw3pB7zJ5xgq8eHq1kQ="';
  for (
    const [name, value] of [
      ['wgsig_build_info{version="1.2.3",runtime="quickjs 1",command="sync"}', "1"],
      ["process_start_time_seconds", "1700000000"],
      [`wireguard_sent_bytes_total{${alice}}`, "512"],
      [`wireguard_received_bytes_total{${alice}}`, "1300000"],
      [`wireguard_latest_handshake_seconds{${alice}}`, "1700000039"],
      [`wireguard_latest_handshake_seconds{${nobody}}`, "0"],
      [`wgsig_peer_path_info{${alice},path="punched"}`, "1"],
      [`wgsig_peer_round_trip_seconds{${alice}}`, "0.0123"],
      [`wgsig_peer_up{${nobody}}`, "0"],
      ['wgsig_interface_path_peers{interface="wg0",path="punched"}', "1"],
      ['wgsig_interface_path_peers{interface="wg0",path="relay"}', "0"],
      ['wgsig_server_up{interface="wg0",server="old.example.com:1223"}', "0"],
      ["wgsig_http_answered_total", "3"],
    ] as const
  ) assertEquals(all.get(name), value, name);
  // It was not measured.
  assertEquals(all.has(`wgsig_peer_round_trip_seconds{${nobody}}`), false);
});

test("metrics: each peer of an interface is counted in one path, whichever it is", () => {
  const [alice] = REPORT.peers;
  for (const path of REACHED_BY) {
    const all = samples(metricsText({ ...REPORT, peers: [{ ...alice!, path }] }, FACTS));
    for (const each of REACHED_BY) {
      const name = `wgsig_interface_path_peers{interface="wg0",path="${each}"}`;
      assertEquals(all.get(name), each === path ? "1" : "0", name);
    }
  }
});

test("metrics: of a server's counters each is there, also where nothing was counted", () => {
  const all = samples(metricsText(SERVER, FACTS));
  assertEquals(all.get('wgsig_drops_total{reason="bad-mac"}'), "5");
  assertEquals(all.get('wgsig_relay_drops_total{reason="busy"}'), "0");
  assertEquals(all.get('wgsig_group_nat_peers{group="7",nat="hard"}'), "1");
  assertEquals(all.has("wgsig_leases"), false);
  assertEquals(all.has("wgsig_store_up"), false);
  const store = {
    address: "redis://127.0.0.1:6379",
    connected: true,
    since: 1,
    complete: true,
    behind: 3,
    roundTrip: null,
    fault: null,
  };
  const shared = samples(metricsText({ ...SERVER, store }, FACTS));
  assertEquals(shared.get("wgsig_store_up"), "1");
  assertEquals(shared.get("wgsig_store_behind_peers"), "3");
  assertEquals(shared.has("wgsig_store_round_trip_seconds"), false);
  for (const name of COUNTER_NAMES) {
    const { name: metric, values } = counterMetric(name);
    const labels = values.length === 0 ? "" : `{reason="${values[0]}"}`;
    assert(all.has(`${metric}${labels}`), name);
  }
});

test("metrics: no more peers have series than somebody wants, over all groups", () => {
  const count = (maxPeers: number) => {
    const all = samples(metricsText(SERVER, { ...FACTS, maxPeers }));
    return [...all.keys()].filter((name) => name.startsWith("wgsig_registered_peer_age")).length;
  };
  assertEquals([0, 1, 3, 100].map(count), [0, 1, 3, 4]);
  assertEquals(metricsText(REPORT, { ...FACTS, maxPeers: 0 }).includes("public_key"), false);
  assertEquals(metricsText(SERVER, { ...FACTS, maxPeers: 0 }).includes("public_key"), false);
});

test("metrics: each that a text has stands in the list, with its type and its labels", () => {
  const listed = new Map(allMetrics().map((metric) => [metric.name, metric]));
  for (const metric of listed.values()) {
    assert(/^(?:wgsig|wireguard|process)_[a-z0-9_]+$/.test(metric.name), metric.name);
    assertEquals(metric.name.endsWith("_total"), metric.type === "counter", metric.name);
    assert(/^[^|\n]+$/.test(metric.help), metric.name);
  }
  for (const [report, command] of [[REPORT, "sync"], [SERVER, "serve"]] as const) {
    const text = metricsText(report, FACTS);
    for (const [, name = "", type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      assertEquals(listed.get(name)?.type, type, name);
      assert(listed.get(name)?.commands.includes(command), name);
    }
    for (const [line, name = "", labels = ""] of text.matchAll(/^(\w+)\{(.*)\} /gm)) {
      const names = [...labels.matchAll(/(?:^|,)(\w+)="/g)].map(([, label = ""]) => label);
      for (const label of names) assert(listed.get(name)?.labels.includes(label), line);
    }
  }
});

test("metrics: whatever a name has in it, a line stays a line, and can be read back", () => {
  const metric = { type: "gauge", help: "a\nb\\c", labels: ["x", "y"] } as const;
  fc.assert(fc.property(fc.string(), fc.string({ unit: "binary" }), (x, y) => {
    const exposition = new Exposition();
    exposition.add("m", metric, [x, y], 1);
    const lines = exposition.text.split("\n");
    assertEquals(lines.length, 4);
    assertEquals(lines[0], "# HELP m a\\nb\\\\c");
    const sample = /^m(?:\{(.*)\})? 1$/s.exec(lines[2] ?? "");
    assert(sample !== null);
    const values = new Map<string, string>();
    const LABEL = /(?:^|,)(\w+)="((?:[^"\\\n]|\\[\\n"])*)"/gy;
    for (const [, label = "", value = ""] of (sample[1] ?? "").matchAll(LABEL)) {
      values.set(label, value.replace(/\\(.)/g, (_, each) => each === "n" ? "\n" : each));
    }
    assertEquals([values.get("x") ?? "", values.get("y") ?? ""], [x, y]);
  }));
});

test("metrics: a server that is named twice has one sample of each, and the text stays one", () => {
  const servers = [...REPORT.servers, ...REPORT.servers];
  // `samples` fails where there are two.
  const twice = samples(metricsText({ ...REPORT, servers }, FACTS));
  assertEquals(twice, samples(metricsText(REPORT, FACTS)));
});

test("readiness: an interface that is there, and a server that has answered", () => {
  assertEquals(unready(SERVER), undefined);
  const store = {
    address: "redis://store.example.com",
    connected: false,
    since: 3,
    complete: false,
    behind: 0,
    roundTrip: null,
    fault: null,
  };
  assertEquals(unready({ ...SERVER, listen: [], store }), "the store was not read yet");
  assertEquals(unready({ ...SERVER, store }), undefined, "with --store-start alone");
  assertEquals(unready(REPORT), undefined);
  assertEquals(unready({ ...REPORT, present: false }), "there is no such interface");
  assertEquals(unready({ ...REPORT, servers: [] }), "no server has answered");
});
