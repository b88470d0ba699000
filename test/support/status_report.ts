/**
 * A report as `sync` makes it.
 *
 * @module
 */

import type { InterfaceReport, PeerReport } from "../../lib/core/status/report.ts";

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
  peers: [ALICE, NOBODY],
  more: 0,
};
