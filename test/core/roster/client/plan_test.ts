import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { DevicePeer } from "../../../../lib/core/net/device.ts";
import { IpPrefix, isNarrow, normalizePrefix } from "../../../../lib/core/net/ip_prefix.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { mergeRosters, type RosterEntry } from "../../../../lib/core/roster/client/entry.ts";
import {
  formatGiven,
  type Given,
  NOTHING_GIVEN,
  parseGiven,
} from "../../../../lib/core/roster/client/given.ts";
import { givenByFile } from "../../../../lib/core/roster/client/joined_files.ts";
import { planRoster, type RosterScene } from "../../../../lib/core/roster/client/plan.ts";
import type { RosterBounds } from "../../../../lib/core/roster/client/prefix_gate.ts";
import { PRIVATE_NETWORKS } from "../../../../lib/core/roster/client/private_networks.ts";
import { PrefixOwners } from "../../../../lib/core/roster/client/prefix_owners.ts";
import { idOf } from "../../../support/fake_random.ts";
import { test } from "../../../testing.ts";

const [OWN, A, B, C, D] = [1, 2, 3, 4, 5].map((i) => formatKey(idOf(i))) as [
  string,
  string,
  string,
  string,
  string,
];
const KEYS = [OWN, A, B, C, D];

const BOUNDS: RosterBounds = {
  trusted: PRIVATE_NETWORKS,
  addresses: ["10.9.0.1/24", "192.168.1.2"],
  networks: ["192.168.1.0/24"],
  registries: ["10.77.0.5", "203.0.113.1"],
  endpoints: ["10.78.0.9"],
};

function peer(publicKey: string, ...allowedIps: string[]): DevicePeer {
  return {
    publicKey,
    endpoint: undefined,
    allowedIps,
    latestHandshake: 0,
    received: 0,
    sent: 0,
    persistentKeepalive: 0,
  };
}

function entry(publicKey: string, ...allowedIps: string[]): RosterEntry {
  return {
    publicKey,
    name: `n${KEYS.indexOf(publicKey)}`,
    allowedIps,
    via: undefined,
    isGone: false,
  };
}

function gone(publicKey: string): RosterEntry {
  return { ...entry(publicKey), isGone: true };
}

interface World {
  peers: DevicePeer[];
  given: Given;
}

function scene(world: World, entries: readonly RosterEntry[], more: Partial<RosterScene> = {}) {
  return {
    device: { publicKey: OWN, peers: world.peers },
    roster: new Map(entries.map((each) => [each.publicKey, each])),
    configured: new Map<string, readonly string[]>(),
    isComplete: false,
    given: world.given,
    bounds: BOUNDS,
    ...more,
  };
}

/** Does what is planned, as WireGuard does: an address is one peer's. */
function follow(world: World, scene: RosterScene): World {
  let { peers } = world;
  const given = new Map(world.given.peers);
  for (const step of planRoster(scene).steps) {
    const { publicKey } = step;
    if (step.kind === "remove") {
      peers = peers.filter((each) => each.publicKey !== publicKey);
      given.delete(publicKey);
      continue;
    }
    const taken = new Set(step.allowedIps);
    peers = peers.filter((each) => each.publicKey !== publicKey)
      .map((each) => ({ ...each, allowedIps: each.allowedIps.filter((ip) => !taken.has(ip)) }));
    peers = [...peers, peer(publicKey, ...step.allowedIps)];
    given.set(publicKey, step.given);
  }
  return { peers, given: { ...world.given, peers: given } };
}

function tableOf({ peers }: World): Record<string, readonly string[]> {
  return Object.fromEntries(
    peers.map(({ publicKey, allowedIps }) => [KEYS.indexOf(publicKey), allowedIps.toSorted()]),
  );
}

const EMPTY: World = { peers: [], given: NOTHING_GIVEN };

test("peers of the roster are added, changed and taken away again", () => {
  let world = follow(EMPTY, scene(EMPTY, [entry(OWN, "10.9.0.1/32"), entry(A, "10.9.0.2/32")]));
  assertEquals(tableOf(world), { 1: ["10.9.0.2/32"] });
  assertEquals(planRoster(scene(world, [entry(A, "10.9.0.2/32")])).steps, []);
  world = follow(world, scene(world, [entry(A, "10.9.0.3/32"), entry(B, "10.9.0.2/32")]));
  assertEquals(tableOf(world), { 1: ["10.9.0.3/32"], 2: ["10.9.0.2/32"] });
  world = follow(world, scene(world, [gone(A), entry(B, "10.9.0.2/32")]));
  assertEquals(tableOf(world), { 2: ["10.9.0.2/32"] });
});

test("a registry that says nothing takes nothing away", () => {
  const world = follow(EMPTY, scene(EMPTY, [entry(A, "10.9.0.2/32"), entry(B, "10.9.0.3/32")]));
  assertEquals(planRoster(scene(world, [])).steps, []);
  assertEquals(planRoster(scene(world, [entry(B, "10.9.0.3/32")])).steps, []);
});

test("who isn't there in all there is was taken away, unless a registry has lost its memory", () => {
  const world = follow(EMPTY, scene(EMPTY, [entry(A, "10.9.0.2/32"), entry(B, "10.9.0.3/32")]));
  const isComplete = true;
  const me = entry(OWN, "10.9.0.1/32");
  const rest = [me, entry(B, "10.9.0.3/32")];
  assertEquals(planRoster(scene(world, rest)).steps, []);
  const plan = planRoster(scene(world, rest, { isComplete }));
  assertEquals(plan.steps, [{ kind: "remove", publicKey: A }]);
  assertEquals(planRoster(scene(world, [], { isComplete })).steps, []);
  assertEquals(planRoster(scene(world, [entry(C, "10.9.0.4/32")], { isComplete })).steps.length, 1);
});

test("who was added by hand stays when a registry takes that key away, and keeps what is its own", () => {
  const world: World = { peers: [peer(A, "10.9.0.2/32")], given: NOTHING_GIVEN };
  assertEquals(planRoster(scene(world, [gone(A)])).steps, []);
  const more = follow(world, scene(world, [entry(A, "10.9.0.2/32", "10.50.0.0/24")]));
  assertEquals(tableOf(more), { 1: ["10.50.0.0/24", "10.9.0.2/32"] });
  assertEquals(tableOf(follow(more, scene(more, [gone(A)]))), { 1: ["10.9.0.2/32"] });
});

test("what the settings say of a peer wins", () => {
  const world: World = { peers: [peer(A, "10.9.0.2/32")], given: NOTHING_GIVEN };
  const configured = new Map([[A, ["10.9.0.2/32", "10.60.0.0/24"]]]);
  const entries = [entry(A, "10.9.0.99/32"), entry(B, "10.60.0.7/32"), entry(C, "10.9.0.4/32")];
  const plan = planRoster(scene(world, entries, { configured }));
  assertEquals(plan.steps.map((each) => [each.kind, each.publicKey]), [["add", C]]);
  assertEquals(plan.refused.map(({ prefix }) => prefix), ["10.60.0.7/32"]);
  // A peer that was given, and stands in the settings since.
  const given = follow(EMPTY, scene(EMPTY, [entry(A, "10.9.0.2/32")]));
  assertEquals(planRoster(scene(given, [gone(A)], { configured })).steps, []);
});

test("what must stay free is refused, with the reason", () => {
  const world: World = {
    peers: [peer(A, "10.20.0.0/16"), peer(B, "0.0.0.0/0")],
    given: NOTHING_GIVEN,
  };
  const whyOf = (prefix: string, bounds: Partial<RosterBounds> = {}) =>
    planRoster(scene(world, [entry(C, prefix)], { bounds: { ...BOUNDS, ...bounds } }))
      .refused[0]?.why;
  const everywhere = { trusted: ["0.0.0.0/0", "::/0"] };
  assertEquals(whyOf("0.0.0.0/0", everywhere), "it would send everything through the tunnel");
  assertEquals(whyOf("::/0", everywhere), "it would send everything through the tunnel");
  assertEquals(whyOf("128.0.0.0/1", everywhere), "it would send everything through the tunnel");
  assert(whyOf("8.8.8.0/24")?.includes("trust-networks"));
  assertEquals(whyOf("8.8.8.0/24", everywhere), undefined);
  assertEquals(whyOf("10.77.0.0/24"), "a registry's address is in it");
  assertEquals(whyOf("10.78.0.0/24"), "a peer's endpoint is in it");
  assertEquals(whyOf("10.9.0.0/24"), "this host's address is in it");
  assertEquals(whyOf("192.168.1.77/32"), "a network of this host has addresses of it");
  assertEquals(whyOf("10.20.3.0/24"), `peer ${A} has addresses of it`);
  assertEquals(whyOf("10.20.0.0/15"), `peer ${A} has addresses of it`);
  // Who gets everything else has no part of it in particular.
  assertEquals(whyOf("10.21.0.0/24"), undefined);
});

test("what was let in stays when this host comes into a network that has the same addresses", () => {
  const world = follow(EMPTY, scene(EMPTY, [entry(A, "10.9.0.2/32")]));
  const bounds = { ...BOUNDS, networks: ["10.9.0.0/24"], endpoints: ["10.9.0.2"] };
  const plan = planRoster(
    scene(world, [entry(A, "10.9.0.2/32"), entry(B, "10.9.0.3/32")], { bounds }),
  );
  assertEquals(plan.steps, []);
  assertEquals(plan.refused.map(({ entry }) => entry.publicKey), [B]);
});

test("what a roster has given one peer, it gives no other as well, in whatever order it says so", () => {
  const first = [entry(A, "10.9.0.2/32"), entry(B, "10.20.0.0/16")];
  let world = follow(EMPTY, scene(EMPTY, first));
  // Another registry: C has something of its own, stands before the others, and wants theirs.
  const third = entry(C, "10.9.0.2/32", "10.20.5.0/24", "10.20.0.0/15", "10.60.0.0/24");
  for (let i = 0; i < 3; i++) {
    const now = scene(world, [third, ...first]);
    assertEquals(planRoster(now).refused.map(({ prefix }) => prefix), third.allowedIps.slice(0, 3));
    world = follow(world, now);
  }
  assertEquals(tableOf(world), { 1: ["10.9.0.2/32"], 2: ["10.20.0.0/16"], 3: ["10.60.0.0/24"] });
  // Once it is free, it is given.
  const freed = [third, gone(A), entry(B, "10.30.0.0/16")];
  world = follow(world, scene(world, freed));
  assertEquals(tableOf(world), { 2: ["10.30.0.0/16"], 3: third.allowedIps.toSorted() });
});

test("who has addresses of a prefix is found among many", () => {
  const bits = fc.constantFrom("0", "1", "128", "192", "255");
  const ipv4 = fc.tuple(bits, bits, fc.integer({ min: 8, max: 32 }))
    .map(([a, b, length]) => normalizePrefix(`10.${a}.0.${b}/${length}`));
  const ipv6 = fc.tuple(bits, bits, fc.integer({ min: 0, max: 128 }))
    .map(([a, b, length]) => normalizePrefix(`fd00:${a}:${b}::1/${length}`));
  const prefix = fc.oneof(ipv4, ipv6);
  fc.assert(fc.property(
    fc.array(fc.tuple(prefix, fc.constantFrom("a", "b", "c"))),
    prefix,
    (all, asked) => {
      const owners = new PrefixOwners();
      for (const [each, owner] of all) owners.set(each, owner);
      const wanted = new Map(all);
      const hits = [...wanted].filter(([each, owner]) => {
        const [one, other] = [new IpPrefix(each), new IpPrefix(asked)];
        return owner !== "a" && (one.covers(other) || other.covers(one));
      });
      const found = owners.otherThan("a", asked);
      assert(hits.length === 0 ? found === undefined : hits.some(([, owner]) => owner === found));
    },
  ));
});

test("what is reached through a hub goes to the hub, and at the hub is a peer of its own", () => {
  const phone = { ...entry(B, "10.9.0.7/32"), via: A };
  const spoke = follow(EMPTY, scene(EMPTY, [entry(A, "10.9.0.2/32"), phone]));
  assertEquals(tableOf(spoke), { 1: ["10.9.0.2/32", "10.9.0.7/32"] });
  const shrunk = follow(spoke, scene(spoke, [entry(A, "10.9.0.2/32"), gone(B)]));
  assertEquals(tableOf(shrunk), { 1: ["10.9.0.2/32"] });
  const atHub = planRoster(scene(EMPTY, [{ ...phone, via: OWN }]));
  assertEquals(atHub.steps.map((each) => each.kind === "add" && [each.publicKey, each.isGuest]), [
    [B, true],
  ]);
  // A hub that the settings have, or that nobody knows.
  const own: World = { peers: [peer(A, "10.9.0.2/32")], given: NOTHING_GIVEN };
  const configured = new Map([[A, ["10.9.0.2/32"]]]);
  const byOwn = follow(own, scene(own, [entry(A, "10.9.0.50/32"), phone], { configured }));
  assertEquals(tableOf(byOwn), { 1: ["10.9.0.2/32", "10.9.0.7/32"] });
  assertEquals(
    tableOf(follow(byOwn, scene(byOwn, [entry(A), gone(B)], { configured }))),
    { 1: ["10.9.0.2/32"] },
  );
  const [refusal] = planRoster(scene(EMPTY, [phone])).refused;
  assertEquals([refusal?.entry.publicKey, refusal?.prefix], [B, undefined]);
});

test("of several registries, the one that is named first is believed", () => {
  const rosterOf = (...entries: RosterEntry[]) => ({
    revision: 1,
    isComplete: true,
    entries: new Map(entries.map((each) => [each.publicKey, each])),
  });
  const first = rosterOf(entry(A, "10.9.0.2/32"), gone(C));
  const second = rosterOf(gone(A), entry(B, "10.9.0.3/32"), entry(C, "10.9.0.4/32"));
  const merged = mergeRosters([first, second]);
  assertEquals([...merged.values()].map(({ publicKey, isGone }) => [publicKey, isGone]), [
    [A, false],
    [C, true],
    [B, false],
  ]);
});

/** The same with a list: assertions compare sets with what QuickJS doesn't have. */
function listed({ peers, routes }: Given) {
  return { peers, routes: [...routes].sort() };
}

test("the note of what was given reads back, and counts for that interface alone", () => {
  const { given } = follow(EMPTY, scene(EMPTY, [entry(A, "10.9.0.2/32"), entry(B, "10.9.0.3/32")]));
  const all = { peers: given.peers, routes: new Set(["10.9.0.2/32"]) };
  const text = formatGiven(all, 7);
  assertEquals(listed(parseGiven(text, 7)), listed(all));
  assertEquals(listed(parseGiven(text, 8)), listed(NOTHING_GIVEN));
  assertEquals(listed(parseGiven(text, undefined)), listed(NOTHING_GIVEN));
});

test("who came to wg-quick's file by join goes, and changes, as the registry says; others stay", () => {
  const phone = { ...entry(C, "10.9.0.4/32"), via: A };
  const known = [entry(A, "10.9.0.2/32", "10.60.0.0/24"), entry(B, "10.9.0.3/32"), phone];
  const { steps } = planRoster(scene(EMPTY, known));
  const { peers } = follow(EMPTY, scene(EMPTY, known));
  const note = formatGiven(givenByFile(steps, ["10.9.0.1/24"]), undefined);
  const given = parseGiven(note, undefined);
  // What is in the tunnel's own network has no route of its own.
  assertEquals([...given.routes], ["10.60.0.0/24"]);
  // Somebody has added another to the file, and a prefix to one of these.
  const byHand = peer(D, "10.70.0.0/24");
  const [first, ...others] = peers;
  const more = { ...first!, allowedIps: [...first!.allowedIps, "10.61.0.0/24"] };
  const world: World = { peers: [more, ...others, byHand], given };
  assertEquals(planRoster(scene(world, known)).steps, []);
  const after = (entries: readonly RosterEntry[], isComplete = false) =>
    tableOf(follow(world, scene(world, entries, { isComplete })));
  const hand = { 4: ["10.70.0.0/24"] };
  const kept = ["10.60.0.0/24", "10.61.0.0/24", "10.9.0.2/32"];
  assertEquals(after([known[0]!, gone(B), gone(C), gone(D)]), { 1: kept, ...hand });
  assertEquals(after([gone(A), known[1]!, gone(C)]), { 2: ["10.9.0.3/32"], ...hand });
  // All there is, after those that were taken away are forgotten.
  assertEquals(after([entry(OWN, "10.9.0.1/32"), known[0]!], true), { 1: kept, ...hand });
  // The registry is silent, or has lost its memory: all stays.
  assertEquals(planRoster(scene(world, [], { isComplete: true })).steps, []);
});

test("a note that somebody has damaged is none, or says less", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    assertEquals(parseGiven(text, 7).peers.size, 0);
  }));
});

const PREFIXES = [
  "10.9.0.2/32",
  "10.9.0.3/32",
  "10.9.0.4/32",
  "10.9.0.0/24",
  "10.9.0.0/30",
  "10.20.0.0/16",
  "10.20.5.0/24",
  "10.77.0.0/24",
  "10.78.0.0/16",
  "192.168.1.0/25",
  "0.0.0.0/0",
  "0.0.0.0/1",
  "::/0",
  "fd00::/8",
  "fd00:1::5/128",
  "8.8.8.8/32",
];
const prefixes = fc.uniqueArray(fc.constantFrom(...PREFIXES), { maxLength: 3 });
const key = fc.constantFrom(A, B, C, D);
const entries = fc.uniqueArray(
  fc.record({
    publicKey: fc.constantFrom(...KEYS),
    name: fc.constant("name"),
    allowedIps: prefixes,
    via: fc.option(fc.constantFrom(...KEYS), { nil: undefined, freq: 4 }),
    isGone: fc.boolean(),
  }),
  { selector: ({ publicKey }) => publicKey },
);
/** What was set by hand: an address is one peer's. */
const byHand = fc.dictionary(key, prefixes, { maxKeys: 2 }).map((all) => {
  const taken = new Set<string>();
  return Object.entries(all).map(([publicKey, ips]) =>
    peer(publicKey, ...ips.filter((ip) => !taken.has(ip) && taken.add(ip)))
  );
});
const configured = fc.dictionary(key, prefixes, { maxKeys: 1 })
  .map((all) => new Map(Object.entries(all)));

test("whatever registries say: nothing is taken from a peer that is not theirs, nor led astray", () => {
  fc.assert(
    fc.property(
      byHand,
      configured,
      fc.array(fc.tuple(entries, fc.boolean(), fc.boolean()), { maxLength: 4 }),
      (peers, configured, all) => {
        let world: World = { peers, given: NOTHING_GIVEN };
        for (const [roster, isComplete, isTold] of all) {
          const now = scene(world, roster, {
            configured,
            isComplete,
            isTold: isTold || isComplete,
          });
          const knowsUs = roster.some(({ publicKey, isGone }) => publicKey === OWN && !isGone);
          for (const step of planRoster(now).steps) {
            const before = world.peers.find(({ publicKey }) => publicKey === step.publicKey);
            const given = world.given.peers.get(step.publicKey);
            assert(step.publicKey !== OWN);
            if (step.kind === "remove") {
              assert(given?.isWhole, "somebody was taken away whom no roster gave");
              const isSaid = now.roster.has(step.publicKey) || isComplete && knowsUs;
              assert(isSaid, "somebody was taken away without a word");
              continue;
            }
            for (const ip of step.allowedIps) {
              if (before?.allowedIps.includes(ip)) continue;
              assert(isNarrow(ip), `${ip} leads everything into the tunnel`);
              const prefix = new IpPrefix(ip);
              for (const free of [...BOUNDS.registries, ...BOUNDS.endpoints, "10.9.0.1"]) {
                assert(!prefix.covers(new IpPrefix(free)), `${ip} covers ${free}`);
              }
            }
          }
          world = follow(world, now);
          // What was there by hand is there, and whole.
          for (const { publicKey, allowedIps } of peers) {
            const after = world.peers.find((each) => each.publicKey === publicKey);
            assert(allowedIps.every((ip) => after?.allowedIps.includes(ip)), "something was taken");
          }
          const table = world.peers.flatMap(({ allowedIps }) => allowedIps);
          assertEquals(new Set(table).size, table.length);
          // Nothing is left to do: no plan undoes another.
          assertEquals(
            planRoster({
              ...now,
              device: { publicKey: OWN, peers: world.peers },
              given: world.given,
            }).steps,
            [],
          );
          const note = formatGiven(world.given, 1);
          assertEquals(listed(parseGiven(note, 1)), listed(world.given));
        }
      },
    ),
  );
});

test("who was revoked is gone, whatever came before, also after a restart", () => {
  fc.assert(fc.property(fc.array(entries, { maxLength: 3 }), (all) => {
    let world = EMPTY;
    for (const roster of all) world = follow(world, scene(world, roster));
    const given = parseGiven(formatGiven(world.given, 3), 3);
    const end = follow({ ...world, given }, scene({ ...world, given }, KEYS.map(gone)));
    assertEquals(end.peers, []);
  }));
});
