import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { COUNTER_NAMES, type CounterName } from "../../lib/core/counters.ts";
import { Replica } from "../../lib/core/replica.ts";
import { hex } from "../support/bytes.ts";
import { idOf } from "../support/fake_random.ts";
import {
  type Answer,
  type DriverGroup,
  recordText,
  requestOf,
  type Sent,
  T0,
} from "../support/registry_driver.ts";
import { type Driven, LoneDriver, Replicas } from "../support/replica_driver.ts";
import { test } from "../testing.ts";

const A = idOf(1);
const B = idOf(2);
const SECRETS = [0x40, 0x99].map((byte) => new Uint8Array(32).fill(byte));

function keys(answer: Answer | undefined): string[] {
  assert(answer !== undefined, "no answer");
  return answer.records.map(({ id }) => hex(id)).sort();
}

test("who registers at one replica is in the next answer of the other", () => {
  const { members: [one, other] } = new Replicas(2);
  one!.ask({ id: A, from: "198.51.100.1 1000" });
  const answer = other!.ask({ id: B, from: "198.51.100.2 2000" });
  assertEquals(keys(answer), [hex(A), hex(B)]);
  assertEquals(keys(one!.ask({ id: A, nanoseconds: 1 })), [hex(A), hex(B)]);
});

test("a request that one replica has answered is a replay at the other", () => {
  const { members: [one, other] } = new Replicas(2);
  const registering = requestOf({ id: A });
  const asking = requestOf({ id: B, flags: 3 });
  assertEquals(one!.reasonFor(registering), undefined);
  assertEquals(one!.reasonFor(asking), undefined);
  assertEquals(other!.reasonFor(registering), "drop-replayed");
  assertEquals(other!.reasonFor(asking), "drop-replayed");
});

test("what is repeated is counted where it happened, and told everywhere", () => {
  const replicas = new Replicas(2);
  const [one, other] = replicas.members;
  one!.ask({ id: A });
  replicas.sync();
  assertEquals(one!.registry.counters.get("registered"), 1);
  assertEquals(other!.registry.counters.snapshot(), { received: 0, answered: 0 });
  assertEquals(other!.changes, one!.changes);
});

test("what changed is to be saved at all replicas", () => {
  const replicas = new Replicas(2);
  replicas.members[0]!.ask({ id: A });
  replicas.sync();
  assert(replicas.members[1]!.group().changed);
});

test("settings come into force everywhere at the same place", () => {
  const replicas = new Replicas(2);
  const [one, other] = replicas.members;
  one!.ask({ id: A });
  replicas.at(0).configure({ secret: SECRETS[1]!, allowed: [B] });
  assertEquals(other!.reasonFor({ id: B, secret: SECRETS[0]! }), "drop-bad-mac");
  assertEquals(other!.reasonFor({ id: A, secret: SECRETS[1]! }), "drop-not-allowed");
  assertEquals(keys(other!.ask({ id: B, secret: SECRETS[1]! })), [hex(B)]);
});

test("what was examined before settings changed is examined again", () => {
  for (const flags of [0, 3]) {
    const replicas = new Replicas(2, { groups: [{}, { id: 5 }] });
    const [one, other] = replicas.members;
    one!.ask({ id: A });
    replicas.sync();
    replicas.at(0).configure({ secret: SECRETS[1]! });
    const batch = [
      requestOf({ id: B, flags, secret: SECRETS[0]! }),
      requestOf({ id: B, flags, secret: SECRETS[1]!, nanoseconds: 1 }),
      requestOf({ id: B, flags, secret: SECRETS[1]!, nanoseconds: 2, sealed: 1 }),
    ];
    assertEquals(other!.send(batch).map((answer) => answer !== undefined), [false, true, true]);
    assertEquals(other!.drops, [{ reason: "drop-bad-mac", i: 0 }]);
  }
});

test("a replica whose clock is behind changes nothing into the past", () => {
  const { members: [one, other] } = new Replicas(2);
  other!.mono -= 1;
  one!.ask({ id: A });
  other!.ask({ id: B });
  const { table } = other!.group();
  assertEquals([table.seenAt(table.oldest), table.seenAt(table.newerThan(table.oldest))], [
    one!.mono,
    one!.mono,
  ]);
});

test("while a replica has not read what fills the log, requests are dropped and counted", () => {
  const replicas = new Replicas(2, {}, 4);
  const [one, idle] = replicas.members;
  // A batch of one may need two entries.
  for (let i = 0; i < 3; i++) assert(one!.ask({ id: idOf(i) }) !== undefined);
  const before = one!.snapshot();
  assertEquals(one!.ask({ id: idOf(7) }), undefined);
  assertEquals(one!.snapshot(), before);
  assertEquals(one!.registry.counters.get("workers-behind"), 1);
  assertEquals(one!.registry.counters.get("received"), 4);
  assert(one!.log.isLagging);
  assertEquals(one!.log.behind(1), 3);

  idle!.replica.sync(idle!);
  assertEquals(keys(one!.ask({ id: idOf(7) })).length, 4);
  assertEquals(keys(idle!.ask({ id: idOf(7), nanoseconds: 1 })).length, 4);
});

test("with a full log no settings come into force, and nothing is observed", () => {
  const replicas = new Replicas(2, {}, 2);
  const [one] = replicas.members;
  one!.ask({ id: A });
  const seen = { id: B, address: 1, port: 2, label: { seconds: T0, nanoseconds: 0 } };
  assertEquals(replicas.at(0).observe(seen), "false true");
  assertEquals(replicas.at(0).observe({ ...seen, id: idOf(9) }), "true false");
  assertEquals(one!.replica.configure(0, one!), false);
  assertEquals(one!.group().table.count, 2);
});

test("a replica that another keeps out for long says so, and has changed nothing", () => {
  const replicas = new Replicas(2);
  const [one] = replicas.members;
  const { words } = one!.log;
  // Held, and nobody gives it back: Atomics.wait would sleep for its whole timeout.
  words[0] = 1;
  const wait = Atomics.wait;
  try {
    Atomics.wait = () => "timed-out";
    assertThrows(() => one!.ask({ id: A }), Error, "kept the peers to itself");
  } finally {
    Atomics.wait = wait;
  }
  words[0] = 0;
  assertEquals(keys(one!.ask({ id: A })), [hex(A)]);
});

test("the lock is free again after an error inside", () => {
  const { members: [one, other] } = new Replicas(2);
  one!.ask({ id: A });
  const broken = new Replica(other!.registry, other!.log, {
    observer: { endpointChanged() {}, dropped() {} },
    configured() {},
  });
  other!.registry.repeat = () => {
    throw new Error("broken");
  };
  assertThrows(() => broken.sync(other!), Error, "broken");
  assertEquals(one!.log.words[0], 0);
});

// Any mixture of what can happen, at any replica, against one registry to which all of it happens.

const GROUP: DriverGroup = { maxAge: 4, maxPeers: 5, secret: SECRETS[0]! };

interface Step {
  readonly at: number;
  readonly pass: number;
  readonly batch: readonly {
    readonly id: number;
    readonly seconds: number;
    readonly nanoseconds: number;
    readonly flags: number;
    readonly from: string;
    readonly secret: number;
    readonly sealed: number | undefined;
    readonly group: number;
    /** A datagram of before instead, so many back. */
    readonly again: number | undefined;
  }[];
  readonly seen: { readonly id: number; readonly age: number; readonly port: number } | undefined;
  readonly settings:
    | { readonly secret: number; readonly allowed: number[] | undefined }
    | undefined;
}

const small = (max: number) => fc.integer({ min: 0, max });
const maybe = <T>(what: fc.Arbitrary<T>, freq: number) => fc.option(what, { nil: undefined, freq });
const step: fc.Arbitrary<Step> = fc.record({
  at: small(2),
  // Often enough for each step to look for what is too old: who looks when is another test's.
  pass: fc.constantFrom(0.5, 0.5, 0.5, 1, 2, 5),
  batch: fc.array(
    fc.record({
      id: small(8),
      seconds: fc.integer({ min: -2, max: 2 }),
      nanoseconds: small(3),
      flags: small(3),
      from: fc.constantFrom("192.0.2.1 1", "192.0.2.1 2", "198.51.100.9 3", "2001:db8::1 4"),
      secret: fc.constantFrom(0, 0, 0, 1),
      sealed: maybe(small(50), 2),
      group: fc.constantFrom(0, 0, 0, 0, 5),
      again: maybe(small(5), 4),
    }),
    { maxLength: 4 },
  ),
  seen: maybe(fc.record({ id: small(8), age: small(6), port: fc.integer({ min: 1, max: 3 }) }), 4),
  settings: maybe(
    fc.record({ secret: small(1), allowed: maybe(fc.array(small(8)), 2) }),
    1,
  ),
});

/** What an answer says: ciphertexts differ, as each replica has nonces of its own. */
function shown(answer: Answer | undefined): string {
  if (answer === undefined) return "no answer";
  return `${answer.sealed} ${answer.plains.map(hex).join()} ${answer.records.map(recordText)}`;
}

/** Of a forged replay, a replica may notice either first. */
function reasonFor(reason: CounterName): string {
  return reason === "drop-bad-mac" || reason === "drop-replayed" ? "drop-bad" : reason;
}

/** Does what a step says, and returns what can be seen of it. */
function take({ driver, observe, configure }: Driven, todo: Step, sent: readonly Sent[]): string[] {
  const drops = driver.drops.length;
  const found: string[] = sent.length > 0 ? driver.send(sent).map(shown) : [];
  found.push(...driver.drops.slice(drops).map(({ reason, i }) => `${reasonFor(reason)} ${i}`));
  if (todo.seen !== undefined) {
    const { id, age, port } = todo.seen;
    const label = { seconds: Math.floor(driver.unix) - age, nanoseconds: 0 };
    found.push(observe({ id: idOf(id), address: 0xc000_0201, port, label }));
  }
  if (todo.settings !== undefined) {
    const { secret, allowed } = todo.settings;
    configure({
      ...GROUP,
      secret: SECRETS[secret]!,
      ...(allowed === undefined ? {} : { allowed: allowed.map(idOf) }),
    });
  }
  return found;
}

function compare(steps: readonly Step[], first: number, capacity: number): void {
  const alone = new LoneDriver({ groups: [GROUP] });
  const lone: Driven = {
    driver: alone,
    observe: (seen) => alone.observe(seen),
    configure: (group) => alone.configure(group),
  };
  const replicas = new Replicas(3, { groups: [GROUP] }, capacity, first);
  const history: Sent[] = [];
  let entries = 0;
  for (const todo of steps) {
    alone.pass(todo.pass);
    replicas.pass(todo.pass);
    alone.expire();
    const acting = replicas.members[todo.at]!;
    acting.replica.sync(acting);
    const sent = todo.batch.map(({ id, seconds, secret, sealed, again, ...rest }): Sent => {
      const before = again === undefined ? undefined : history.at(-1 - again);
      if (before !== undefined) return before;
      return requestOf({
        ...rest,
        id: idOf(id),
        seconds: Math.floor(alone.unix) + seconds,
        secret: SECRETS[secret]!,
        ...(sealed === undefined ? {} : { sealed }),
      });
    });
    history.push(...sent);
    // Who does nothing for long must be told to read.
    entries += sent.length + 3;
    if (entries > capacity - 8) {
      entries = sent.length + 3;
      replicas.sync();
    }
    assertEquals(take(replicas.at(todo.at), todo, sent), take(lone, todo, sent));
  }
  alone.pass(1);
  replicas.pass(1);
  alone.expire();
  replicas.sync();
  for (const member of replicas.members) {
    assertEquals(member.held(), alone.held());
    assertEquals(
      member.changes.map((each) => each.replace(/\S+$/, "")),
      replicas.members[0]!.changes.map((each) => each.replace(/\S+$/, "")),
    );
  }
  // Nothing changed since: all show the same datagrams, and not only the same peers.
  replicas.members.forEach(({ log }, i) => assertEquals(log.pending, 0, `replica ${i}`));
  const last = requestOf({ id: idOf(100), flags: 3, seconds: Math.floor(alone.unix) });
  const [{ at }] = [steps.at(-1) ?? { at: 0 }];
  assertEquals(replicas.members[at]!.send([last]).map(shown), alone.send([last]).map(shown));
  replicas.sync();
  const total = (name: CounterName) =>
    replicas.members.reduce((sum, { registry }) => sum + registry.counters.get(name), 0);
  const counts = (count: (name: CounterName) => number) => {
    const all = new Map<string, number>();
    for (const name of COUNTER_NAMES) {
      all.set(reasonFor(name), (all.get(reasonFor(name)) ?? 0) + count(name));
    }
    return all;
  };
  assertEquals(counts(total), counts((name) => alone.registry.counters.get(name)));
}

test("replicas answer as one registry to which all of it happened", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.oneof(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.integer({ min: -40, max: 0 }),
        fc.integer({ min: 2 ** 31 - 40, max: 2 ** 31 - 1 }),
      ),
      fc.constantFrom(32, 1024),
      compare,
    ),
    { numRuns: 300 },
  );
});
