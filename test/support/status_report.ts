/**
 * A report as `sync` makes it.
 *
 * @module
 */

import type { InterfaceReport, PeerReport } from "../../lib/core/status/report.ts";
import type { ServeReport } from "../../lib/core/status/serve_report.ts";

/** A peer that is reached. */
export const ALICE: PeerReport = {
  publicKey: "uEN/FxDargZsj7MEVnIKmCcoN71q+0r+n7triSVeaio=",
  name: "alice",
  alive: true,
  path: "punched",
  endpoint: "203.0.113.21:51820",
  why: "proved by probes, round trip 12 ms; better ways tried in vain: lan",
  roundTrip: 0.0123,
  handshakeAge: 61.2,
  received: 1_300_000,
  sent: 512,
  candidates: [
    { kind: "lan", endpoint: "192.168.1.7:51820", outcome: "no-answer", roundTrip: null },
    { kind: "punched", endpoint: "203.0.113.21:51820", outcome: "in-use", roundTrip: 0.0123 },
  ],
};

/** One that isn't. */
export const NOBODY: PeerReport = {
  publicKey: "UFERvJuzK9UG8AvRsrTj3sA1Vw3pB7zJ5xgq8eHq1kQ=",
  name: null,
  alive: false,
  path: "none",
  endpoint: null,
  why: "no server knows it; does sync run there, with the same servers and group?",
  roundTrip: null,
  handshakeAge: null,
  received: 0,
  sent: 148,
  candidates: [],
};

/** An interface with both. */
export const REPORT: InterfaceReport = {
  kind: "sync",
  interface: "wg0",
  present: true,
  publicKey: "PUZNgTxz+aKMAXEfBvs1aq7I5rOhy8ZCnkel0ZXxlkw=",
  port: 51820,
  register: "raw",
  endpoints: ["203.0.113.32:51820"],
  mapped: ["203.0.113.32:40000"],
  nat: "easy",
  servers: [
    {
      server: "vps.example.com:1223",
      status: "ok",
      protocol: 2,
      relays: true,
      age: 12.5,
      roundTrip: 0.0123,
    },
    {
      server: "old.example.com:1223",
      status: "no-answer",
      protocol: null,
      relays: false,
      age: null,
      roundTrip: null,
    },
  ],
  lease: null,
  peers: [ALICE, NOBODY],
  more: 0,
};

/** A server with two peers of a group, one of them relayed to a third, zones and leases. */
export const SERVE_REPORT: ServeReport = {
  kind: "serve",
  name: "1223",
  version: "1.0.0",
  runtime: "bun 1.4.5",
  uptime: 200_000,
  listen: ["0.0.0.0:1223", "[::]:1223"],
  serverKey: "PUZNgTxz+aKMAXEfBvs1aq7I5rOhy8ZCnkel0ZXxlkw=",
  publicAddress: "vps.example.com:1223",
  state: "/var/lib/wgsig/state",
  store: null,
  groups: [{
    id: 7,
    proof: "auto",
    count: 3,
    proved: 1,
    ipv6: 1,
    nats: { unknown: 2, easy: 0, sequential: 0, hard: 1 },
    subscribers: 1,
    roster: 2,
    invitations: 1,
    peers: [
      {
        publicKey: ALICE.publicKey,
        name: "alice",
        proved: true,
        protocol: 2,
        age: 12.345,
        endpoints: ["203.0.113.21:51820", "[2001:db8::21]:51820"],
        places: [{ kind: "lan", endpoint: "192.168.1.7:51820" }],
        nat: "hard",
        probes: true,
      },
      {
        publicKey: NOBODY.publicKey,
        name: null,
        proved: false,
        protocol: 1,
        age: 300,
        endpoints: ["198.51.100.7:51820"],
        places: [],
        nat: "unknown",
        probes: false,
      },
    ],
    more: 1,
  }],
  relay: {
    count: 1,
    datagrams: 1200,
    bytes: 1_300_000,
    pairs: [{ group: 7, a: ALICE.publicKey, b: NOBODY.publicKey, age: 1.5, since: 7300 }],
    more: 0,
  },
  dns: ["0.0.0.0:53"],
  zones: [{
    name: "wg.example.com",
    interface: "wg0",
    groups: [7, 9],
    views: 2,
    keys: [{ tag: 44_136, algorithm: 13 }, { tag: 2039, algorithm: 15 }],
    tsig: ["ops.wg.example.com", "group-7.wg.example.com"],
  }],
  leases: {
    interface: "wg0",
    count: 1,
    held: [{
      publicKey: ALICE.publicKey,
      name: "alice",
      address: "10.9.0.2/32",
      endsIn: 3000,
    }],
    more: 0,
  },
  counters: { received: 1234, answered: 1230, updated: 1000, "drop-bad-mac": 4, "drop-damaged": 0 },
};
