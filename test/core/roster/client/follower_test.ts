import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Now } from "../../../../lib/core/net/clock.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import type { RosterEntry } from "../../../../lib/core/roster/client/entry.ts";
import {
  MAX_ROSTER,
  RosterFollower,
  type RosterRequest,
} from "../../../../lib/core/roster/client/follower.ts";
import { idOf } from "../../../support/fake_random.ts";
import { test } from "../../../testing.ts";

const at = (mono: number): Now => ({ unix: 1_800_000_000 + mono, mono });

function entry(i: number, isGone = false): RosterEntry {
  const publicKey = formatKey(idOf(i));
  return { publicKey, name: `n${i}`, allowedIps: [`10.9.0.${i}/32`], via: undefined, isGone };
}

/** A registry's roster: entries by the number of their last change. */
class Registry {
  version = 0;
  readonly changes = new Map<string, { readonly at: number; readonly entry: RosterEntry }>();

  change(entry: RosterEntry): void {
    this.changes.set(entry.publicKey, { at: ++this.version, entry });
  }

  /** An answer that has room for so many. */
  answer(asked: RosterRequest, room: number) {
    const isWhole = !asked.isOnward && (asked.from === 0 || asked.from > this.version);
    const from = isWhole ? 0 : asked.from;
    const all = [...this.changes.values()].filter((each) => each.at > from)
      .toSorted((a, b) => a.at - b.at);
    const fit = all.slice(0, room);
    const version = fit.length === all.length ? this.version : fit.at(-1)!.at;
    return { asked, version, now: this.version, isWhole, entries: fit.map(({ entry }) => entry) };
  }

  get entries(): RosterEntry[] {
    return [...this.changes.values()].map((each) => each.entry);
  }
}

test("nothing is asked before a registry has told of a version, nor once all is known", () => {
  const follower = new RosterFollower();
  assertEquals(follower.next(at(0)).kind, "done");
  const registry = new Registry();
  for (let i = 1; i <= 5; i++) registry.change(entry(i));
  follower.told(registry.version, at(0));
  let questions = 0;
  while (follower.next(at(1)).kind === "ask") {
    questions++;
    assert(follower.take(registry.answer(follower.ask(at(1)), 2), at(1)));
  }
  assertEquals(questions, 3);
  assertEquals(follower.version, 5);
  assertEquals([...follower.entries.values()], registry.entries);
});

test("a lost answer is asked for again, not for ever, and at once when a version is told", () => {
  const follower = new RosterFollower();
  follower.told(7, at(0));
  let questions = 0;
  let mono = 0;
  for (;;) {
    const step = follower.next(at(mono));
    if (step.kind === "done") break;
    if (step.kind === "wait") mono = step.until;
    else {
      questions++;
      follower.ask(at(mono));
    }
  }
  assertEquals(questions, 4);
  follower.told(7, at(mono));
  assertEquals(follower.next(at(mono)).kind, "ask");
});

test("a registry that counts anew is read anew, and until then what was known holds", () => {
  const follower = new RosterFollower();
  const before = new Registry();
  for (let i = 1; i <= 9; i++) before.change(entry(i));
  follower.told(9, at(0));
  follower.take(before.answer(follower.ask(at(0)), 100), at(0));
  const anew = new Registry();
  for (const i of [1, 2, 3]) anew.change(entry(i));
  follower.told(3, at(1));
  follower.take(anew.answer(follower.ask(at(1)), 2), at(1));
  assertEquals(follower.entries.size, 9);
  follower.take(anew.answer(follower.ask(at(1)), 2), at(1));
  assertEquals(follower.entries.size, 3);
  assertEquals(follower.next(at(1)).kind, "done");
});

test("an answer to a question from elsewhere is none, and one that leads nowhere is not followed", () => {
  const follower = new RosterFollower();
  follower.told(5, at(0));
  const asked = follower.ask(at(0));
  assertEquals(asked, { from: 0, isOnward: false });
  const part = { asked, version: 5, now: 5, isWhole: false, entries: [entry(1)] };
  assert(!follower.take({ ...part, asked: { from: 3, isOnward: false } }, at(0)));
  assert(!follower.take({ ...part, asked: { from: 0, isOnward: true } }, at(0)));
  assertEquals(follower.entries.size, 0);
  assert(follower.take({ ...part, version: 0, entries: [] }, at(0)));
  assertEquals(follower.next(at(0)).kind, "done");
  assert(follower.take({ ...part, version: 9 }, at(0)));
  assertEquals(follower.entries.size, 0);
});

test("in whatever order things happen: who is told the last version knows what the registry knows", () => {
  const change = fc.record({ i: fc.integer({ min: 1, max: 9 }), isGone: fc.boolean() });
  const round = fc.record({
    changes: fc.array(change, { maxLength: 6 }),
    room: fc.integer({ min: 1, max: 4 }),
    lost: fc.array(fc.boolean(), { maxLength: 5 }),
  });
  fc.assert(fc.property(fc.array(round, { maxLength: 6 }), (rounds) => {
    const follower = new RosterFollower();
    const registry = new Registry();
    let mono = 0;
    for (const { changes, room, lost } of rounds) {
      for (const { i, isGone } of changes) registry.change(entry(i, isGone));
      const losses = [...lost];
      for (let i = 0; i < 200 && follower.version !== registry.version; i++) {
        if (follower.next(at(mono)).kind === "done") follower.told(registry.version, at(mono));
        const step = follower.next(at(mono));
        if (step.kind === "wait") mono = step.until;
        if (step.kind !== "ask") continue;
        const answer = registry.answer(follower.ask(at(mono)), room);
        if (losses.shift() !== true) follower.take(answer, at(mono));
      }
      assertEquals(follower.version, registry.version);
    }
    const byKey = (a: RosterEntry, b: RosterEntry) => a.publicKey < b.publicKey ? -1 : 1;
    assertEquals(
      [...follower.entries.values()].toSorted(byKey),
      registry.entries.toSorted(byKey),
    );
  }));
});

test("a registry that never comes to an end isn't asked for ever", () => {
  for (const entries of [[], [entry(1)], [entry(1), entry(2)]]) {
    const follower = new RosterFollower();
    const now = Number.MAX_SAFE_INTEGER;
    follower.told(now, at(0));
    let questions = 0;
    for (; follower.next(at(1)).kind === "ask"; questions++) {
      assert(questions <= 2 * MAX_ROSTER, "asked for ever");
      const asked = follower.ask(at(1));
      const isWhole = questions === 0;
      follower.take({ asked, version: questions + 1, now, isWhole, entries }, at(1));
    }
    assert(entries.length > 0 || questions === 1);
    // It is asked again once it says that there is something.
    follower.told(now - 1, at(2));
    assertEquals(follower.next(at(2)).kind, "ask");
  }
});

test("those that are gone take no room from those that come", () => {
  const follower = new RosterFollower();
  let version = 0;
  const key = (i: number) => {
    return {
      ...entry(1),
      publicKey: formatKey(Uint8Array.from({ length: 32 }, (_, at) => (i >> (8 * (at % 4))) & 255)),
    };
  };
  const take = (entries: RosterEntry[], isWhole = false) => {
    follower.told(version + 1, at(0));
    const asked = follower.ask(at(0));
    follower.take({ asked, version: ++version, now: version, isWhole, entries }, at(0));
  };
  take([key(1_000_000)], true);
  const chunk = Array.from({ length: MAX_ROSTER + 10 }, (_, i) => ({ ...key(i), isGone: true }));
  take(chunk);
  take([key(2_000_000)]);
  assert(follower.entries.has(key(1_000_000).publicKey), "who was there");
  assert(follower.entries.has(key(2_000_000).publicKey), "who has come");
  assert(follower.entries.size <= MAX_ROSTER);
});
