/**
 * Draws docs/status-page.png and docs/status-page-serve.png: the page of `--status` as Chromium shows it,
 * of reports that are made up here, with addresses that are for documentation (RFC 5737, RFC 3849).
 *
 * @module
 */

import { SCHEMA } from "../lib/core/status/report.ts";
import type { InterfaceReport, PeerReport } from "../lib/core/status/report.ts";
import { DROP_SORTS } from "../lib/core/status/figures.ts";
import {
  HISTORY_INTERVAL,
  HISTORY_SAMPLES,
  type HistoryReport,
} from "../lib/core/status/history.ts";
import { meshOf } from "../lib/core/status/mesh.ts";
import type { RegisteredPeerReport, ServeReport } from "../lib/core/status/serve_report.ts";
import { makePage } from "../lib/service/http/page.ts";
import { Browser } from "../test/support/browser.ts";
import { smaller } from "./png.ts";
import { ROOT, say } from "./tools.ts";

const WIDTH = 1120;
/** Higher than any page here. */
const TALL = 4000;
/** What a picture may have, in bytes. */
const LIMIT = 150_000;

/** Numbers that look like chance, and are the same each time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => (state = state * 16_807 % 2_147_483_647) / 2_147_483_647;
}

const KEYS = chance(15);
const SAMPLES = chance(7);

function key(): string {
  return Uint8Array.from({ length: 32 }, () => Math.floor(KEYS() * 256)).toBase64();
}

/** An hour of a figure that goes up and down. */
function wave(level: number, swing: number, pace: number): number[] {
  return Array.from(
    { length: HISTORY_SAMPLES },
    (_, i) => Math.max(0, level + swing * (Math.sin(i / pace) + SAMPLES() - 0.5)),
  );
}

/** One that is the same until it changes. */
function steps(...spans: readonly (readonly [count: number, value: number])[]): number[] {
  return spans.flatMap(([count, value]) => Array.from({ length: count }, () => value));
}

function history(series: HistoryReport["series"]): HistoryReport {
  return { interval: HISTORY_INTERVAL, age: 4, series };
}

function peer(name: string, fields: Partial<PeerReport>): PeerReport {
  return {
    publicKey: key(),
    name,
    alive: true,
    path: "punched",
    endpoint: null,
    why: "",
    roundTrip: null,
    handshakeAge: null,
    received: 0,
    sent: 0,
    candidates: [],
    ...fields,
  };
}

const INTERFACE: InterfaceReport = {
  kind: "sync",
  interface: "wg0",
  present: true,
  publicKey: key(),
  port: 51820,
  register: "raw",
  endpoints: ["203.0.113.32:51820", "[2001:db8:32::7]:51820"],
  mapped: ["203.0.113.32:51820"],
  nat: "easy",
  lease: null,
  servers: [
    {
      server: "vps.example.com:1223",
      status: "ok",
      protocol: 2,
      relays: true,
      age: 9,
      roundTrip: 0.0123,
    },
    {
      server: "second.example.net:1223",
      status: "ok",
      protocol: 2,
      relays: false,
      age: 14,
      roundTrip: 0.031,
    },
  ],
  peers: [
    peer("alice", {
      path: "ipv6",
      endpoint: "[2001:db8:21::5]:51820",
      why: "proved by probes, round trip 18 ms",
      roundTrip: 0.018,
      handshakeAge: 41,
      received: 812_000_000,
      sent: 96_000_000,
    }),
    peer("cabin", {
      path: "relay",
      endpoint: "192.0.2.10:1223",
      why: "better ways tried in vain: punched, predicted",
      roundTrip: 0.044,
      handshakeAge: 77,
      received: 18_400_000,
      sent: 7_100_000,
      candidates: [
        { kind: "punched", endpoint: "198.51.100.7:40112", outcome: "no-answer", roundTrip: null },
        { kind: "relay", endpoint: "192.0.2.10:1223", outcome: "in-use", roundTrip: 0.044 },
      ],
    }),
    peer("nas", {
      path: "lan",
      endpoint: "192.168.10.4:51820",
      why: "proved by probes, round trip 0.6 ms",
      roundTrip: 0.0006,
      handshakeAge: 12,
      received: 4_100_000_000,
      sent: 9_700_000_000,
    }),
    peer("phone", {
      alive: false,
      path: "none",
      endpoint: "198.51.100.93:38211",
      why: "its endpoints are probed, and no handshake has come through",
      handshakeAge: 5400,
      received: 3_200_000,
      sent: 1_100_000,
      candidates: [
        { kind: "punched", endpoint: "198.51.100.93:38211", outcome: "dead", roundTrip: null },
        { kind: "lan", endpoint: "192.168.43.7:51820", outcome: "no-answer", roundTrip: null },
      ],
    }),
    peer("vps", {
      path: "mapped",
      endpoint: "192.0.2.10:51820",
      why: "proved by probes, round trip 12 ms",
      roundTrip: 0.0123,
      handshakeAge: 96,
      received: 233_000_000,
      sent: 41_000_000,
    }),
  ],
  more: 0,
};

/** Names, NATs, and the ends of their addresses. */
const REGISTERED = [
  ["alice", "easy", 21, true],
  ["cabin", "hard", 7, false],
  ["home", "easy", 32, true],
  ["nas", "easy", 32, true],
  ["office", "sequential", 64, false],
  ["phone", "hard", 93, false],
] as const;

const PEERS = REGISTERED.map(([name, nat, end, hasIpv6], i): RegisteredPeerReport => ({
  publicKey: key(),
  name,
  proved: true,
  protocol: 2,
  age: 3 + 7 * i,
  endpoints: [
    `${i % 2 === 0 ? "203.0.113" : "198.51.100"}.${end}:${51820 + 611 * i}`,
    ...hasIpv6 ? [`[2001:db8:${end}::${i + 1}]:51820`] : [],
  ],
  places: [{ kind: "lan", endpoint: `192.168.${end}.${i + 2}:51820` }],
  nat,
  probes: true,
}));

const REGISTRY: ServeReport = {
  kind: "serve",
  name: "1223",
  version: "0.1.0",
  runtime: "bun 1.4.5",
  uptime: 9 * 86_400,
  listen: ["0.0.0.0:1223", "[::]:1223"],
  serverKey: key(),
  publicAddress: "vps.example.com:1223",
  state: "/var/lib/wgsig/state",
  store: null,
  groups: [{
    id: 0,
    proof: "auto",
    count: PEERS.length,
    proved: PEERS.length,
    ipv6: REGISTERED.filter(([, , , hasIpv6]) => hasIpv6).length,
    nats: { unknown: 0, easy: 3, sequential: 1, hard: 2 },
    subscribers: 5,
    roster: 6,
    invitations: 1,
    peers: PEERS,
    more: 0,
  }],
  relay: {
    count: 1,
    datagrams: 51_234,
    bytes: 61_234_567,
    pairs: [{ group: 0, a: PEERS[1]!.publicKey, b: PEERS[5]!.publicKey, age: 1, since: 4000 }],
    more: 0,
  },
  dns: ["192.0.2.10:53"],
  zones: [{ name: "wg.example.com", interface: null, groups: [0], views: 0, keys: [], tsig: [] }],
  leases: null,
  counters: {
    received: 812_345,
    answered: 811_902,
    "drop-bad-mac": 312,
    "drop-outside-window": 41,
  },
};

const NO_DROPS = Object.fromEntries(DROP_SORTS.map((sort) => [sort, steps([HISTORY_SAMPLES, 0])]));

const PICTURES = {
  "status-page": {
    ...INTERFACE,
    version: "0.1.0",
    history: history({
      received: wave(95_000, 60_000, 9),
      sent: wave(31_000, 14_000, 7),
      peers: steps([HISTORY_SAMPLES, 5]),
      alive: steps([30, 5], [HISTORY_SAMPLES - 30, 4]),
      relayed: steps([62, 0], [HISTORY_SAMPLES - 62, 1]),
    }),
  },
  "status-page-serve": {
    ...REGISTRY,
    mesh: REGISTRY.groups.map((group) => meshOf(group, true)),
    history: history({
      received: wave(14, 3, 9),
      answered: wave(13, 3, 9),
      "relayed-bytes": [...steps([62, 0]), ...wave(48_000, 22_000, 6).slice(62)],
      peers: steps([30, 5], [HISTORY_SAMPLES - 30, 6]),
      ...NO_DROPS,
      "drops-secret": wave(0.1, 0.1, 5),
      "drops-time": steps([80, 0], [12, 0.03], [28, 0]),
    }),
  },
} as const;

const { text, policy } = makePage();
await using browser = await Browser.start();
for (const [name, report] of Object.entries(PICTURES)) {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (new URL(request.url).pathname === "/status.json") {
      return Response.json({ schema: SCHEMA, ...report });
    }
    const type = "text/html; charset=utf-8";
    return new Response(text, {
      headers: { "Content-Type": type, "Content-Security-Policy": policy },
    });
  });
  const page = await browser.open(`http://127.0.0.1:${server.addr.port}/`, WIDTH);
  await page.prefer("light");
  await page.until("document.querySelector('h1')");
  // What is far below is measured when it is near.
  await page.resize(WIDTH, TALL);
  const bottom = "document.querySelector('.mesh-part')?.getBoundingClientRect().bottom + 24 || " +
    "document.body.getBoundingClientRect().height";
  const height = Math.round(Number(await page.evaluate(bottom)));
  await page.resize(WIDTH, height);
  const picture = smaller(await page.picture());
  const file = `docs/${name}.png`;
  if (picture.length > LIMIT) throw new Error(`${file} has ${picture.length} bytes`);
  await Deno.writeFile(`${ROOT}/${file}`, picture);
  say(`${file}: ${WIDTH} x ${height}, ${(picture.length / 1000).toFixed(0)} kB`);
}
