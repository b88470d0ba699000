import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { formatTunnelPrefix, parseTunnelPrefix } from "../../../../lib/core/roster/prefix.ts";
import {
  type Invitation,
  MAX_INVITATIONS,
  REMEMBERED,
  stateOf,
} from "../../../../lib/core/roster/server/invitations.ts";
import { MAX_ENTRIES, Roster } from "../../../../lib/core/roster/server/roster.ts";
import { RosterJournal } from "../../../../lib/core/roster/server/roster_journal.ts";
import { type Invited, Rosters } from "../../../../lib/core/roster/server/rosters.ts";
import { encodeChanges, encodeFile, restoreFile } from "../../../../lib/core/store/encoding.ts";
import { UserError } from "../../../../lib/core/settings/user_error.ts";
import { joinBytes, WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { PORTABLE } from "../../../../lib/wire/crypto/portable.ts";
import type { TunnelPrefix } from "../../../../lib/wire/wgsig2/name.ts";
import { MOST_GONE_ENTRIES } from "../../../../lib/wire/wgsig2/roster.ts";
import { bigEndian } from "../../../support/twins.ts";
import { idOf } from "../../../support/fake_random.ts";
import { test } from "../../../testing.ts";

const UNIX = 1_800_000_000;
const NOW = { unix: UNIX, mono: 50 };
const SERVER = idOf(99);
const GROUP = 7;

function prefix(text: string): TunnelPrefix {
  const read = parseTunnelPrefix(text);
  assert(read !== undefined, text);
  return read;
}

function newRosters(network = "10.9.0.0/24"): Rosters {
  const rosters = new Rosters(SERVER, PORTABLE, 5);
  rosters.of(GROUP).setNetworks([prefix(network)]);
  return rosters;
}

function token(number: number): Uint8Array {
  return Uint8Array.from(bigEndian(number, 16));
}

let drawn = 1000;
function invite(rosters: Rosters, name: string, more: Partial<Invited> = {}): Invitation {
  const invited = { group: GROUP, name, prefixes: [], uses: 1, endsAt: UNIX + 100, ...more };
  return rosters.invite(invited, token(drawn++), UNIX);
}

function texts(prefixes: readonly TunnelPrefix[]): string[] {
  return prefixes.map(formatTunnelPrefix);
}

/** What has to be the same after a restart. */
function picture(rosters: Rosters) {
  return {
    rosters: rosters.all().map((roster) => ({
      group: roster.group,
      version: roster.version,
      floor: roster.floor,
      networks: texts(roster.networks),
      entries: roster.entries(),
      gone: roster.gone,
      news: roster.since(0, false, 1e6),
      revoked: roster.revokedKeys.map((key) => [...key]).sort(),
    })),
    invitations: rosters.invitations.list(),
  };
}

test("who is invited joins once, with the name and the address that were kept for it", () => {
  const rosters = newRosters();
  const first = invite(rosters, "cabin");
  const second = invite(rosters, "boat", { prefixes: [prefix("192.168.7.0/24")] });
  assertEquals([texts(first.addresses), texts(second.addresses)], [["10.9.0.1/24"], [
    "10.9.0.2/24",
  ]]);

  const boat = rosters.join(second, idOf(2), UNIX + 1);
  assert(boat.result === "joined" && boat.isNew);
  assertEquals(texts(boat.addresses), ["10.9.0.2/24"]);
  assertEquals(texts(boat.entry.prefixes), ["10.9.0.2/32", "192.168.7.0/24"]);
  const [, used] = rosters.invitations.list();
  assertEquals(stateOf(used!, UNIX), "used");
  // The same key, whose answer was lost, is told the same; another one nothing.
  const again = rosters.join(used!, idOf(2), UNIX + 1000);
  assertEquals(again, { ...boat, isNew: false });
  assertEquals(rosters.join(used!, idOf(3), UNIX + 1), { result: "used" });
  assertEquals(rosters.of(GROUP).count, 1);
  assertEquals(rosters.of(GROUP).byName("boat")?.key, idOf(2));
});

test("an invitation ends, and can be revoked; then its name and its address are free again", () => {
  const rosters = newRosters();
  const ends = invite(rosters, "cabin");
  const revoked = invite(rosters, "boat");
  assertThrows(() => invite(rosters, "cabin"), UserError, "invited already");
  assertEquals(rosters.join(ends, idOf(1), ends.endsAt), { result: "ended" });
  rosters.invitations.revoke(revoked, UNIX);
  const [, now] = rosters.invitations.list();
  assertEquals(rosters.join(now!, idOf(2), UNIX), { result: "revoked" });
  assertEquals(texts(invite(rosters, "boat").addresses), ["10.9.0.2/24"]);
  assertEquals(rosters.of(GROUP).count, 0);
});

test("a link for several gives names and addresses one after the other", () => {
  const rosters = newRosters();
  const one = invite(rosters, "guest", { uses: 3 });
  invite(rosters, "guest-2");
  const outcomes = [1, 2, 3, 4].map((i) => {
    const [invitation] = rosters.invitations.list();
    return rosters.join(invitation!, idOf(i), UNIX);
  });
  assertEquals(
    outcomes.map((each) =>
      each.result === "joined" ? [each.entry.name, ...texts(each.addresses)] : each.result
    ),
    [["guest", "10.9.0.1/24"], ["guest-3", "10.9.0.3/24"], "busy", "busy"],
  );
  assertEquals(one.joiners, []);
});

test("a link from before doesn't give an address that its peer has no more", () => {
  const rosters = newRosters();
  const [first, second] = [invite(rosters, "a"), invite(rosters, "b")];
  rosters.join(first, idOf(2), UNIX);
  rosters.join(second, idOf(2), UNIX);
  const [used, again] = rosters.invitations.list();
  assert(used !== undefined && again !== undefined);
  assertEquals(rosters.join(used, idOf(2), UNIX).result, "revoked");
  const outcome = rosters.join(again, idOf(2), UNIX);
  assert(outcome.result === "joined");
  assertEquals([texts(outcome.addresses), outcome.entry.name], [["10.9.0.2/24"], "b"]);
});

test("networks of which one lies in another give two addresses", () => {
  const rosters = newRosters();
  rosters.of(GROUP).setNetworks([prefix("10.9.0.0/24"), prefix("10.9.0.0/25")]);
  assertEquals(texts(invite(rosters, "n").addresses), ["10.9.0.1/24", "10.9.0.2/25"]);
});

test("no name looks like another by the direction of its text, or goes on in another line", () => {
  const rosters = newRosters();
  for (
    const name of ["a\u2028PostUp = id", "x\u202eyx", "a\u2066b", "a\nb", "a\u0085b", "a\x1b[2J"]
  ) {
    assertThrows(() => invite(rosters, name), UserError);
  }
  assertEquals(invite(rosters, "Zoë's 電話 🏠").name, "Zoë's 電話 🏠");
});

test("where settings come to have more networks than a peer can have addresses, nobody joins", () => {
  const rosters = newRosters();
  const one = invite(rosters, "guest", { uses: 2 });
  assertEquals(rosters.join(one, idOf(1), UNIX).result, "joined");
  const networks = Array.from({ length: 9 }, (_, i) => prefix(`10.8.${i}.0/24`));
  rosters.of(GROUP).setNetworks(networks);
  const [again] = rosters.invitations.list();
  assertEquals(rosters.join(again!, idOf(2), UNIX).result, "busy");
  assertThrows(() => invite(rosters, "other"), UserError, "9 networks");
  rosters.of(GROUP).setNetworks(networks.slice(1));
  const joined = rosters.join(again!, idOf(2), UNIX);
  assertEquals(joined.result === "joined" && joined.addresses.length, 8);
});

test("what is taken isn't given, and what can't be is refused in a line", () => {
  const rosters = newRosters();
  rosters.of(GROUP).put({ key: idOf(1), name: "hub", prefixes: [prefix("10.9.0.1/32")] }, UNIX);
  invite(rosters, "cabin", { addresses: [prefix("10.9.0.5/24")] });
  const wrong: [Partial<Invited> & { name: string }, string][] = [
    [{ name: "hub" }, "there is a peer hub"],
    [{ name: "" }, "a name has"],
    [{ name: "x".repeat(62), uses: 10 }, "a name has"],
    [{ name: "a", uses: 0 }, "1 to 100"],
    [{ name: "a", uses: 101 }, "1 to 100"],
    [{ name: "a", uses: 2, prefixes: [prefix("10.0.0.0/24")] }, "one peer"],
    [{ name: "a", endsAt: UNIX }, "end later"],
    [{ name: "a", addresses: [prefix("10.9.0.1/24")] }, "10.9.0.1/32 overlaps 10.9.0.1/32 of hub"],
    [{ name: "a", addresses: [prefix("10.9.0.5/24")] }, "reserved for cabin"],
    [{ name: "a", prefixes: [prefix("10.9.0.0/16")] }, "10.9.0.0/16 overlaps 10.9.0.1/32 of hub"],
    [
      { name: "a", addresses: Array.from({ length: 9 }, (_, i) => prefix(`10.8.0.${i}/24`)) },
      "8 addresses",
    ],
  ];
  for (const [{ name, ...more }, why] of wrong) {
    const error = assertThrows(() => invite(rosters, name, more), UserError, why);
    assert(error instanceof UserError && !error.message.includes("\n"));
  }
  assertEquals(rosters.invitations.count, 1);
  const small = newRosters("10.9.0.0/30");
  invite(small, "a");
  invite(small, "b");
  assertThrows(() => invite(small, "c"), UserError, "no address of 10.9.0.0/30 is free");
});

test("a peer is renamed, forgotten and revoked", () => {
  const rosters = newRosters();
  const roster = rosters.of(GROUP);
  const invitation = invite(rosters, "cabin");
  rosters.join(invitation, idOf(1), UNIX);
  roster.put({ key: idOf(2), name: "phone", prefixes: [], via: idOf(1) }, UNIX);
  assertThrows(() => roster.rename("phone", "cabin", UNIX), UserError, "already");
  assertThrows(() => roster.rename("nobody", "x", UNIX), UserError, "no peer nobody");
  assertThrows(
    () => roster.put({ key: idOf(3), name: "a", prefixes: [], via: idOf(9) }, UNIX),
    UserError,
    "only be reached via another",
  );
  roster.rename("phone", "tablet", UNIX + 1);
  assertEquals([roster.byName("phone"), roster.byName("tablet")?.key], [undefined, idOf(2)]);

  assert(roster.remove(idOf(1), true, UNIX + 2));
  assertEquals(roster.byName("tablet")?.via, undefined);
  const [used] = rosters.invitations.list();
  assertEquals(rosters.join(used!, idOf(1), UNIX + 3), { result: "revoked" });
  const other = invite(rosters, "again");
  assertEquals(rosters.join(other, idOf(1), UNIX + 3), { result: "revoked" });
  const revoked = new WireBuffer(idOf(1));
  assert(roster.isRevoked(revoked, 0) && !roster.has(revoked, 0));
  assert(roster.has(new WireBuffer(idOf(2)), 0) && !roster.isRevoked(new WireBuffer(idOf(2)), 0));
  // By hand, it comes back.
  roster.put({ key: idOf(1), name: "cabin", prefixes: [] }, UNIX + 4);
  assert(!roster.isRevoked(revoked, 0) && roster.has(revoked, 0));
  assert(roster.remove(idOf(1), false, UNIX + 5) && !roster.remove(idOf(1), false, UNIX + 5));
  assert(!roster.isRevoked(revoked, 0) && !roster.has(revoked, 0));
});

test("who knows a version is told what came after it, whatever happens", () => {
  const step = fc.record({
    key: fc.integer({ min: 1, max: 12 }),
    what: fc.constantFrom("put", "put", "put", "remove", "revoke"),
    later: fc.integer({ min: 0, max: 3 }),
    isAsking: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const roster = new Roster(GROUP, 3);
    const known = new Map<string, string>();
    let version = 0;
    let unix = UNIX;
    const ask = () => {
      for (let isOnward = false;; isOnward = true) {
        const { changes, isWhole } = roster.since(version, isOnward, 2);
        if (isWhole) known.clear();
        for (const change of changes) {
          assert(change.version > (isWhole ? 0 : version));
          version = change.version;
          const key = String(change.key);
          if ("name" in change) known.set(key, change.name);
          else known.delete(key);
        }
        if (changes.length < 2) break;
      }
      const wanted = roster.entries().map(({ key, name }) => [String(key), name]);
      assertEquals([...known].sort(), wanted.sort());
    };
    for (const { key, what, later, isAsking } of steps) {
      unix += later / 1000;
      if (what === "put") {
        try {
          roster.put({ key: idOf(key), name: `n${key % 5}`, prefixes: [] }, unix);
        } catch (error) {
          assert(error instanceof UserError);
        }
      } else roster.remove(idOf(key), what === "revoke", unix);
      if (isAsking) ask();
    }
    ask();
  }));
});

test("who knows less than is remembered is told everything, and gets to its end", () => {
  const roster = new Roster(GROUP, 3);
  roster.put({ key: idOf(1), name: "stays", prefixes: [] }, 1);
  const { version } = roster.put({ key: idOf(2), name: "knows", prefixes: [] }, 1);
  for (let i = 0; i < MOST_GONE_ENTRIES + 10; i++) {
    roster.put({ key: idOf(10 + i), name: "x", prefixes: [] }, 1);
    roster.remove(idOf(10 + i), false, 1);
  }
  assertEquals(roster.gone.length, MOST_GONE_ENTRIES);
  const first = roster.since(version, false, 10);
  assert(first.isWhole && first.changes.length === 10);
  let { version: from } = first.changes[9]!;
  let count = 10;
  for (;;) {
    const { changes, isWhole } = roster.since(from, true, 1000);
    assert(!isWhole);
    count += changes.length;
    if (changes.length === 0) break;
    from = changes[changes.length - 1]!.version;
  }
  assertEquals([count, from], [MOST_GONE_ENTRIES + 2, roster.version]);
  // A version that the registry has never had.
  assert(roster.since(roster.version + 1, false, 1).isWhole);
});

test("a full roster takes nobody, and says so; a full list of invitations neither", () => {
  const rosters = newRosters("10.0.0.0/8");
  const roster = rosters.of(GROUP);
  const invitation = invite(rosters, "late");
  for (let i = 0; i < MAX_ENTRIES; i++) {
    roster.put({ key: idOf(i), name: `n${i}`, prefixes: [] }, UNIX);
  }
  assertThrows(
    () => roster.put({ key: idOf(MAX_ENTRIES), name: "more", prefixes: [] }, UNIX),
    UserError,
    "full",
  );
  // Who is there may be changed.
  roster.put({ key: idOf(3), name: "three", prefixes: [] }, UNIX);
  assertEquals(rosters.join(invitation, idOf(MAX_ENTRIES), UNIX), { result: "busy" });

  const { invitations } = rosters;
  const base = invitations.list()[0]!;
  const add = (i: number, more: Partial<Invitation> = {}) =>
    invitations.add(
      { ...base, token: token(100_000 + i), name: `i${i}`, addresses: [], ...more },
      UNIX,
    );
  for (let i = 1; i < MAX_INVITATIONS; i++) add(i, i === 9 ? { revokedAt: UNIX } : {});
  assertEquals(invitations.count, MAX_INVITATIONS);
  // One that is over makes room.
  add(5000);
  assertThrows(() => add(5001), UserError, "can be no more");
  assertEquals(invitations.count, MAX_INVITATIONS);
  assert(!invitations.list().some((each) => each.name === "i9"));
  invitations.expire(UNIX + 100 + REMEMBERED);
  assertEquals(invitations.count, MAX_INVITATIONS);
  invitations.expire(UNIX + 101 + REMEMBERED);
  assertEquals(invitations.count, 0);
});

/** Does many things to rosters, each of which is to be kept. */
function busy(rosters: Rosters, steps: readonly number[], after: () => void): void {
  for (const step of steps) {
    const key = idOf(step % 17);
    const name = `n${step % 11}`;
    const group = step % 3;
    const roster = rosters.of(group);
    const unix = UNIX + step;
    try {
      switch (step % 9) {
        case 0:
          rosters.invite(
            { group, name, prefixes: [], uses: 1 + step % 3, endsAt: unix + 50 },
            token(drawn++),
            unix,
          );
          break;
        case 1:
        case 2: {
          const open = rosters.invitations.open(group, unix);
          if (open.length > 0) rosters.join(open[step % open.length]!, key, unix);
          break;
        }
        case 3:
          roster.put({ key, name, prefixes: [prefix(`10.${step % 200}.0.0/16`)] }, unix);
          break;
        case 4:
          roster.rename(name, `n${(step + 1) % 11}`, unix);
          break;
        case 5:
          roster.remove(key, false, unix);
          break;
        case 6:
          roster.remove(key, true, unix);
          break;
        case 7:
          roster.setNetworks([prefix(`10.${step % 250}.3.0/24`)]);
          break;
        default: {
          const [first] = rosters.invitations.open(group, unix);
          if (first !== undefined) rosters.invitations.revoke(first, unix);
        }
      }
    } catch (error) {
      assert(error instanceof UserError);
    }
    after();
  }
}

test("what was kept is there again, wherever the file was written anew or torn", () => {
  const steps = fc.array(fc.nat({ max: 2000 }), { maxLength: 80 });
  fc.assert(
    fc.property(steps, fc.nat({ max: 80 }), (all, renewAfter) => {
      const rosters = new Rosters(SERVER, PORTABLE, 5);
      const journal = new RosterJournal(rosters);
      let file = encodeFile([journal], NOW);
      const states = new Map<number, unknown>([[file.length, picture(rosters)]]);
      let done = 0;
      busy(rosters, all, () => {
        if (done++ === renewAfter) {
          journal.changes();
          file = encodeFile([journal], NOW);
          states.clear();
        } else if (journal.patience === 0) {
          file = joinBytes([file, encodeChanges([journal], NOW)]);
        }
        assertEquals(journal.patience, Infinity);
        states.set(file.length, picture(rosters));
      });
      for (const [size, wanted] of states) {
        const again = new Rosters(SERVER, PORTABLE, 6);
        const torn = joinBytes([file.subarray(0, size), file.subarray(size, size + 11)]);
        const { isDamaged } = restoreFile(new WireBuffer(torn), [new RosterJournal(again)], NOW);
        assert(!isDamaged);
        assertSame(picture(again), wanted);
      }
    }),
    { numRuns: 30 },
  );
});

function assertSame(got: unknown, wanted: unknown): void {
  assertEquals(ordered(got), ordered(wanted));
}

/** Rosters by their groups, without those of which there is nothing to say. */
function ordered(value: unknown): unknown {
  const { rosters, invitations } = value as ReturnType<typeof picture>;
  return {
    rosters: rosters.filter(({ version, networks }) => version > 0 || networks.length > 0)
      .sort((a, b) => a.group - b.group),
    invitations,
  };
}

test("a line that is none is passed over, and the others are taken", () => {
  const rosters = newRosters();
  const journal = new RosterJournal(rosters);
  invite(rosters, "cabin");
  rosters.of(GROUP).put({ key: idOf(1), name: "hub", prefixes: [] }, UNIX);
  const file = encodeFile([journal], NOW);
  const lines = new TextDecoder().decode(file.subarray(16 + 24)).trim().split("\n");
  assertEquals(lines.length, 3);
  const nine = JSON.stringify(Array.from({ length: 9 }, (_, i) => `10.9.0.${i + 2}/24`));
  const bad = [
    "{",
    "[]",
    "null",
    '{"kind":"other"}',
    '{"kind":"peer","group":1}',
    '{"kind":"gone","group":4294967296,"key":"","version":1}',
    lines[1]!.replace('"hub"', '"\\u0001"'),
    lines[2]!.replace(/"token":"../, '"token":"'),
    lines[2]!.replace('"uses":1', '"uses":"1"'),
    // More than an answer to a join has room for.
    lines[2]!.replace(/"addresses":\[[^\]]*\]/, `"addresses":${nine}`),
    lines[2]!.replace(
      '"joiners":[]',
      `"joiners":[{"key":"${formatKey(idOf(2))}","addresses":${nine}}]`,
    ),
  ];
  const again = new Rosters(SERVER, PORTABLE, 6);
  const content = new TextEncoder().encode([...bad, ...lines].join("\n"));
  const batch = { writtenAt: UNIX, at: 0, end: content.length };
  const restored = new RosterJournal(again).restore(new WireBuffer(content), [batch], NOW);
  assertEquals(restored?.counts, { peers: 1, invitations: 1, damaged: bad.length });
  assertSame(picture(again), picture(rosters));
});
