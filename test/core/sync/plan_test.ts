import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatHostPort, type HostPort, parseHostPort } from "../../../lib/core/net/host_port.ts";
import { type PlannedChange, SyncPlan, type SyncPlanOptions } from "../../../lib/core/sync/plan.ts";
import type { Candidate, PlannedPeer } from "../../../lib/core/sync/planned_peer.ts";
import { test } from "../../testing.ts";

const OPTIONS: SyncPlanOptions = { alive: 135, trial: 6, pause: 60, persistentKeepalive: 25 };
const BEGIN = 77;
const PEER = "peer";
const OLD = "198.51.100.9:9";
const A = "192.0.2.1:1";
const B = "192.0.2.2:2";
const C = "[2001:db8::3]:3";
/** No endpoint. */
const NONE = "";

function endpointOf(text: string): HostPort {
  const endpoint = parseHostPort(text);
  assert(endpoint !== undefined, text);
  return endpoint;
}

function textOf(endpoint: HostPort | undefined): string {
  return endpoint === undefined ? NONE : formatHostPort(endpoint);
}

function peerOf(fields: Partial<PlannedPeer> = {}): PlannedPeer {
  return {
    publicKey: PEER,
    endpoint: endpointOf(OLD),
    handshakeAt: undefined,
    persistentKeepalive: 25,
    ...fields,
  };
}

/** An interface that does what the plan says, and clocks that a test moves. */
class Bench {
  readonly plan: SyncPlan;
  readonly peers = new Map<string, PlannedPeer>();
  /** The text of every change, with the second in which it was made. */
  readonly written: string[] = [];
  mono = BEGIN;

  constructor(peer: Partial<PlannedPeer> = {}, options: Partial<SyncPlanOptions> = {}) {
    this.plan = new SyncPlan({ ...OPTIONS, ...options });
    this.set(peer);
  }

  get second(): number {
    return this.mono - BEGIN;
  }

  /** Changes what the interface says of a peer. */
  set(fields: Partial<PlannedPeer>): void {
    const publicKey = fields.publicKey ?? PEER;
    this.peers.set(publicKey, peerOf({ ...this.peers.get(publicKey), ...fields }));
  }

  endpoint(key = PEER): string {
    return textOf(this.peers.get(key)?.endpoint);
  }

  /** Candidates that were seen just now, the newest first. */
  seen(...endpoints: string[]): Candidate[] {
    return endpoints.map((text) => ({ endpoint: endpointOf(text), seenAt: this.mono }));
  }

  /** A look with these candidates; returns the endpoints that were written. */
  look(candidates: readonly Candidate[] = [], key = PEER): PlannedChange[] {
    const changes = this.plan.step(
      [...this.peers.values()],
      new Map([[key, candidates]]),
      this.mono,
    );
    for (const { publicKey, endpoint, persistentKeepalive, from, why } of changes) {
      const peer = this.peers.get(publicKey);
      assert(peer !== undefined);
      assertEquals(from, peer.endpoint);
      if (textOf(endpoint) !== textOf(peer.endpoint)) {
        this.written.push(`${this.second} ${why} ${textOf(endpoint)}`);
      }
      this.set({
        publicKey,
        endpoint,
        persistentKeepalive: persistentKeepalive ?? peer.persistentKeepalive,
      });
    }
    return changes;
  }

  /** Whether the peer is called unreachable when registries see it like this. */
  isUnreachable(candidates: readonly Candidate[]): boolean {
    return this.plan.unreachable(new Map([[PEER, candidates]])).length > 0;
  }

  /** A look each second with the same candidates, always seen just now. */
  watch(seconds: number, ...endpoints: string[]): void {
    this.watchEach(seconds, () => this.seen(...endpoints));
  }

  watchEach(seconds: number, candidates: (second: number) => readonly Candidate[]): void {
    for (let i = 0; i < seconds; i++, this.mono++) this.look(candidates(this.second));
  }
}

test("a peer that was never met gets the newest candidate, then the next, then the old one", () => {
  const bench = new Bench();
  bench.watch(40, A, B, C);
  assertEquals(bench.written, [
    `0 candidate ${A}`,
    `6 candidate ${B}`,
    `12 candidate ${C}`,
    `18 restore ${OLD}`,
  ]);
});

test("a handshake that is too old counts as none", () => {
  for (const [age, changes] of [[0, 0], [134.9, 0], [135, 1], [136, 1], [1e6, 1]]) {
    const bench = new Bench({ handshakeAt: BEGIN - age! });
    assertEquals(bench.look(bench.seen(A)).length, changes, `${age} s`);
    assertEquals(bench.plan.isAlive(peerOf({ handshakeAt: BEGIN - age! }), bench.mono), age! < 135);
  }
});

test("a peer that was never met is not alive, whatever the clock says", () => {
  const plan = new SyncPlan(OPTIONS);
  for (const mono of [0, 60, 134, 135, 1_800_000_000]) {
    assertEquals(plan.isAlive(peerOf(), mono), false, `${mono}`);
  }
  assertEquals(plan.isAlive(peerOf({ handshakeAt: 50 }), 60), true);
});

test("without candidates nothing happens", () => {
  const bench = new Bench();
  bench.watch(300);
  assertEquals(bench.written, []);
  assertEquals(bench.plan.isSearching, false);
});

test("a peer without an endpoint keeps the last candidate: there is no old one", () => {
  const bench = new Bench({ endpoint: undefined });
  const [change] = bench.look(bench.seen(A, B));
  assertEquals(change?.from, undefined);
  bench.watch(40, A, B);
  assertEquals(bench.written, [`0 candidate ${A}`, `6 candidate ${B}`]);
  assertEquals(bench.endpoint(), B);
});

test("a change says what it replaces", () => {
  const bench = new Bench();
  assertEquals(bench.look(bench.seen(A)), [{
    publicKey: PEER,
    endpoint: endpointOf(A),
    persistentKeepalive: undefined,
    from: endpointOf(OLD),
    why: "candidate",
  }]);
  bench.mono += 6;
  assertEquals(bench.look(bench.seen(A)), [{
    publicKey: PEER,
    endpoint: endpointOf(OLD),
    persistentKeepalive: undefined,
    from: endpointOf(A),
    why: "restore",
  }]);
});

test("a candidate that is the present endpoint is tried without being written", () => {
  const bench = new Bench({ endpoint: endpointOf(A) });
  assertEquals(bench.look(bench.seen(A, B)), []);
  assertEquals(bench.plan.isSearching, true);
  bench.watch(6, A, B);
  assertEquals(bench.written, []);
  bench.watch(7, A, B);
  assertEquals(bench.written, [`6 candidate ${B}`]);
  assertEquals(bench.endpoint(), B, "A was tried already, and does not come back");
});

test("the present endpoint alone is never written", () => {
  const bench = new Bench({ endpoint: endpointOf(A) });
  bench.watch(1000, A);
  assertEquals(bench.written, []);
});

test("IPv6 endpoints are compared as well", () => {
  const bench = new Bench({ endpoint: endpointOf(C) });
  bench.watch(100, C);
  assertEquals(bench.written, []);
  bench.watch(1, A, C);
  assertEquals(bench.endpoint(), A);
});

test("a keepalive is set where there is none, and never changed", () => {
  for (const [has, setting, expected] of [[0, 25, 25], [0, 0, 0], [10, 25, 10], [10, 0, 10]]) {
    for (const endpoint of [OLD, A]) {
      const bench = new Bench(
        { persistentKeepalive: has!, endpoint: endpointOf(endpoint) },
        { persistentKeepalive: setting! },
      );
      const first = bench.look(bench.seen(A));
      assertEquals(bench.peers.get(PEER)?.persistentKeepalive, expected);
      const isSet = expected !== has;
      assertEquals(first.length, endpoint === OLD || isSet ? 1 : 0);
      assertEquals(first[0]?.persistentKeepalive, isSet ? expected : undefined);
      bench.watch(100, A);
      assertEquals(bench.peers.get(PEER)?.persistentKeepalive, expected);
    }
  }
});

test("for a keepalive alone the endpoint stays, and it is set once", () => {
  const bench = new Bench({ persistentKeepalive: 0, endpoint: endpointOf(A) });
  assertEquals(bench.look(bench.seen(A)).map(({ endpoint }) => textOf(endpoint)), [A]);
  for (let i = 0; i < 5; i++, bench.mono++) assertEquals(bench.look(bench.seen(A)), []);
});

test("a candidate that comes up during a trial is taken at once", () => {
  const bench = new Bench();
  bench.watchEach(20, (second) => second < 2 ? bench.seen(A) : bench.seen(B, A));
  assertEquals(bench.written, [`0 candidate ${A}`, `2 candidate ${B}`, `8 restore ${OLD}`]);
});

test("a candidate that comes up while there is nothing left to try is taken at once", () => {
  const bench = new Bench();
  bench.watchEach(30, (second) => second < 10 ? bench.seen(A) : bench.seen(B, A));
  assertEquals(bench.written, [
    `0 candidate ${A}`,
    `6 restore ${OLD}`,
    `10 candidate ${B}`,
    `16 restore ${OLD}`,
  ]);
});

test("an older candidate that comes up during a trial waits for its end", () => {
  const bench = new Bench();
  bench.watchEach(20, (second) => second < 2 ? bench.seen(A) : bench.seen(A, B));
  assertEquals(bench.written, [`0 candidate ${A}`, `6 candidate ${B}`, `12 restore ${OLD}`]);
});

test("candidates that only change places don't cut a trial short", () => {
  const bench = new Bench();
  bench.watchEach(20, (second) => second % 2 === 0 ? bench.seen(A, B) : bench.seen(B, A));
  assertEquals(bench.written.length, 3);
  assertEquals(bench.written.map((text) => text.split(" ")[0]), ["0", "6", "12"]);
});

test("candidates that vanish during a trial don't end it, and leave the old endpoint", () => {
  const bench = new Bench();
  bench.watchEach(30, (second) => second < 2 ? bench.seen(A, B) : []);
  assertEquals(bench.written, [`0 candidate ${A}`, `6 restore ${OLD}`]);
});

test("success ends the search", () => {
  const bench = new Bench();
  bench.watch(7, A, B);
  assertEquals([bench.endpoint(), bench.plan.isSearching], [B, true]);
  bench.set({ handshakeAt: bench.mono });
  bench.watch(134, A, B);
  assertEquals([bench.endpoint(), bench.plan.isSearching], [B, false]);
  // Lost again: everything is tried anew, and the old endpoint is the one that worked.
  bench.watch(30, A, C);
  assertEquals(bench.written.slice(2).map((text) => text.split(" ").slice(1).join(" ")), [
    `candidate ${A}`,
    `candidate ${C}`,
    `restore ${B}`,
  ]);
});

test("an endpoint that WireGuard learned by itself stays", () => {
  const bench = new Bench();
  bench.watch(3, A, B);
  bench.set({ endpoint: endpointOf(C), handshakeAt: bench.mono });
  bench.watch(134, A, B);
  assertEquals(bench.endpoint(), C);
});

test("isSearching is true from the first trial until nothing is left", () => {
  const bench = new Bench();
  assertEquals(bench.plan.isSearching, false);
  for (let second = 0; second < 60; second++, bench.mono++) {
    bench.look(bench.seen(A, B));
    assertEquals(bench.plan.isSearching, second < 12, `second ${second}`);
  }
});

test("after all failed, a retry comes after the pause, if the peer was seen since", () => {
  const bench = new Bench();
  bench.watch(66, A);
  assertEquals(bench.written, [`0 candidate ${A}`, `6 restore ${OLD}`]);
  bench.watch(8, A);
  assertEquals(bench.written.slice(2), [`66 candidate ${A}`, `72 restore ${OLD}`]);
});

test("a peer that is not seen any more is not tried any more", () => {
  const bench = new Bench();
  const last = bench.seen(A);
  bench.watchEach(5000, () => last);
  assertEquals(bench.written, [`0 candidate ${A}`, `6 restore ${OLD}`]);
  bench.watch(1, A);
  assertEquals(bench.written.slice(2), [`5000 candidate ${A}`]);
});

test("without a handshake there is no flapping, whatever the registries' order is", () => {
  const endpoints = fc.uniqueArray(fc.constantFrom(OLD, A, B, C), { minLength: 1 });
  const keepalive = fc.constantFrom(0, 25);
  const hours = 2 * 3600;
  fc.assert(
    fc.property(endpoints, keepalive, fc.nat(), (endpoints, persistentKeepalive, seed) => {
      const bench = new Bench({ persistentKeepalive });
      const order = dice(seed);
      bench.watchEach(hours, () => {
        const shift = order() % endpoints.length;
        return bench.seen(...endpoints.slice(shift), ...endpoints.slice(0, shift));
      });
      const cycle = OPTIONS.pause + OPTIONS.trial * endpoints.length;
      const atMost = Math.ceil(hours / cycle) * (endpoints.length + 1);
      assert(bench.written.length <= atMost, `${bench.written.length} writes`);
      const times = bench.written.map((text) => Number(text.split(" ")[0]));
      times.slice(1).forEach((time, i) => assert(time - times[i]! >= OPTIONS.trial, `${times}`));
    }),
    { numRuns: 20 },
  );
});

/** Numbers below 2^16 without an order, the same for the same seed. */
function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 16;
  };
}

interface Look {
  readonly after: number;
  readonly order: readonly string[];
  /** Age of the handshake of the peer that lives, and of one that may not. */
  readonly ages: readonly [number, number];
}

test("a peer with a handshake younger than 135 s is never touched", () => {
  const order = fc.uniqueArray(fc.constantFrom(OLD, A, B, C));
  const age = fc.double({ min: 0, max: 134.999, noNaN: true });
  const look: fc.Arbitrary<Look> = fc.record({
    after: fc.double({ min: 0, max: 300, noNaN: true }),
    order,
    ages: fc.tuple(age, fc.oneof(age, fc.double({ min: 0, max: 1e6, noNaN: true }))),
  });
  fc.assert(fc.property(fc.array(look, { maxLength: 30 }), (looks) => {
    const bench = new Bench({ persistentKeepalive: 0 });
    for (const { after, order, ages } of looks) {
      bench.mono += after;
      bench.set({ handshakeAt: bench.mono - ages[0] });
      bench.set({ publicKey: "other", handshakeAt: bench.mono - ages[1] });
      const candidates = bench.seen(...order);
      const peers = [...bench.peers.values()];
      const changes = bench.plan.step(
        peers,
        new Map([[PEER, candidates], ["other", candidates], ["stranger", candidates]]),
        bench.mono,
      );
      for (const { publicKey } of changes) {
        assertEquals(publicKey, "other");
        assert(ages[1] > 134.99);
      }
    }
  }));
});

test("a peer that was searched for is not touched once it has a handshake", () => {
  fc.assert(fc.property(fc.nat(40), fc.nat(40), (lost, young) => {
    const bench = new Bench();
    bench.watch(lost, A, B, C);
    const before = bench.written.length;
    bench.set({ handshakeAt: bench.mono - young });
    bench.watch(135 - young, B, C, A);
    assertEquals(bench.written.length, before);
  }));
});

test("candidates of peers that the interface lacks change nothing", () => {
  const bench = new Bench();
  assertEquals(bench.look(bench.seen(A), "stranger"), []);
  assertEquals(bench.plan.isSearching, false);
});

test("peers are searched for independently", () => {
  const bench = new Bench();
  bench.set({ publicKey: "other", endpoint: undefined });
  for (let i = 0; i < 10; i++, bench.mono++) {
    const candidates = new Map([[PEER, bench.seen(A)]]);
    if (i >= 3) candidates.set("other", bench.seen(B, C));
    for (
      const { publicKey, endpoint } of bench.plan.step(
        [...bench.peers.values()],
        candidates,
        bench.mono,
      )
    ) {
      bench.set({ publicKey, endpoint });
      bench.written.push(`${i} ${publicKey} ${textOf(endpoint)}`);
    }
  }
  assertEquals(bench.written, [
    `0 ${PEER} ${A}`,
    `3 other ${B}`,
    `6 ${PEER} ${OLD}`,
    `9 other ${C}`,
  ]);
});

test("a peer that is heard after everything was tried is unreachable", () => {
  const bench = new Bench();
  bench.watch(12, A, B);
  assertEquals(bench.isUnreachable(bench.seen(A)), false, "the last one is still tried");
  bench.watch(1, A, B);
  const then = bench.seen(A);
  assertEquals(bench.endpoint(), OLD);
  bench.mono++;
  assertEquals(bench.isUnreachable(then), true);
  assertEquals(bench.isUnreachable([]), false);
});

test("a peer that is heard no more isn't called unreachable, nor one with a handshake", () => {
  const bench = new Bench();
  const silent = bench.seen(A);
  bench.watchEach(20, () => silent);
  assertEquals(bench.isUnreachable(silent), false);
  assertEquals(bench.isUnreachable(bench.seen(A)), true);
  bench.set({ handshakeAt: bench.mono });
  bench.watch(1, A);
  assertEquals(bench.isUnreachable(bench.seen(A)), false);
});

test("a peer that leaves the interface is forgotten", () => {
  const bench = new Bench();
  bench.watch(2, A, B);
  bench.peers.clear();
  bench.watch(1, A, B);
  assertEquals(bench.plan.isSearching, false);
  bench.set({ endpoint: endpointOf(C) });
  bench.watch(14, A, B);
  assertEquals(bench.written.slice(1), [
    `3 candidate ${A}`,
    `9 candidate ${B}`,
    `15 restore ${C}`,
  ]);
});

/** A bench whose peer has had a handshake, and whose own endpoint moves then. */
function moved(endpoint = OLD): Bench {
  const bench = new Bench({ handshakeAt: BEGIN, endpoint: endpointOf(endpoint) });
  bench.mono += 10;
  bench.plan.ownEndpointMoved(4, bench.mono);
  return bench;
}

test("after the own endpoint moved, a peer that moved as well is changed at once", () => {
  const bench = moved();
  assertEquals(bench.look(bench.seen(A, B)).map(({ why }) => why), ["candidate"]);
  assertEquals(bench.endpoint(), A);
  const without = moved();
  without.set({ endpoint: undefined });
  assertEquals(without.look(without.seen(A)).length, 1);
});

test("after the own endpoint moved, a peer that stayed is not touched", () => {
  const bench = moved(A);
  bench.watch(100, A);
  bench.watch(10);
  assertEquals(bench.written, []);
});

test("after the own endpoint moved, a newer handshake counts", () => {
  const bench = moved();
  bench.set({ handshakeAt: bench.mono });
  bench.watch(134, A);
  assertEquals(bench.written, []);
});

test("the own move counts for peers that move later as well", () => {
  const bench = moved(A);
  bench.watchEach(20, (second) => second < 15 ? bench.seen(A) : bench.seen(B));
  assertEquals(bench.written, [`15 candidate ${B}`]);
  bench.watch(50, B);
  assertEquals(bench.written.length, 1);
});

test("after the own endpoint moved, candidates that change places are written once at most", () => {
  const bench = moved();
  bench.watchEach(120, (second) => second % 3 === 0 ? bench.seen(A, B) : bench.seen(B, A));
  assert(bench.written.length <= 2, bench.written.join(", "));
});

test("after both moved in vain, the endpoint of before comes back", () => {
  const bench = moved();
  bench.watch(150, A);
  assertEquals(bench.written, [`10 candidate ${A}`, `135 restore ${OLD}`]);
});

test("after the own endpoint moved, what failed before is tried again at once", () => {
  const bench = new Bench();
  bench.watch(20, A, B);
  assertEquals(bench.plan.isSearching, false);
  bench.plan.ownEndpointMoved(4, bench.mono);
  bench.watch(1, A, B);
  assertEquals(bench.written.at(-1), `20 candidate ${A}`);
});

/** Candidates that the peer itself has proved, seen just now. */
function proved(bench: Bench, ...endpoints: string[]): Candidate[] {
  return bench.seen(...endpoints).map((each) => ({ ...each, isProved: true }));
}

test("a peer that proves that it is no longer where WireGuard has it is followed at once", () => {
  const bench = new Bench({ handshakeAt: BEGIN, endpoint: endpointOf(A) });
  bench.watchEach(20, (second) => second < 10 ? proved(bench, A) : proved(bench, B));
  assertEquals(bench.written, [`10 candidate ${B}`]);
  // It is not taken back while the session may last, nor set again where WireGuard follows another.
  bench.set({ endpoint: endpointOf(A) });
  bench.watchEach(100, () => proved(bench, B));
  assertEquals(bench.written.length, 1);
});

test("a peer that moves on is followed each time", () => {
  const bench = new Bench({ handshakeAt: BEGIN, endpoint: endpointOf(A) });
  const places = [A, B, "192.0.2.3:3", "192.0.2.4:4"];
  bench.watchEach(40, (second) => proved(bench, places[Math.floor(second / 10)]!));
  assertEquals(
    bench.written,
    places.slice(1).map((place, i) => `${10 * (i + 1)} candidate ${place}`),
  );
});

test("a path that works is left alone where nobody has proved that the peer has moved", () => {
  const cases: [string, (bench: Bench) => Candidate[], (bench: Bench) => Candidate[]][] = [
    ["a member says so", (bench) => bench.seen(A), (bench) => bench.seen(B)],
    ["a member says so of who has proved", (bench) => proved(bench, A), (bench) => bench.seen(B)],
    ["WireGuard has it elsewhere", (bench) => proved(bench, C), (bench) => proved(bench, B)],
    ["it is still there", (bench) => proved(bench, A), (bench) => proved(bench, B, A)],
    [
      "another server still has it there",
      (bench) => proved(bench, A),
      (bench) => [...proved(bench, B), ...bench.seen(A)],
    ],
    ["it is gone", (bench) => proved(bench, A), () => []],
    ["only the other family is left", (bench) => proved(bench, A), (bench) => proved(bench, C)],
    [
      "the handshake is newer",
      (bench) => proved(bench, A),
      (bench) => proved(bench, B).map((each) => ({ ...each, seenAt: BEGIN - 1 })),
    ],
  ];
  for (const [name, before, after] of cases) {
    const bench = new Bench({ handshakeAt: BEGIN, endpoint: endpointOf(A) });
    bench.watchEach(60, (second) => second < 10 ? before(bench) : after(bench));
    assertEquals(bench.written, [], name);
  }
});

test("a peer that is reached over IPv6 is tried there first", () => {
  const bench = new Bench({ handshakeAt: BEGIN - 200, endpoint: endpointOf(C) });
  const other = "[2001:db8::4]:4";
  bench.watch(14, A, other);
  assertEquals(bench.written, [`0 candidate ${other}`, `6 candidate ${A}`, `12 restore ${C}`]);
});

test("the own move over one family says nothing of paths over the other", () => {
  const bench = new Bench({ handshakeAt: BEGIN, endpoint: endpointOf(C) });
  bench.mono += 10;
  bench.plan.ownEndpointMoved(4, bench.mono);
  bench.watch(20, A);
  assertEquals(bench.written, []);
  bench.plan.ownEndpointMoved(6, bench.mono);
  bench.watch(1, A);
  assertEquals(bench.written, [`30 candidate ${A}`]);
});

/** Something that happens to a peer. */
type Event =
  | { readonly kind: "moves"; readonly to: string; readonly registered: boolean }
  | { readonly kind: "own endpoint moves" }
  | { readonly kind: "comes to us" }
  | { readonly kind: "interface is restarted" }
  | { readonly kind: "registry forgets" }
  | { readonly kind: "registry errs"; readonly to: string };

/**
 * WireGuard and the world around it: the peer is reached at one endpoint, or at none; WireGuard
 * tries its present one every 5 s while it has no session.
 */
class World extends Bench {
  /** Where the peer is reached. */
  place = NONE;
  /** What the registries know; the order is theirs. */
  readonly known = new Set<string>();
  #session = false;

  happen(event: Event): void {
    switch (event.kind) {
      case "moves":
        this.place = event.to;
        this.#session = false;
        if (event.registered && event.to !== NONE) this.known.add(event.to);
        break;
      case "own endpoint moves":
        this.#session = false;
        this.plan.ownEndpointMoved(4, this.mono);
        break;
      case "comes to us":
        if (this.place === NONE) return;
        this.set({ endpoint: endpointOf(this.place), handshakeAt: this.mono });
        break;
      case "interface is restarted":
        this.set({ endpoint: endpointOf(OLD), handshakeAt: undefined });
        this.#session = false;
        break;
      case "registry forgets":
        this.known.clear();
        if (this.place !== NONE && this.place !== OLD) this.known.add(this.place);
        break;
      case "registry errs":
        this.known.add(event.to);
    }
  }

  run(seconds: number, order: () => number): void {
    for (let i = 0; i < seconds; i++, this.mono++) {
      this.#wireGuard();
      const all = [...this.known];
      const shift = order() % Math.max(1, all.length);
      this.look(this.seen(...all.slice(shift), ...all.slice(0, shift)));
    }
  }

  get works(): boolean {
    return this.endpoint() === this.place && this.plan.isAlive(this.peers.get(PEER)!, this.mono);
  }

  #wireGuard(): void {
    const peer = this.peers.get(PEER)!;
    if (this.endpoint() !== this.place) this.#session = false;
    // A session is renewed every 120 s; without one, WireGuard tries every 5 s.
    const age = this.mono - (peer.handshakeAt ?? -Infinity);
    const due = this.#session ? age >= 120 : this.second % 5 === 0;
    if (!due || this.endpoint() !== this.place) return;
    this.#session = true;
    this.set({ handshakeAt: this.mono });
  }
}

test("whatever happens, it ends at the endpoint that works, and stays there", () => {
  const place = fc.constantFrom(OLD, A, B, C);
  const event: fc.Arbitrary<Event> = fc.oneof(
    fc.record({
      kind: fc.constant("moves" as const),
      to: fc.oneof(place, fc.constant(NONE)),
      registered: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("registry errs" as const), to: place }),
    fc.constantFrom<Event>(
      { kind: "own endpoint moves" },
      { kind: "comes to us" },
      { kind: "interface is restarted" },
      { kind: "registry forgets" },
    ),
  );
  const events = fc.array(fc.tuple(fc.nat(200), event), { maxLength: 12 });
  fc.assert(
    fc.property(events, place, fc.nat(), (events, last, seed) => {
      const order = dice(seed);
      const world = new World();
      for (const [seconds, event] of events) {
        world.run(seconds, order);
        world.happen(event);
      }
      world.happen({ kind: "moves", to: last, registered: true });
      // Until the handshake is too old, all fail once, and all are tried again.
      const longest = 135 + 4 * 6 + 60 + 5 * 6 + 5;
      world.run(2 * longest, order);
      assert(world.works, `${world.endpoint()} is not ${last}: ${world.written.join(", ")}`);
      const before = world.written.length;
      world.run(1000, order);
      assert(world.works, "it was lost again");
      assertEquals(world.written.length, before, "a healthy tunnel was touched");
    }),
    { numRuns: 200 },
  );
});

test("a server that names another endpoint each time doesn't starve an honest one", () => {
  const bench = new Bench();
  const honest = "203.0.113.7:7";
  let triedFor = 0;
  for (let second = 0; second < 60; second++) {
    const liar = `192.0.2.${second}:1`;
    bench.look([
      { endpoint: endpointOf(liar), seenAt: bench.mono, server: "liar" },
      { endpoint: endpointOf(honest), seenAt: bench.mono - 5, server: "honest" },
    ]);
    if (bench.endpoint() === honest) triedFor++;
    bench.mono += 1;
  }
  assert(triedFor >= OPTIONS.trial, `${triedFor} s`);
  assert(bench.written.length <= 60 / OPTIONS.trial + 4, bench.written.join(", "));
});

test("servers take turns, each with its newest first", () => {
  const bench = new Bench();
  const candidates = [
    { endpoint: endpointOf("192.0.2.1:1"), seenAt: BEGIN, server: "a" },
    { endpoint: endpointOf("192.0.2.2:1"), seenAt: BEGIN - 1, server: "a" },
    { endpoint: endpointOf("192.0.2.3:1"), seenAt: BEGIN - 2, server: "b" },
    { endpoint: endpointOf("192.0.2.4:1"), seenAt: BEGIN - 3, server: "b" },
  ];
  const tried: string[] = [];
  for (let second = 0; second < 26; second++) {
    bench.look(candidates);
    if (tried.at(-1) !== bench.endpoint()) tried.push(bench.endpoint());
    bench.mono += 1;
  }
  assertEquals(tried, [
    "192.0.2.1:1",
    "192.0.2.3:1",
    "192.0.2.2:1",
    "192.0.2.4:1",
    OLD,
  ]);
});
