/**
 * The machine of a lease server under random requests, failures and changes from outside, which come
 * between any two of its steps: what it tells is true, and in the end all is in line.
 */

import { assert, assertEquals } from "@std/assert";
import { formatLeaseCidr } from "../../../../lib/core/lease/address.ts";
import type { LeaseVisitor } from "../../../../lib/core/lease/server/request.ts";
import type { LeaseServerStep } from "../../../../lib/core/lease/server/steps.ts";
import { seededNumbers } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";
import { addressOf, askFor, type Failing, keyOf, LeaseWorld, type Told } from "./lease_world.ts";

const PEERS = 12;
/** Fewer than peers, so that they take each other's. */
const POOLS = ["10.20.0.0/29", "fd00:20::/125"];
const ADDRESSES = Array.from({ length: 8 }, (_, i) => [`10.20.0.${i}/32`, `fd00:20::${i}/128`])
  .flat();
const LEASE_TIME = 20;
const FAILING = ["read-device", "read-allowed-ips", "read-link", "read-routes", "listen"];

/** What happens in a run. */
interface Troubles {
  /** How often a step fails, 0 to 1. */
  readonly failures: number;
  /** Whether the disk is full at times, and saves are refused. */
  readonly disk: boolean;
  /** Whether the admin changes peers, and the interface goes and comes. */
  readonly admin: boolean;
  /** Whether the server is killed. */
  readonly kills: boolean;
}

/** What a client believes to have. */
interface Belief {
  readonly peer: number;
  readonly until: number;
}

class RandomRun {
  readonly world = new LeaseWorld({ pools: POOLS, leaseTime: LEASE_TIME }, PEERS);
  readonly outcome = { granted: 0, refused: 0, aborted: 0, restarts: 0 };
  readonly #number: () => number;
  readonly #troubles: Troubles;
  /** What each peer has of the admin. */
  readonly #statics = Array.from({ length: PEERS }, (_, i) => [`${addressOf(i)}/128`]);
  /** Peers that the admin has changed since the server has read what they have. */
  readonly #touched = new Set<string>();
  readonly #visitors: (LeaseVisitor | undefined)[] = [];
  /** Of each visitor with a request under way, whose it was when it asked. */
  readonly #asking = new Map<LeaseVisitor, number>();
  /** By address. */
  readonly #beliefs = new Map<string, Belief>();
  /** Peers that can't be set just now. */
  readonly #bad = new Set<string>();
  /** The last step, and whether it has failed. */
  #last = "";
  #failed = false;
  #isCalm = false;

  constructor(seed: number, troubles: Troubles) {
    this.#number = seededNumbers(seed);
    this.#troubles = troubles;
    this.world.fails = (step) => {
      const failing = this.#failing(step);
      this.#failed = failing !== undefined;
      return failing;
    };
  }

  run(events: number): void {
    for (let i = 0; i < events; i++) {
      this.#event();
      const steps = this.#upTo(14);
      for (let n = 0; n < steps; n++) this.#step();
    }
    this.#calm();
  }

  #upTo(most: number): number {
    return Math.floor(this.#number() * (most + 1));
  }

  #step(): LeaseServerStep {
    const step = this.world.step();
    this.#last = step.kind;
    if (step.kind === "read-device" && !this.#failed) this.#touched.clear();
    if (step.kind === "read-allowed-ips" && !this.#failed) {
      for (const key of step.publicKeys) this.#touched.delete(key);
    }
    for (const told of this.world.told.splice(0)) this.#check(told);
    return step;
  }

  #failing(step: LeaseServerStep): Failing | undefined {
    const { failures, disk } = this.#troubles;
    if (this.#isCalm) return undefined;
    const failure = { why: "it failed", takes: this.#number() * (this.#number() < 0.1 ? 3 : 0.1) };
    if (step.kind === "save") {
      return disk && this.#number() < failures ? failure : undefined;
    }
    if (step.kind === "set-allowed-ips") {
      const isBad = [...step.peers.keys()].some((key) => this.#bad.has(key));
      if (!isBad && this.#number() >= failures) return undefined;
      // Those before it were set.
      let left = this.#upTo(step.peers.size - 1);
      for (const [publicKey, allowedIps] of step.peers) {
        if (left-- === 0 || this.#bad.has(publicKey)) break;
        if (this.world.device?.has(publicKey)) this.world.set(publicKey, allowedIps);
      }
      return failure;
    }
    return FAILING.includes(step.kind) && this.#number() < failures ? failure : undefined;
  }

  #event(): void {
    const { world } = this;
    const { admin, disk, kills } = this.#troubles;
    const kind = this.#number();
    if (kind < 0.6) return this.#ask();
    if (kind < 0.85) return world.pass(this.#number() * (this.#number() < 0.1 ? 30 : 1));
    if (kind < 0.88) {
      const key = keyOf(this.#upTo(PEERS - 1));
      if (!this.#bad.delete(key) && this.#bad.size < 3) this.#bad.add(key);
      return;
    }
    if (kind < 0.92) return void (world.isDiskFull = disk && !world.isDiskFull);
    if (kind < 0.95 && kills) return this.#restart();
    // Between a look at AllowedIPs and the change, the admin's hand would be lost.
    if (admin && !this.#last.endsWith("-allowed-ips")) this.#admin();
  }

  #ask(): void {
    const { world } = this;
    const peer = this.#upTo(PEERS - 1);
    let visitor = this.#visitors[peer];
    // A connection of its own, that of before, or one more.
    if (visitor === undefined || this.#asking.has(visitor) || this.#number() < 0.1) {
      visitor = world.visitor(addressOf(peer));
      this.#visitors[peer] = visitor;
    }
    const [v4 = "0.0.0.0", v6 = "::"] = [world.leaseOf(peer)[0], world.leaseOf(peer)[1]];
    const any = ADDRESSES[this.#upTo(ADDRESSES.length - 1)]!;
    const texts = [
      ["0.0.0.0", "::"],
      [v4, v6],
      [v4],
      [any],
      ["0.0.0.0", any],
      [],
    ];
    this.#asking.set(visitor, peer);
    world.ask(visitor, askFor(...texts[this.#upTo(texts.length - 1)]!));
  }

  /** What is told is on the disk and on the device, and nobody else's. */
  #check({ request, text }: Told): void {
    const { world } = this;
    const peer = this.#asking.get(request.visitor);
    assert(peer !== undefined, "one answer for each request");
    this.#asking.delete(request.visitor);
    // What a peer was told before doesn't count any more, whatever became of this request.
    for (const [address, belief] of this.#beliefs) {
      if (belief.peer === peer) this.#beliefs.delete(address);
    }
    if (text === "aborted") {
      this.outcome.aborted++;
      this.#visitors[peer] = undefined;
      return;
    }
    this.outcome[text.includes("errno=0") ? "granted" : "refused"]++;
    const key = keyOf(peer);
    for (const [, address = ""] of text.matchAll(/^ip=(\S+)$/gm)) {
      assert(world.leaseOf(peer).includes(address), `${address} is leased`);
      const note = world.disk.get(`${key} ${address}`);
      // A renewal comes there with the next look.
      assert(world.isStale || (note?.expiresAt ?? -Infinity) > -Infinity, `${address} is kept`);
      const isThere = this.#owns(key, address) || this.#touched.has(key);
      assert(isThere, `${address} is on the device`);
      for (let other = 0; other < PEERS; other++) {
        if (other === peer) continue;
        assert(!world.leaseOf(other).includes(address), `${address} is leased twice`);
      }
      const belief = this.#beliefs.get(address);
      const isTheirs = belief !== undefined && belief.until > world.mono;
      const mayBeTheirs = isTheirs && !this.#isAsking(belief.peer);
      assert(this.#troubles.admin || !mayBeTheirs, `${address} is another's still`);
      // It counts from when it was granted, which was some steps ago.
      const until = (note?.expiresAt ?? world.mono) - 0.001;
      this.#beliefs.set(address, { peer, until });
    }
  }

  #admin(): void {
    const { world } = this;
    const peer = this.#upTo(PEERS - 1);
    const key = keyOf(peer);
    const { device } = world;
    const kind = this.#upTo(3);
    if (kind === 0) {
      // The interface goes, or comes back as the admin has set it up.
      world.device = device === undefined ? new Map() : undefined;
      if (device === undefined) {
        for (let i = 0; i < PEERS; i++) world.set(keyOf(i), this.#statics[i]!);
      }
      for (let i = 0; i < PEERS; i++) this.#touched.add(keyOf(i));
    } else if (device !== undefined) {
      this.#touched.add(key);
      if (kind === 1 && device.has(key)) return void device.delete(key);
      // Something of its own; what it holds stays or is lost.
      const own = `192.168.${peer}.0/24`;
      const has = this.#statics[peer]!.includes(own);
      this.#statics[peer] = [`${addressOf(peer)}/128`, ...(has ? [] : [own])];
      const held = kind === 2 ? world.leaseOf(peer).filter((each) => this.#owns(key, each)) : [];
      world.set(key, [...this.#statics[peer]!, ...held]);
    }
  }

  #isAsking(peer: number): boolean {
    return [...this.#asking.values()].includes(peer);
  }

  #owns(key: string, prefix: string): boolean {
    return this.world.device?.get(key)?.includes(prefix) === true;
  }

  /** Killed between any two steps: what was told is there again. */
  #restart(): void {
    const { world } = this;
    // What could not be written is lost, as it was said.
    if (world.isStale) return;
    this.outcome.restarts++;
    world.restart();
    // What they have asked for may have been done.
    const asking = new Set(this.#asking.values());
    this.#asking.clear();
    this.#visitors.length = 0;
    for (const [address, { peer, until }] of this.#beliefs) {
      if (asking.has(peer)) this.#beliefs.delete(address);
      if (until <= world.mono || this.#troubles.admin || asking.has(peer)) continue;
      assert(world.leaseOf(peer).includes(address), `${address} is forgotten`);
    }
  }

  /** Nothing fails any more: in the end, all is in line. */
  #calm(): void {
    const { world } = this;
    this.#isCalm = true;
    this.#bad.clear();
    world.isDiskFull = false;
    if (world.device === undefined) world.device = new Map();
    for (let i = 0; i < PEERS; i++) {
      if (!world.device.has(keyOf(i))) world.set(keyOf(i), this.#statics[i]!);
    }
    for (let looks = 0; looks < 4; looks++) this.#look(2);
    assertEquals(this.#asking.size, 0);
    assert(world.isListening);
    this.#inLine();
    // The disk says the same.
    const held = Array.from(world.book.leases(), ({ publicKey, cidr }) => `${publicKey} ${cidr}`);
    const kept = [...world.disk.values()]
      .filter(({ expiresAt = -Infinity }) => expiresAt > world.mono)
      .map(({ publicKey, address }) => `${publicKey} ${formatLeaseCidr(address)}`);
    assertEquals(kept.sort(), held.sort());
    // All of it ends.
    this.#look(LEASE_TIME + 1);
    this.#inLine();
    assertEquals(world.book.count, 0);
    for (const { expiresAt } of world.disk.values()) assertEquals(expiresAt, undefined);
  }

  #look(seconds: number): void {
    this.world.pass(seconds);
    while (this.#step().kind !== "wait");
  }

  /** Each peer has what the admin gave it, and what it holds. */
  #inLine(): void {
    const { world } = this;
    const seen = new Set<string>();
    for (let i = 0; i < PEERS; i++) {
      const lease = world.leaseOf(i);
      const expected = [...this.#statics[i]!, ...lease].sort();
      assertEquals(world.allowed(i)?.toSorted(), expected, `peer ${i}`);
      assertEquals(world.book.owedBy(keyOf(i)), []);
      for (const address of lease) {
        assert(!seen.has(address));
        seen.add(address);
      }
    }
  }
}

/** Runs with all seeds; returns what happened in all of them. */
function runAll(runs: number, troubles: Troubles) {
  const sum = { granted: 0, refused: 0, aborted: 0, restarts: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    const run = new RandomRun(seed, troubles);
    try {
      run.run(150);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    for (const name of ["granted", "refused", "aborted", "restarts"] as const) {
      sum[name] += run.outcome[name];
    }
  }
  return sum;
}

const CALM: Troubles = { failures: 0, disk: false, admin: false, kills: false };

test("without failures, nobody is aborted but where a peer can't be set", () => {
  const { granted, refused, aborted } = runAll(20, CALM);
  assert(granted > 200 && refused > 50, `${granted} ${refused}`);
  assert(aborted < granted / 5, `${aborted}`);
});

test("whatever fails, what is told is true, and all is in line in the end", () => {
  const { granted, aborted } = runAll(20, { ...CALM, failures: 0.15 });
  assert(granted > 200 && aborted > 50, `${granted} ${aborted}`);
});

test("the same with a disk that fails, and a server that is killed", () => {
  const { granted, restarts } = runAll(20, { ...CALM, failures: 0.1, kills: true });
  assert(granted > 200 && restarts > 20, `${granted} ${restarts}`);
  assert(runAll(20, { ...CALM, failures: 0.1, disk: true, kills: true }).granted > 200);
});

test("the same while peers and the interface come and go", () => {
  const { granted } = runAll(20, { ...CALM, failures: 0.1, admin: true });
  assert(granted > 100, `${granted}`);
  assert(runAll(20, { failures: 0.15, admin: true, disk: true, kills: true }).granted > 100);
});
