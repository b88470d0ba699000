/**
 * Several lease servers that share a store, under random requests, failures and timings: nobody
 * believes in an address that another believes in, and in the end all of them say the same.
 */

import { assert, assertEquals } from "@std/assert";
import { formatLeaseCidr } from "../../../../lib/core/lease/address.ts";
import type { LeaseServerConfig } from "../../../../lib/core/lease/server/config.ts";
import type { LeaseVisitor } from "../../../../lib/core/lease/server/request.ts";
import type {
  LeaseServerResult,
  LeaseServerStep,
} from "../../../../lib/core/lease/server/steps.ts";
import { seededNumbers } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";
import { ClaimTwin } from "./claim_twin.ts";
import { addressOf, askFor, keyOf, LeaseWorld, type Told } from "./lease_world.ts";

const PEERS = 6;
const LEASE_TIME = 40;
/** After so long a client gives an answer up, in seconds. */
const PATIENCE = 10;
const POOLS = ["10.20.0.0/29", "fd00:20::/125"];
const ADDRESSES = Array.from({ length: 8 }, (_, i) => [`10.20.0.${i}/32`, `fd00:20::${i}/128`])
  .flat();

/** What happens in a run. */
interface Troubles {
  /** How often the store doesn't answer, 0 to 1; it may have done what it was asked for. */
  readonly failures: number;
  /** Whether servers are cut off from it for some time. */
  readonly splits: boolean;
  /** Whether servers are killed, and what is on their disks is lost at times. */
  readonly kills: boolean;
  /** Whether the store loses all. */
  readonly losses: boolean;
  /** Whether a replica takes over that has not heard the last: then there may be two for a while. */
  readonly failovers?: boolean;
  /** The longest time that passes at once, while servers may be in the middle of something. */
  readonly stalls: number;
  readonly pools?: readonly (readonly string[])[];
}

type StoreStep = Extract<LeaseServerStep, { readonly kind: "claim" | "scan-claims" }>;

class SharedWorld extends LeaseWorld {
  readonly #all: RandomShared;
  constructor(all: RandomShared, i: number, config: Partial<LeaseServerConfig>) {
    super(config, PEERS, 100 * i + 1, { do: (step) => all.inStore(i, step) });
    this.#all = all;
    // No clock of a host says what another's says.
    this.mono = 1000 * (i + 1);
    this.unix += 20 * i;
  }

  override pass(seconds: number): void {
    this.#all.pass(seconds);
  }
}

/** What a client asks for, and believes. */
class Client {
  readonly beliefs = new Map<4 | 6, { readonly address: string; readonly until: number }>();
  asked:
    | { readonly at: number; readonly visitor: LeaseVisitor; readonly world: number }
    | undefined;
}

class RandomShared {
  readonly twin: ClaimTwin;
  readonly worlds: SharedWorld[];
  readonly outcome = { granted: 0, refused: 0, aborted: 0, moved: 0, restarts: 0 };
  readonly #clients = Array.from({ length: PEERS }, () => new Client());
  readonly #number: () => number;
  readonly #troubles: Troubles;
  readonly #incarnations: number[];
  readonly #isCut: boolean[];
  #isCalm = false;
  #time = 0;
  #lastLoss = -Infinity;
  #takeOver: (() => void) | undefined;

  constructor(seed: number, troubles: Troubles, worlds = 3) {
    this.#number = seededNumbers(seed);
    this.#troubles = troubles;
    this.twin = new ClaimTwin(5_000_000, 40);
    this.#incarnations = Array.from({ length: worlds }, () => 0);
    this.#isCut = Array.from({ length: worlds }, () => false);
    this.worlds = Array.from({ length: worlds }, (_, i) => {
      const pools = troubles.pools?.[i] ?? POOLS;
      return new SharedWorld(this, i, { pools, leaseTime: LEASE_TIME });
    });
  }

  pass(seconds: number): void {
    this.#time += seconds;
    this.twin.now += seconds;
    for (const world of this.worlds) {
      world.mono += seconds;
      world.unix += seconds;
    }
  }

  inStore(i: number, step: StoreStep): LeaseServerResult {
    const failed = { kind: "failed", why: "no answer", code: "ETIMEDOUT" } as const;
    const fails = !this.#isCalm && this.#number() < this.#troubles.failures;
    if (this.#isCut[i] || (fails && this.#number() < 0.5)) {
      this.pass(this.#number());
      return failed;
    }
    const reader = `${i}/${this.#incarnations[i]}`;
    const result = step.kind === "claim"
      ? this.twin.claim(reader, step.after, step.claims, step.by)
      : this.twin.scan(step.from);
    if (!this.#isCalm) this.pass(this.#number() * 0.2);
    return fails ? failed : result;
  }

  run(events: number): void {
    for (let i = 0; i < events; i++) {
      this.#event();
      const { losses } = this.#troubles;
      for (let w = 0; w < this.worlds.length; w++) {
        // Who has lost something is told in time where nothing else is wrong.
        const steps = losses ? 200 : this.#upTo(20);
        for (let n = 0; n < steps; n++) if (this.#step(w) === "wait") break;
      }
    }
    this.#calm();
  }

  #upTo(most: number): number {
    return Math.floor(this.#number() * (most + 1));
  }

  #step(w: number): LeaseServerStep["kind"] {
    const world = this.worlds[w]!;
    const { kind } = world.step();
    for (const told of world.told.splice(0)) this.#told(w, told);
    return kind;
  }

  #event(): void {
    const { failovers, kills, losses, splits, stalls } = this.#troubles;
    const kind = this.#number();
    const w = this.#upTo(this.worlds.length - 1);
    if (kind < 0.55) return this.#ask(w);
    if (kind < 0.85) return this.pass(this.#number() * (this.#number() < 0.1 ? stalls : 1));
    if (kind < 0.91) return void (this.#isCut[w] = splits && !this.#isCut[w]);
    if (kind < 0.95) return kills ? this.#kill(w) : undefined;
    if (failovers) {
      if (this.#number() < 0.5) this.#takeOver = this.twin.replica();
      else {
        this.#takeOver?.();
        this.#takeOver = undefined;
      }
    }
    if (!losses || kind < 0.98 || this.#time < this.#lastLoss + 30) return;
    this.#lastLoss = this.#time;
    this.twin.lose();
  }

  #kill(w: number): void {
    const world = this.worlds[w]!;
    this.outcome.restarts++;
    this.#incarnations[w]!++;
    if (!this.#troubles.losses && this.#number() < 0.3) {
      // The whole host is made anew: what stays on a device alone counts as the admin's.
      world.disk.clear();
      world.device = new Map();
      for (let i = 0; i < PEERS; i++) world.set(keyOf(i), [`${addressOf(i)}/128`]);
    }
    world.restart();
    for (const client of this.#clients) {
      if (client.asked?.world === w) client.asked = undefined;
    }
  }

  #ask(w: number): void {
    const i = this.#upTo(PEERS - 1);
    const client = this.#clients[i]!;
    if (client.asked !== undefined && this.#time < client.asked.at + PATIENCE) return;
    const texts = ([4, 6] as const).map((family) => {
      const any = family === 4 ? "0.0.0.0" : "::";
      const own = client.beliefs.get(family);
      const isOwn = own !== undefined && own.until > this.#time;
      const kind = this.#number();
      if (isOwn && kind < 0.5) return own.address;
      // Who asks for anything else has given up what it had.
      client.beliefs.delete(family);
      if (kind < 0.75) return any;
      const some = ADDRESSES.filter((each) => each.includes(":") === (family === 6));
      return kind < 0.9 ? some[this.#upTo(some.length - 1)]! : undefined;
    });
    const world = this.worlds[w]!;
    const visitor = world.visitor(addressOf(i));
    client.asked = { at: this.#time, visitor, world: w };
    world.ask(visitor, askFor(...texts.filter((text) => text !== undefined)));
  }

  #told(w: number, { request: { visitor }, text }: Told): void {
    const i = this.#clients.findIndex(({ asked }) => asked?.visitor === visitor);
    // Its client has given it up, or was told that the server is dead.
    if (i < 0) return;
    const client = this.#clients[i]!;
    const { at } = client.asked!;
    if (this.#time > at + PATIENCE) return;
    client.asked = undefined;
    if (text === "aborted") return void this.outcome.aborted++;
    this.outcome[text.includes("errno=0") ? "granted" : "refused"]++;
    const time = Number(/^leasetime=(\d+)$/m.exec(text)?.[1] ?? 0);
    for (const [, address = ""] of text.matchAll(/^ip=(\S+)$/gm)) {
      assert(time >= 1 && time <= LEASE_TIME);
      const entry = this.twin.leases.get(address);
      const { failovers, losses } = this.#troubles;
      if (!losses && !failovers) {
        assertEquals(entry?.publicKey, keyOf(i), `${address} is the peer's in the store`);
        assert(entry !== undefined && this.twin.now + time <= entry.ends + 0.001, "until it ends");
      }
      assert(this.worlds[w]!.allowed(i)?.includes(address), `${address} is on the device`);
      for (const [j, other] of this.#clients.entries()) {
        for (const belief of i === j || failovers ? [] : other.beliefs.values()) {
          const isTheirs = belief.address === address && belief.until > this.#time;
          assert(!isTheirs, `${address} is another's still`);
        }
      }
      const family = address.includes(":") ? 6 : 4;
      const before = client.beliefs.get(family)?.address;
      if (before !== undefined && before !== address) this.outcome.moved++;
      // It counts from when it has come, which is when the client still waits for it.
      const delay = this.#number() * (at + PATIENCE - this.#time);
      client.beliefs.set(family, { address, until: this.#time + delay + time });
    }
  }

  /** Nothing fails any more: in the end, all say the same, and then nothing. */
  #calm(): void {
    this.#isCalm = true;
    this.#isCut.fill(false);
    for (let looks = 0; looks < 6; looks++) this.#look(2);
    const { twin } = this;
    const held = [...twin.leases.values()]
      .filter(({ ends, released }) => released === 0 && ends > twin.now)
      .map(({ publicKey, address }) => `${publicKey} ${formatLeaseCidr(address)}`).sort();
    for (const world of this.worlds) {
      const own = Array.from(world.book.leases(), ({ publicKey, cidr }) => `${publicKey} ${cidr}`);
      if (this.#troubles.pools === undefined) assertEquals(own.sort(), held);
      else assert(own.every((each) => held.includes(each)), `${own} ${held}`);
      for (let i = 0; i < PEERS; i++) {
        const expected = [`${addressOf(i)}/128`, ...world.leaseOf(i)].sort();
        assertEquals(world.allowed(i)?.toSorted(), expected);
      }
    }
    this.#look(LEASE_TIME + 1);
    for (const world of this.worlds) {
      assertEquals(world.book.count, 0);
      assertEquals(world.allowed(0), [`${addressOf(0)}/128`]);
    }
  }

  #look(seconds: number): void {
    this.pass(seconds);
    for (let w = 0; w < this.worlds.length; w++) while (this.#step(w) !== "wait");
  }
}

/** Runs with all seeds; returns what happened in all of them. */
function runAll(runs: number, troubles: Troubles) {
  const sum = { granted: 0, refused: 0, aborted: 0, moved: 0, restarts: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    const run = new RandomShared(seed, troubles);
    try {
      run.run(120);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    for (const name of ["granted", "refused", "aborted", "moved", "restarts"] as const) {
      sum[name] += run.outcome[name];
    }
  }
  return sum;
}

const CALM: Troubles = { failures: 0, splits: false, kills: false, losses: false, stalls: 1 };

test("shared: without failures, everyone has an answer, and nobody what another has", () => {
  const { granted, refused } = runAll(2, CALM);
  assert(granted > 40 && refused > 2, `${granted} ${refused}`);
});

test("shared: a store that doesn't answer, and stalls in the middle of everything", () => {
  const { granted, aborted } = runAll(3, { ...CALM, failures: 0.2, stalls: 30 });
  assert(granted > 40 && aborted > 5, `${granted} ${aborted}`);
});

test("shared: servers that are cut off and killed, with and without their disks", () => {
  const { granted, restarts } = runAll(4, {
    ...CALM,
    failures: 0.1,
    splits: true,
    kills: true,
    stalls: 30,
  });
  assert(granted > 40 && restarts > 5, `${granted} ${restarts}`);
});

test("shared: a store that loses all", () => {
  const { granted } = runAll(3, { ...CALM, losses: true });
  assert(granted > 20, `${granted}`);
});

test("shared: pools that differ", () => {
  const { granted } = runAll(2, {
    ...CALM,
    failures: 0.1,
    kills: true,
    pools: [POOLS, ["10.20.0.4/30", "fd00:20::4/126"], ["10.20.0.0/28"]],
  });
  assert(granted > 10, `${granted}`);
});

test("shared: a replica that takes over without the last grants: all say the same in the end", () => {
  const { granted } = runAll(3, { ...CALM, failures: 0.1, splits: true, failovers: true });
  assert(granted > 20, `${granted}`);
});
