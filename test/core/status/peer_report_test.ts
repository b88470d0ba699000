/** What is said of a peer: how it is reached, why so, and what else was tried. */

import { assertEquals } from "@std/assert";
import { type HostPort, parseHostPort } from "../../../lib/core/net/host_port.ts";
import type { NatKind } from "../../../lib/core/ask/own_reach.ts";
import { newPath, type Path, type PathKind } from "../../../lib/core/path/path.ts";
import { type OwnFacts, type PeerFacts, peerReport } from "../../../lib/core/status/peer_report.ts";
import { idOf } from "../../support/fake_random.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { test } from "../../testing.ts";

const RELAY = "203.0.113.10:1223";
const LAN = "192.168.1.7:51820";
const PUBLIC = "203.0.113.7:51820";
const OWN: OwnFacts = {
  relays: new Set([RELAY]),
  probes: true,
  answers: "now",
  nat: "easy",
};
/** What is known of a peer; the NAT in front of it is an easy one. */
type Known = Omit<PeerFacts, "way"> & {
  way: { held: Path | undefined; paths: Path[]; nat?: NatKind } | undefined;
};

function at(text: string): HostPort {
  const endpoint = parseHostPort(text);
  if (endpoint === undefined) throw new TypeError(`no endpoint: ${text}`);
  return endpoint;
}

function way(kind: PathKind, endpoint: string, known: Partial<Path> = {}): Path {
  return { ...newPath(at(endpoint), kind), isTold: true, ...known };
}

function say({ way, ...facts }: Partial<Known>, own: Partial<OwnFacts> = {}) {
  const { path, why, candidates } = peerReport({
    publicKey: formatKey(idOf(1)),
    name: "bob",
    isAlive: true,
    isHeard: true,
    endpoint: at(PUBLIC),
    handshakeAge: 7,
    received: 1000,
    sent: 2000,
    way: way && { nat: "easy", ...way },
    told: [],
    trial: undefined,
    relay: "auto",
    ...facts,
  }, { ...OWN, ...own });
  return [path, why, ...candidates.map(({ kind, outcome }) => `${kind} ${outcome}`)];
}

test("status: a way that probes have proved, and better ones that they haven't", () => {
  const held = way("punched", PUBLIC, { provedAt: 90, roundTrip: 0.0124 });
  const lan = way("lan", LAN);
  const told = [at(PUBLIC), at(LAN), at(RELAY)];
  assertEquals(say({ way: { held, paths: [lan, held] }, told }), [
    "punched",
    "proved by probes, round trip 12 ms; better ways tried in vain: lan",
    "lan no-answer",
    "punched in-use",
    "relay not-tried",
  ]);
  const other = way("punched", "203.0.113.7:7");
  assertEquals(say({ way: { held, paths: [held, other] }, told: [] }), [
    "punched",
    "proved by probes, round trip 12 ms",
    "punched in-use",
    "punched not-tried",
  ]);
});

test("status: a way that WireGuard has found by itself, and one that has died", () => {
  const held = way("ipv6", "[2001:db8::7]:51820");
  const dead = way("lan", LAN, { provedAt: 50, deadAt: 60 });
  assertEquals(say({ endpoint: held.endpoint, way: { held, paths: [dead, held] } }), [
    "ipv6",
    "WireGuard hears it from there; better ways tried in vain: lan",
    "lan dead",
    "ipv6 in-use",
  ]);
});

test("status: the relay is used because nothing else works, or because that is wanted", () => {
  const held = way("relay", RELAY);
  const paths = [way("lan", LAN), way("punched", PUBLIC)];
  const relayed = { endpoint: at(RELAY), way: { held, paths }, told: [at(PUBLIC), at(RELAY)] };
  assertEquals(say(relayed), [
    "relay",
    "better ways tried in vain: lan, punched",
    "lan no-answer",
    "punched no-answer",
    "relay in-use",
  ]);
  assertEquals(say({ ...relayed, relay: "always" }).slice(0, 2), ["relay", "as the settings say"]);
  // Who answers no probes is relayed all the same.
  const [path, why] = say({ endpoint: at(RELAY), told: [at(RELAY)] });
  assertEquals([path, why], ["relay", "no better way is known"]);
});

test("status: who is tried by handshake, and found so", () => {
  const told = [at(PUBLIC), at(LAN)];
  const trial = { current: at(LAN), tried: new Set([PUBLIC, LAN]), isExhausted: false };
  assertEquals(say({ told }), [
    "handshake",
    "found by handshake: it answers no probes",
    "punched in-use",
    "punched not-tried",
  ]);
  assertEquals(
    say({ told }, { probes: false })[1],
    "found by handshake: this host sends no probes",
  );
  assertEquals(say({ told, trial, isAlive: false }), [
    "none",
    "its endpoints are tried by handshake",
    "punched in-vain",
    "punched trying",
  ]);
  assertEquals(
    say({ told, trial: { ...trial, isExhausted: true }, isAlive: false }, { relays: new Set() }),
    [
      "none",
      "all endpoints were tried by handshake in vain; no registry relays",
      "punched in-vain",
      "punched in-vain",
    ],
  );
  assertEquals(
    say({ told, isAlive: false, relay: "never" })[1],
    "it has no handshake yet; the settings forbid relays",
  );
});

test("status: who is known to nobody, or nobody can be asked", () => {
  const down = { isAlive: false, endpoint: undefined, handshakeAge: undefined };
  assertEquals(say(down), [
    "none",
    "no server knows it; does sync run there, with the same servers and group?",
  ]);
  assertEquals(say(down, { answers: "never" }), ["none", "no server has answered"]);
});

test("status: where both NATs are hard, that is why a pair is relayed, or down", () => {
  const held = way("relay", RELAY);
  const paths = [way("lan", LAN)];
  const told = [at(RELAY)];
  const relayed = (nat: NatKind) => ({ endpoint: at(RELAY), way: { held, paths, nat }, told });
  const why = (theirs: NatKind, own: NatKind) => say(relayed(theirs), { nat: own })[1];
  const vain = "better ways tried in vain: lan";
  assertEquals(why("hard", "hard"), `both NATs are hard: nothing gets through; ${vain}`);
  assertEquals(
    why("sequential", "hard"),
    `the own NAT is hard, the other one sequential: nothing gets through; ${vain}`,
  );
  assertEquals(
    why("hard", "sequential"),
    `its NAT is hard, the other one sequential: nothing gets through; ${vain}`,
  );
  for (const [theirs, own] of [["hard", "easy"], ["easy", "hard"], ["unknown", "hard"]] as const) {
    assertEquals(why(theirs, own), vain);
  }
  const down = { isAlive: false, way: { held: undefined, paths, nat: "hard" as const }, told: [] };
  assertEquals(
    say(down, { nat: "hard", relays: new Set() })[1],
    [
      "its endpoints are probed, and no handshake has come through",
      "both NATs are hard",
      "no registry relays",
    ].join("; "),
  );
});

test("status: what was before sync began is not said to work", () => {
  const before = "its last handshake is from before sync began, and nothing was heard since";
  const told = [at(PUBLIC)];
  assertEquals(say({ isHeard: false, told }).slice(0, 2), ["handshake", before]);
  const held = way("punched", PUBLIC);
  const unproved = { isHeard: false, way: { held, paths: [held] }, told };
  assertEquals(say(unproved).slice(0, 2), ["handshake", before]);
  const proved = way("punched", PUBLIC, { provedAt: 90 });
  assertEquals(say({ ...unproved, way: { held: proved, paths: [proved] } }).slice(0, 2), [
    "punched",
    "proved by probes",
  ]);
  // A relay is none that works, either, before something came through it.
  const relay = way("relay", RELAY);
  const relayed = {
    isHeard: false,
    endpoint: at(RELAY),
    way: { held: relay, paths: [relay] },
    told,
  };
  assertEquals(say(relayed)[1], before);
});

test("status: a server that is gone, and one that was never there, are told apart", () => {
  const down = { isAlive: false };
  assertEquals(say(down, { answers: "never" })[1], "no server has answered");
  assertEquals(
    say(down, { answers: "before" })[1],
    "no server answers any more, and none has told of it",
  );
});
