import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { HostPort } from "../../../../lib/core/net/host_port.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { readLink } from "../../../../lib/core/roster/link.ts";
import { parseTunnelPrefix } from "../../../../lib/core/roster/prefix.ts";
import {
  readAdded,
  readChanged,
  readConfigured,
  readInvited,
  readListed,
} from "../../../../lib/core/roster/requests.ts";
import { RosterDesk } from "../../../../lib/core/roster/server/desk.ts";
import { DESK_WORDS, type DeskWord } from "../../../../lib/core/roster/server/desk_words.ts";
import type { SeenPeer } from "../../../../lib/core/roster/server/hub.ts";
import { Rosters } from "../../../../lib/core/roster/server/rosters.ts";
import { UserError } from "../../../../lib/core/settings/user_error.ts";
import { PORTABLE } from "../../../../lib/wire/crypto/portable.ts";
import { test } from "../../../testing.ts";

const UNIX = 1_800_000_000;
const SERVER_KEY = new Uint8Array(32).fill(7);
const VPS: HostPort = { host: "vps.example.com", port: 443 };
const OPEN: SeenPeer = {
  age: 5,
  endpoints: ["[2001:db8::9]:51820", "203.0.113.9:51820"],
  places: [{ kind: "lan", endpoint: "203.0.113.9:51820" }],
  nat: "easy",
};
const BEHIND: SeenPeer = { age: 7, endpoints: ["198.51.100.4:7"], places: [], nat: "easy" };
const HARD: SeenPeer = { age: 7, endpoints: ["198.51.100.5:7"], places: [], nat: "hard" };

/** A registry that can be asked. */
class Scene {
  readonly rosters = new Rosters(SERVER_KEY, PORTABLE, 5);
  readonly seen = new Map<string, SeenPeer>();
  groups: number[] = [0];
  address: HostPort | undefined = VPS;
  own: string[] = [];
  #drawn = 100;
  #now = UNIX;

  constructor(network: readonly string[] = ["10.9.0.0/24"]) {
    if (network.length > 0) {
      this.rosters.of(0).setNetworks(network.map((text) => parseTunnelPrefix(text)!));
    }
  }

  ask(word: DeskWord, body?: unknown): object {
    const desk = new RosterDesk({
      rosters: this.rosters,
      random: (bytes) => bytes.fill(++this.#drawn),
      groupIds: () => this.groups,
      seen: (_, key) => this.seen.get(formatKey(key)),
      publicAddress: () => this.address,
      port: () => 1224,
      ownAddresses: () => this.own,
    });
    return desk.answer(word, body, this.#now);
  }

  refusal(word: DeskWord, body?: unknown): string {
    const error = assertThrows(() => this.ask(word, body), UserError);
    assert(error instanceof UserError && !error.message.includes("\n"));
    return error.message;
  }

  pass(seconds: number): void {
    this.#now += seconds;
  }

  /** Joins with a link. */
  join(link: string, fill: number): string {
    const { token } = readLink(link);
    const invitation = this.rosters.invitations.list()
      .find((each) => formatKey(each.token) === formatKey(token));
    assert(invitation !== undefined);
    return this.rosters.join(invitation, keyOf(fill), this.#now).result;
  }
}

function keyOf(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}

test("desk: an invitation has a link, the next free address, and what was asked for", () => {
  const scene = new Scene(["10.9.0.0/24", "fd09::/64"]);
  scene.own = ["10.9.0.1", "192.0.2.1", "fd09::1"];
  const body = { name: "laptop", prefixes: ["192.168.4.0/24"], lifetime: 60 };
  const invited = readInvited(scene.ask("invite", body));
  const { link, ...rest } = invited;
  assertEquals(rest, {
    group: 0,
    name: "laptop",
    addresses: ["10.9.0.2/24", "fd09::2/64"],
    prefixes: ["192.168.4.0/24"],
    uses: 1,
    ends: UNIX + 60,
    network: ["10.9.0.0/24", "fd09::/64"],
    isNewNetwork: false,
  });
  assertEquals(readLink(link), {
    ...VPS,
    serverKey: SERVER_KEY,
    token: new Uint8Array(16).fill(101),
  });
  const second = readInvited(scene.ask("invite", { name: "b", server: "[2001:db8::1]" }));
  assertEquals(second.addresses, ["10.9.0.3/24", "fd09::3/64"]);
  assertMatch(second.link, /^wgsig:\/\/\[2001:db8::1\]:1224\//);
  const third = readInvited(scene.ask("invite", { name: "c", addresses: ["10.9.0.77"] }));
  assertEquals(third.addresses, ["10.9.0.77/24"]);
});

test("desk: the first invitation draws a network, and not where peers are in another", () => {
  const scene = new Scene([]);
  assertMatch(scene.refusal("invite", { name: "x", addresses: ["10.0.0.1"] }), /no network yet/);
  const first = readInvited(scene.ask("invite", { name: "laptop" }));
  assertEquals(first.isNewNetwork, true);
  assertMatch(first.network.join(), /^10\.\d+\.\d+\.0\/24$/);
  const second = readInvited(scene.ask("invite", { name: "phone" }));
  assertEquals([second.isNewNetwork, second.network], [false, first.network]);
  const other = new Scene([]);
  other.ask("add", { name: "hub", publicKey: formatKey(keyOf(2)), prefixes: ["10.1.1.1/32"] });
  assertMatch(other.refusal("invite", { name: "x" }), /hub: 10\.1\.1\.1\/32.*set "network"/);
});

test("desk: what can't be is refused on a line that says why", () => {
  const scene = new Scene();
  const [alice, bob] = [formatKey(keyOf(2)), formatKey(keyOf(3))];
  scene.ask("add", { name: "alice", publicKey: alice, prefixes: ["10.9.0.2/32"] });
  scene.ask("invite", { name: "laptop", addresses: ["10.9.0.9"] });
  const wrong: [RegExp, DeskWord, object][] = [
    [/the name alice is taken by a peer of group 0 \(10\.9\.0\.2\/32, key AgIC/, "invite", {
      name: "alice",
    }],
    [/laptop is invited already/, "invite", { name: "laptop" }],
    [/name: expected a name of at most 63/, "invite", { name: "a\u0000b" }],
    [/without name/, "invite", {}],
    [/10\.9\.0\.2\/32 overlaps .* of alice/, "invite", { name: "x", addresses: ["10.9.0.2"] }],
    [/10\.9\.0\.9\/32 is reserved for laptop/, "invite", { name: "x", addresses: ["10.9.0.9"] }],
    [/10\.8\.0\.2 is outside of the network of group 0: 10\.9\.0\.0\/24/, "invite", {
      name: "x",
      addresses: ["10.8.0.2"],
    }],
    [/10\.9\.0\.0 is the network itself/, "invite", { name: "x", addresses: ["10.9.0.0"] }],
    [/nonsense is no IP prefix/, "invite", { name: "x", addresses: ["nonsense"] }],
    [/has no group 5; it has group 0/, "invite", { name: "x", group: 5 }],
    [/lifetime: expected more than 0/, "invite", { name: "x", lifetime: 0 }],
    [/uses: expected a whole number/, "invite", { name: "x", uses: 0 }],
    [/no link can name the server \$\(x\):1224/, "invite", { name: "x", server: "$(x)" }],
    [/no link can name the server/, "invite", { name: "x", server: "a:b:c" }],
    [/in the roster already, as alice/, "add", { name: "x", publicKey: alice }],
    [/overlaps/, "add", { name: "x", publicKey: bob, prefixes: ["10.9.0.0/30"] }],
    [/10\.9\.0\.9\/32 is reserved for laptop/, "add", {
      name: "x",
      publicKey: bob,
      prefixes: ["10.9.0.9/32"],
    }],
    [/no peer nobody/, "add", { name: "x", publicKey: bob, via: "nobody" }],
    [/publicKey: expected a WireGuard public key/, "add", { name: "x", publicKey: "5" }],
    [/no peer nobody/, "rename", { name: "nobody", to: "x" }],
    [/laptop is invited already/, "rename", { name: "alice", to: "laptop" }],
    [/no peer and no open invitation with the name nobody/, "forget", { name: "nobody" }],
    [/no peer and no open invitation/, "revoke", { name: "nobody" }],
    [/unknown key "nam" \(did you mean "name"\?\)/, "forget", { nam: "x" }],
  ];
  for (const [message, word, body] of wrong) assertMatch(scene.refusal(word, body), message);
  scene.address = undefined;
  assertMatch(scene.refusal("invite", { name: "x" }), /wgsig invite x --server HOST/);
  scene.groups = [0, 7];
  assertMatch(scene.refusal("invite", { name: "x" }), /has groups 0, 7; say which: --group 0/);
});

test("desk: the list has peers and invitations, however they stand, and no token", () => {
  const scene = new Scene();
  const link = (body: object) => readInvited(scene.ask("invite", body)).link;
  const [used, ended, revoked, open] = [
    link({ name: "used" }),
    link({ name: "ended", lifetime: 5 }),
    link({ name: "revoked" }),
    link({ name: "open", uses: 3 }),
  ];
  assertEquals([scene.join(used, 2), scene.join(used, 3), scene.join(open, 4)], [
    "joined",
    "used",
    "joined",
  ]);
  scene.ask("revoke", { name: "revoked" });
  scene.pass(6);
  assertEquals([scene.join(ended, 5), scene.join(revoked, 5)], ["ended", "revoked"]);
  scene.seen.set(formatKey(keyOf(2)), BEHIND);
  const answer = scene.ask("list");
  const listed = readListed(answer);
  assertEquals(listed.unix, UNIX + 6);
  const [group] = listed.groups;
  assertEquals(group?.network, ["10.9.0.0/24"]);
  assertEquals(group?.peers, [
    {
      name: "open",
      publicKey: formatKey(keyOf(4)),
      prefixes: ["10.9.0.4/32"],
      via: null,
      age: null,
    },
    { name: "used", publicKey: formatKey(keyOf(2)), prefixes: ["10.9.0.1/32"], via: null, age: 7 },
  ]);
  assertEquals(group?.invitations.map(({ name, state, used }) => [name, state, used]), [
    ["used", "used", 1],
    ["ended", "ended", 0],
    ["revoked", "revoked", 0],
    ["open", "open", 1],
  ]);
  const text = JSON.stringify(answer);
  for (const each of [used, ended, revoked, open]) {
    assertEquals(text.includes(each.slice(-20)), false);
    assertEquals(text.includes(formatKey(readLink(each).token)), false);
  }
  assertEquals(readListed(scene.ask("list", { group: 0 })), listed);
  assertMatch(scene.refusal("list", { group: 9 }), /no group 9/);
});

test("desk: peers are renamed, forgotten and revoked", () => {
  const scene = new Scene();
  const roster = scene.rosters.of(0);
  const publicKey = formatKey(keyOf(2));
  assertEquals(readAdded(scene.ask("add", { name: "alice", publicKey })), {
    group: 0,
    name: "alice",
    prefixes: [],
    via: null,
  });
  const done = { group: 0, name: "ann", peer: true, invitations: 0 };
  assertEquals(readChanged(scene.ask("rename", { name: "alice", to: "ann" })), done);
  assertEquals(readChanged(scene.ask("forget", { name: "ann" })), done);
  assertEquals([roster.count, roster.revokedKeys.length], [0, 0]);
  scene.ask("add", { name: "ann", publicKey });
  assertEquals(readChanged(scene.ask("revoke", { name: "ann" })), done);
  assertEquals([roster.count, roster.revokedKeys.map(formatKey)], [0, [publicKey]]);
  assertEquals(readListed(scene.ask("list")).groups[0]?.refused, [publicKey]);
  // Whoever is added again is let in again, and whoever has no name is shut out by its key.
  scene.ask("add", { name: "ann", publicKey });
  assertEquals(roster.revokedKeys, []);
  assertEquals(readChanged(scene.ask("revoke", { name: publicKey })), done);
  const stranger = formatKey(keyOf(9));
  assertEquals(readChanged(scene.ask("revoke", { name: stranger })).peer, true);
  assertEquals(roster.revokedKeys.map(formatKey), [publicKey, stranger]);
  assertMatch(scene.refusal("forget", { name: stranger }), /no peer/);
  // An invitation of the same name goes with the peer.
  scene.ask("invite", { name: "bob" });
  assertEquals(readChanged(scene.ask("forget", { name: "bob" })), {
    group: 0,
    name: "bob",
    peer: false,
    invitations: 1,
  });
});

test("desk: no peer of a link for several is given an address of this host", () => {
  const scene = new Scene();
  scene.own = ["10.9.0.1", "10.9.0.3"];
  const { link } = readInvited(scene.ask("invite", { name: "n", uses: 3 }));
  assertEquals([2, 3, 4].map((fill) => scene.join(link, fill)), ["joined", "joined", "joined"]);
  const given = scene.rosters.of(0).entries().map(({ prefixes: [first] }) => [...first!.address]);
  assertEquals(given.map((bytes) => bytes[3]), [2, 4, 5]);
});

test("desk: who is revoked doesn't come again with another key by a link for several", () => {
  const scene = new Scene();
  const { link } = readInvited(scene.ask("invite", { name: "team", uses: 5 }));
  assertEquals([2, 3].map((fill) => scene.join(link, fill)), ["joined", "joined"]);
  scene.ask("rename", { name: "team", to: "ann" });
  // Who is merely forgotten takes the link with it only where that has its name.
  assertEquals(readChanged(scene.ask("forget", { name: "ann" })).invitations, 0);
  assertEquals(scene.join(link, 4), "joined");
  assertEquals(readChanged(scene.ask("revoke", { name: "team-2" })), {
    group: 0,
    name: "team-2",
    peer: true,
    invitations: 1,
  });
  assertEquals([3, 5].map((fill) => scene.join(link, fill)), ["revoked", "revoked"]);
});

test("desk: a peer is reached through one that is reached by itself, and has no default route", () => {
  const scene = new Scene();
  const add = (name: string, fill: number, via?: string, prefixes: string[] = []) => {
    return {
      name,
      publicKey: formatKey(keyOf(fill)),
      prefixes,
      ...via === undefined ? {} : { via },
    };
  };
  scene.ask("add", add("hub", 2));
  scene.ask("add", add("phone", 3, "hub"));
  assertMatch(scene.refusal("add", add("watch", 4, "phone")), /reached via another one itself/);
  const wide = ["0.0.0.0/0", "128.0.0.0/1", "::/0", "fc00::/7"];
  for (const each of wide) {
    assertMatch(scene.refusal("add", add("wide", 5, undefined, [each])), /everything to one peer/);
    assertMatch(scene.refusal("invite", { name: "w", prefixes: [each] }), /everything to one peer/);
  }
  const roster = scene.rosters.of(0);
  const via = roster.named("phone").key;
  assertThrows(() => roster.put({ ...roster.named("hub"), via }, UNIX), UserError);
  scene.ask("forget", { name: "hub" });
  scene.ask("add", add("watch", 4, "phone"));
});

test("desk: a phone is reached through the one peer that strangers reach", () => {
  const scene = new Scene();
  const body = { name: "phone", publicKey: formatKey(keyOf(20)) };
  assertMatch(scene.refusal("wg-conf", body), /no peer that a phone could be reached through/);
  const add = (name: string, fill: number, prefixes: string[], seen?: SeenPeer) => {
    scene.ask("add", { name, publicKey: formatKey(keyOf(fill)), prefixes });
    if (seen !== undefined) scene.seen.set(formatKey(keyOf(fill)), seen);
  };
  add("nas", 2, ["10.9.0.2/32", "192.168.4.0/24"], HARD);
  assertMatch(scene.refusal("wg-conf", body), /reaches no peer of group 0 by itself \(nas: /);
  assertMatch(scene.refusal("wg-conf", { ...body, via: "no" }), /no peer no to reach/);
  add("hub", 3, ["10.9.0.1/32"], OPEN);
  const configured = readConfigured(scene.ask("wg-conf", body));
  assertEquals(configured, {
    group: 0,
    name: "phone",
    prefixes: ["10.9.0.3/32"],
    via: "hub",
    addresses: ["10.9.0.3/24"],
    network: ["10.9.0.0/24"],
    isNewNetwork: false,
    hubKey: formatKey(keyOf(3)),
    endpoint: "203.0.113.9:51820",
    allowedIps: ["10.9.0.0/24", "192.168.4.0/24"],
    why: "it has that address itself, without a NAT",
  });
  const [phone] = readListed(scene.ask("list")).groups[0]!.peers.filter(({ via }) => via !== null);
  assertEquals([phone?.name, phone?.via], ["phone", "hub"]);
  const tablet = { name: "tablet", publicKey: formatKey(keyOf(21)) };
  assertMatch(scene.refusal("wg-conf", { ...tablet, via: "phone" }), /through another peer itself/);
  add("other", 4, [], OPEN);
  assertMatch(
    scene.refusal("wg-conf", tablet),
    /say which, of those without a NAT .*: --via hub, or --via other$/,
  );
  const named = { ...tablet, via: "nas", endpoint: "home.example.com:5555" };
  assertEquals(readConfigured(scene.ask("wg-conf", named)).endpoint, "home.example.com:5555");
  scene.ask("forget", { name: "tablet" });
  const hard = readConfigured(scene.ask("wg-conf", { ...tablet, via: "nas" }));
  assertEquals(hard.endpoint, "198.51.100.5:7");
  assertMatch(hard.why, /has to forward that port/);
});

test("desk: a hub on this host is reached where this host is", () => {
  const scene = new Scene();
  scene.ask("add", { name: "hub", publicKey: formatKey(keyOf(3)) });
  const local = { age: 1, endpoints: ["127.0.0.1:51820"], places: [], nat: "unknown" };
  scene.seen.set(formatKey(keyOf(3)), local);
  const body = { name: "phone", publicKey: formatKey(keyOf(20)) };
  assertEquals(readConfigured(scene.ask("wg-conf", body)).endpoint, "vps.example.com:51820");
  scene.address = undefined;
  const other = { name: "b", publicKey: formatKey(keyOf(21)) };
  assertMatch(scene.refusal("wg-conf", other), /by itself \(hub: /);
  assertMatch(
    scene.refusal("wg-conf", { ...other, via: "hub" }),
    /the registry sees it in its own network; say it: --endpoint/,
  );
  const forwarded = { ...HARD, places: [{ kind: "mapped", endpoint: "198.51.100.5:9" }] };
  scene.seen.set(formatKey(keyOf(3)), forwarded);
  const { endpoint, why } = readConfigured(scene.ask("wg-conf", other));
  assertEquals([endpoint, why], ["198.51.100.5:9", "its router forwards that port to it"]);
});

test("desk: a port that is only declared makes no hub of a peer behind a hard NAT", () => {
  const scene = new Scene();
  scene.ask("add", { name: "nas", publicKey: formatKey(keyOf(3)) });
  const places = [{ kind: "declared", endpoint: "198.51.100.5:51820" }];
  scene.seen.set(formatKey(keyOf(3)), { ...HARD, places });
  const body = { name: "phone", publicKey: formatKey(keyOf(20)) };
  assertMatch(scene.refusal("wg-conf", body), /reaches no peer of group 0 by itself \(nas: /);
  const { endpoint, why } = readConfigured(scene.ask("wg-conf", { ...body, via: "nas" }));
  assertEquals(endpoint, "198.51.100.5:51820");
  assertMatch(why, /NAT is hard, so its router has to forward that port/);
});

test("desk: a hub at the registry's own public address comes before peers behind NATs", () => {
  const scene = new Scene();
  const add = (name: string, fill: number, endpoint: string) => {
    scene.ask("add", { name, publicKey: formatKey(keyOf(fill)) });
    const seen = { age: 1, endpoints: [endpoint], places: [], nat: "easy" };
    scene.seen.set(formatKey(keyOf(fill)), seen);
  };
  add("home", 2, "203.0.113.21:51820");
  add("hub", 3, "203.0.113.10:51820");
  const body = { name: "phone", publicKey: formatKey(keyOf(20)) };
  scene.address = undefined;
  assertMatch(scene.refusal("wg-conf", body), /: --via home, or --via hub$/);
  scene.address = { host: "203.0.113.10", port: 1223 };
  const { via, endpoint, why } = readConfigured(scene.ask("wg-conf", body));
  assertEquals([via, endpoint], ["hub", "203.0.113.10:51820"]);
  assertEquals(why, "it is on this host, which strangers reach");
});

test("desk: whatever is asked is answered, or refused in words", () => {
  const name = fc.oneof(fc.constantFrom("a", "b", "c"), fc.string());
  const prefix = fc.oneof(
    fc.constantFrom("10.9.0.2/32", "10.9.0.0/28", "fd00::/64", "10.9.0.77"),
    fc.string(),
  );
  const body = fc.oneof(
    fc.record({
      group: fc.integer({ min: -1, max: 2 }),
      name,
      to: name,
      via: name,
      publicKey: fc.oneof(fc.nat(5).map((fill) => formatKey(keyOf(fill))), fc.string()),
      prefixes: fc.array(prefix, { maxLength: 18 }),
      addresses: fc.array(prefix, { maxLength: 3 }),
      uses: fc.integer(),
      lifetime: fc.double(),
      server: fc.string(),
      endpoint: fc.string(),
    }, { requiredKeys: [] }),
    fc.jsonValue(),
  );
  const request = fc.tuple(fc.constantFrom(...DESK_WORDS), body);
  fc.assert(fc.property(fc.array(request, { maxLength: 20 }), (requests) => {
    const scene = new Scene();
    for (const [word, each] of requests) {
      try {
        scene.ask(word, each);
      } catch (error) {
        assert(error instanceof UserError, String(error));
      }
    }
    const { peers, invitations } = readListed(scene.ask("list")).groups[0]!;
    const open = invitations.filter(({ state }) => state === "open");
    const names = [...peers, ...open].map(({ name }) => name);
    assertEquals(new Set(names).size, names.length);
    const all = [...peers, ...open.map((each) => ({ ...each, name: `${each.name}, invited` }))]
      .flatMap((each) =>
        "addresses" in each ? each.addresses.map((a) => a.replace(/\/.*/, "")) : []
      );
    assertEquals(new Set(all).size, all.length);
  }));
});
