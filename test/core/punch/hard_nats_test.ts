import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { GuessedPorts } from "../../../lib/core/punch/guessed_ports.ts";
import { HardTries } from "../../../lib/core/punch/hard_tries.ts";
import { OpenedPorts } from "../../../lib/core/punch/opened_ports.ts";
import {
  PREDICTED,
  PredictedPorts,
  type PredictedStride,
} from "../../../lib/core/punch/predicted_ports.ts";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import type { PunchStep } from "../../../lib/core/punch/punch_step.ts";
import {
  type HardHit,
  type HardHost,
  HardNat,
  type HardNatKind,
  meet,
  WIREGUARD_PORT,
} from "../../support/hard_nat.ts";
import { seededNumbers, seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

/** Of a datagram, in seconds. */
const DELAY = 0.02;
const FIRST_PORT = 30_000;
const [HARD, EASY] = ["198.51.100.1", "203.0.113.2"];
const REGISTRY = "192.0.2.1";

/** One side opens mappings, the other one guesses. They begin up to 200 ms apart. */
function birthday(seed: number, mappings: number, probes: number) {
  const draw = seededNumbers(seed);
  const hard = new HardNat(HARD, "random", draw);
  const easy = new HardNat(EASY, "steady", draw);
  const to = { host: EASY, port: easy.out(WIREGUARD_PORT, { host: REGISTRY, port: 1223 }) };
  const opened = new OpenedPorts({ to, firstPort: FIRST_PORT, count: mappings, rate: 500 });
  const guessed = new GuessedPorts({ host: HARD, count: probes, rate: 500 }, seededRandom(~seed));
  const { hit, sent } = meet(
    [
      {
        nat: hard,
        from: draw() / 5,
        next: (mono) => opened.next(mono),
        heard: ({ localPort, from }) => opened.heard(localPort, from),
      },
      {
        nat: easy,
        from: draw() / 5,
        next: (mono) => guessed.next(mono),
        heard({ from }) {
          guessed.heard(from);
          return false;
        },
      },
    ],
    draw,
    DELAY,
  );
  if (hit === undefined) assertEquals(sent, [mappings, probes]);
  else {
    assert(sent[0] <= mappings && sent[1] <= probes + 5);
    assertEquals([hit.host, opened.hit], [0, hit.localPort]);
    assertEquals(opened.next(hit.at), { kind: "done" });
  }
  return hit;
}

/** How many of 100 runs were hits. */
function rate(runs: number, run: (seed: number) => HardHit | undefined): number {
  let hits = 0;
  for (let seed = 1; seed <= runs; seed++) if (run(seed) !== undefined) hits++;
  return 100 * hits / runs;
}

test("256 mappings and 1024 guesses meet in 98 of 100 times, and fewer as often as they must", () => {
  for (const [mappings, probes, runs] of [[256, 1024, 200], [64, 1024, 150]] as const) {
    const expected = 100 * (1 - (1 - mappings / 64512) ** probes);
    const is = rate(runs, (seed) => birthday(seed, mappings, probes));
    assert(Math.abs(is - expected) < 8, `${mappings}, ${probes}: ${is} of 100`);
  }
});

interface Side {
  readonly kind: HardNatKind;
  readonly stride: PredictedStride;
}

/** Sends to the one mapping of the other side, as long as that is seen: it is the same for all. */
class KnownMapping {
  #seen: HostPort | undefined;
  seen(mapping: HostPort): void {
    this.#seen = mapping;
  }
  next(mono: number): PunchStep {
    const to = this.#seen;
    if (to === undefined) return { kind: "wait", until: mono + 1 };
    this.#seen = undefined;
    return { kind: "send", datagrams: [{ to }] };
  }
}

/** How often the registry sees a new mapping of each side, in seconds; and how late the other hears. */
const [REGISTERS, TOLD] = [0.4, 0.05];

/** Two sides predict each other's mappings. Each begins within 200 ms. */
function prediction(seed: number, sides: readonly [Side, Side], foreign: number, step = 1) {
  const draw = seededNumbers(seed);
  const hosts = sides.map(({ kind, stride }, i) => ({
    nat: new HardNat([HARD, EASY][i]!, kind, draw, step),
    machine: sides[1 - i]!.kind === "steady"
      ? new KnownMapping()
      : new PredictedPorts(stride, seededRandom(~seed - 1000 * i)),
    seen: [] as { at: number; port: number }[],
  }));
  const asHost = (i: 0 | 1): HardHost => {
    const [{ nat, machine, seen }, other] = [hosts[i]!, hosts[1 - i]!];
    const from = draw() / 5;
    let ticks = 0;
    return {
      nat,
      foreign,
      from,
      next: (mono) => machine.next(mono),
      heard: () => true,
      aside(mono) {
        if (ticks++ % (REGISTERS / TOLD) === 0) {
          const port = nat.out(WIREGUARD_PORT, { host: REGISTRY, port: 1223 + ticks });
          seen.push({ at: mono, port });
        }
        if (other.seen[0] !== undefined && other.seen[0].at <= mono - TOLD) {
          machine.seen({ host: other.nat.host, port: other.seen.shift()!.port });
        }
        return mono + TOLD;
      },
    };
  };
  const { hit, sent } = meet([asHost(0), asHost(1)], draw, DELAY);
  assert(sent.every((each) => each <= 5 * PREDICTED));
  return hit;
}

const BOTH = [{ kind: "sequential", stride: "each" }, {
  kind: "sequential",
  stride: "second",
}] as const;
const ONE = [{ kind: "sequential", stride: "each" }, { kind: "steady", stride: "each" }] as const;

test("predictions meet in all of 100 times, with 20 foreign flows a second on each side", () => {
  for (const sides of [BOTH, ONE]) {
    for (const foreign of [1, 20]) {
      assertEquals(rate(150, (seed) => prediction(seed, sides, foreign)), 100);
    }
  }
});

test("predictions may meet where NATs count by two, and where both sides try each port", () => {
  const byTwo = rate(50, (seed) => prediction(seed, BOTH, 1, 2));
  assert(byTwo > 20 && byTwo < 80, `${byTwo} of 100`);
  const both = [BOTH[0], { ...BOTH[1], stride: "each" }] as const;
  const each = rate(50, (seed) => prediction(seed, both, 20));
  assert(each > 60 && each < 100, `${each} of 100`);
});

test("a pair fits in one round, whenever up to 10 foreign flows come on each side", () => {
  // Before which of the 32 datagrams a foreign flow comes; 0 is before all.
  const flows = fc.array(fc.nat(PREDICTED - 1), { maxLength: 10 });
  const port = fc.integer({ min: 1024, max: 60_000 });
  fc.assert(fc.property(flows, flows, port, port, fc.boolean(), (before, beyond, a, b, isFirst) => {
    const random = seededRandom(1);
    const [each, second] = [
      new PredictedPorts("each", random),
      new PredictedPorts("second", random),
    ];
    each.seen({ host: HARD, port: b });
    second.seen({ host: EASY, port: a });
    /** The mapping of each destination. */
    const send = (machine: PredictedPorts, last: number, flows: readonly number[]) => {
      const step = machine.next(0);
      assert(step.kind === "send");
      return new Map(step.datagrams.map(({ to }, i) => {
        last += 1 + flows.filter((at) => at === i).length;
        return [to.port, last];
      }));
    };
    const [ours, theirs] = isFirst
      ? [send(each, a, before), send(second, b, beyond)]
      : [send(each, a, beyond), send(second, b, before)];
    assert([...ours].some(([port, mapping]) => theirs.get(mapping) === port));
  }));
});

/** All that a machine sends from a time on, and when; and when it is done. */
function run(next: (mono: number) => PunchStep, from: number) {
  const sent: { at: number; host: string; port: number; from: number | undefined }[] = [];
  for (let at = from;;) {
    const step = next(at);
    if (step.kind === "done") return { sent, done: at };
    if (step.kind === "wait") {
      assert(step.until > at);
      at = step.until;
    } else for (const { to, from } of step.datagrams) sent.push({ at, ...to, from });
  }
}

test("each port is guessed once, at the rate that was allowed", () => {
  const options = fc.record({
    count: fc.integer({ min: 1, max: 2000 }),
    rate: fc.integer({ min: 1, max: 2000 }),
  });
  fc.assert(
    fc.property(options, fc.nat(), (options, seed) => {
      const guessed = new GuessedPorts({ host: HARD, ...options }, seededRandom(~seed));
      const { sent, done } = run((mono) => guessed.next(mono), 7);
      assertEquals(new Set(sent.map(({ port }) => port)).size, options.count);
      for (const { port, host, from } of sent) {
        assert(port >= 1024 && port <= 65535);
        assertEquals([host, from], [HARD, undefined]);
      }
      const last = sent.at(-1)!.at;
      assert(done > last);
      const most = options.rate + Math.max(1, Math.round(options.rate / 50));
      sent.slice(most).forEach(({ at }, i) => assert(at >= sent[i]!.at + 1 - 1e-6));
      assert(last - 7 <= options.count / options.rate + 1e-6);
    }),
    { numRuns: 10 },
  );
});

test("who comes late to send doesn't send more at once", () => {
  const guessed = new GuessedPorts({ host: HARD, count: 1000, rate: 500 }, seededRandom(1));
  for (const mono of [1, 5, 100]) {
    const step = guessed.next(mono);
    assert(step.kind === "send");
    assertEquals(step.datagrams.length, 10);
    assertEquals(guessed.next(mono).kind, "wait");
  }
});

test("there are not too many guesses", () => {
  const options = { host: HARD, count: 16_385, rate: 1 };
  assertThrows(() => new GuessedPorts(options, seededRandom(1)), RangeError, "16384 at most");
});

test("mappings are opened from as many ports, and only the other side hits one that is open", () => {
  const to = { host: EASY, port: 4500 };
  const opened = new OpenedPorts({ to, firstPort: FIRST_PORT, count: 20, rate: 500 });
  assert(!opened.heard(FIRST_PORT, to));
  const first = opened.next(0);
  assert(first.kind === "send");
  assertEquals(first.datagrams, Array.from({ length: 10 }, (_, i) => ({ to, from: 30_000 + i })));
  assert(!opened.heard(30_010, to));
  assertEquals(opened.next(0), { kind: "wait", until: 0.02 });
  assertEquals(opened.next(0.02).kind, "send");
  assertEquals(opened.next(0.02), { kind: "wait", until: 10.02 });
  assert(!opened.heard(29_999, to));
  assert(!opened.heard(30_020, to));
  assert(!opened.heard(30_010, { ...to, port: 4501 }));
  assert(!opened.heard(30_010, { ...to, host: HARD }));
  assertEquals(opened.hit, undefined);
  assertEquals(opened.next(5), { kind: "wait", until: 10.02 });
  assert(opened.heard(30_019, to));
  assert(opened.heard(30_001, to));
  assertEquals(opened.hit, 30_019);
  assertEquals(opened.next(5), { kind: "done" });
  const unheard = new OpenedPorts({ to, firstPort: FIRST_PORT, count: 256, rate: 500 });
  const { sent, done } = run((mono) => unheard.next(mono), 3);
  assertEquals(sent.length, 256);
  assert(done >= 13 && done < 14);
});

test("a round of predictions needs a mapping that was seen newly, and there are five", () => {
  const machine = new PredictedPorts("each", seededRandom(3));
  assertEquals(machine.next(1), { kind: "wait", until: 6 });
  let last: readonly number[] = [];
  for (let round = 0; round < 5; round++) {
    const at = 2 + round;
    machine.seen({ host: HARD, port: 2000 });
    machine.seen({ host: HARD, port: 65_520 });
    const step = machine.next(at);
    assert(step.kind === "send");
    const ports = step.datagrams.map(({ to }) => to.port);
    // Above 65535, NATs begin with 1024 again.
    const wanted = Array.from({ length: 32 }, (_, i) => i < 15 ? 65_521 + i : 1009 + i);
    assertEquals(ports.toSorted((a, b) => a - b), wanted.toSorted((a, b) => a - b));
    const isOrdered = ports.every((port, i) => port === wanted[i]);
    assertEquals(isOrdered, round % 2 === 0);
    if (!isOrdered) assert(ports.some((port, i) => port !== last[i]));
    last = ports;
    if (round < 4) {
      assertEquals(machine.next(at), { kind: "wait", until: at + 5 });
      machine.seen({ host: HARD, port: 3000 });
      assertEquals(machine.next(at), { kind: "wait", until: at + 0.25 });
    }
  }
  machine.seen({ host: HARD, port: 3000 });
  assertEquals(machine.next(6), { kind: "wait", until: 6.25 });
  assertEquals(machine.next(6.25), { kind: "done" });
});

test("where no mapping is seen, predictions end", () => {
  const machine = new PredictedPorts("second", seededRandom(3));
  assertEquals(machine.next(1), { kind: "wait", until: 6 });
  assertEquals(machine.next(6), { kind: "done" });
});

test("mappings are tried once, until one of them is another one", () => {
  const tries = new HardTries();
  assert(tries.begin("peer", "1.2.3.4:5", "5.6.7.8:9"));
  assert(!tries.begin("peer", "1.2.3.4:5", "5.6.7.8:9"));
  assert(tries.begin("other", "1.2.3.4:5", "5.6.7.8:9"));
  assert(tries.begin("peer", "1.2.3.4:6", "5.6.7.8:9"));
  assert(!tries.begin("peer", "1.2.3.4:6", "5.6.7.8:9"));
  assert(tries.begin("peer", "1.2.3.4:6", "5.6.7.8:10"));
  tries.forget("peer");
  assert(tries.begin("peer", "1.2.3.4:6", "5.6.7.8:10"));
  assert(!tries.begin("other", "1.2.3.4:5", "5.6.7.8:9"));
  for (let i = 0; i < 9_998; i++) assert(tries.begin(`peer ${i}`, "a", "b"));
  assert(!tries.begin("peer", "1.2.3.4:6", "5.6.7.8:10"));
  assert(tries.begin("one more", "a", "b"));
  assert(tries.begin("other", "1.2.3.4:5", "5.6.7.8:9"));
});
