import { assert, assertEquals } from "@std/assert";
import type { Device, DevicePeer } from "../../../lib/core/net/device.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import type { QueryResult } from "../../../lib/core/query/query_result.ts";
import type { RosterEntry } from "../../../lib/core/roster/client/entry.ts";
import { type Given, NOTHING_GIVEN } from "../../../lib/core/roster/client/given.ts";
import { PRIVATE_NETWORKS } from "../../../lib/core/roster/client/private_networks.ts";
import { EXIT } from "../../../lib/core/settings/user_error.ts";
import { ActionQueue } from "../../../lib/core/sync/action_queue.ts";
import type { SyncAction, SyncResult } from "../../../lib/core/sync/actions.ts";
import { SyncNotes } from "../../../lib/core/sync/notes.ts";
import { type RosterOptions, SyncedRoster } from "../../../lib/core/sync/synced_roster.ts";
import { TunnelRoutes } from "../../../lib/core/sync/tunnel_routes.ts";
import { idOf } from "../../support/fake_random.ts";
import { test } from "../../testing.ts";
import { OPTIONS, START } from "./world.ts";

const NOW = { unix: START, mono: 5 };
const [OWN, A, B, C, D] = [1, 2, 3, 4, 5].map((i) => formatKey(idOf(i))) as [
  string,
  string,
  string,
  string,
  string,
];
const TRUSTING: RosterOptions = { ...OPTIONS, trustRegistry: { networks: PRIVATE_NETWORKS } };

function entry(publicKey: string, name: string, ...allowedIps: string[]): RosterEntry {
  return { publicKey, name, allowedIps, via: undefined, isGone: false };
}

function gone(publicKey: string): RosterEntry {
  return { ...entry(publicKey, ""), isGone: true };
}

/** Two registries. */
const TWO: RosterOptions = { ...TRUSTING, servers: [...TRUSTING.servers, ...TRUSTING.servers] };
/** As many as a registry remembers. */
const MANY_GONE = Array.from({ length: 4096 }, (_, i) => gone(formatKey(idOf(100 + i))));

let revision = 0;

/** What registries say; undefined is one that is silent, and of which nothing is remembered. */
function answerOf(...rosters: (readonly RosterEntry[] | undefined)[]): QueryResult {
  const servers = rosters.map((entries, i) => ({
    server: `registry${i}`,
    status: entries === undefined ? "no-answer" as const : "ok" as const,
    received: 1,
    expected: 1,
    ownEndpoint: undefined,
    address: `203.0.113.${i + 1}`,
    roster: entries && {
      revision: ++revision,
      isComplete: true,
      entries: new Map(entries.map((each) => [each.publicKey, each])),
    },
  }));
  return {
    servers,
    publicKey: OWN,
    port: 51_820,
    registered: true,
    peers: [],
    sightings: new Map(),
    unix: START,
    status: EXIT.ok,
    warnings: [],
    notes: [],
  };
}

/** An interface, a table of routes and a run folder, of which some may fail. */
class Host {
  peers = new Map<string, string[]>();
  routes = new Set<string>();
  given: Given = NOTHING_GIVEN;
  /** Peers that can't be set. */
  readonly broken = new Set<string>();
  readonly did: string[] = [];
  readonly queue = new ActionQueue();
  readonly notes = new SyncNotes();
  roster = this.#newRoster();

  #newRoster(): SyncedRoster {
    return new SyncedRoster(this.queue, this.notes, new TunnelRoutes(this.queue, this.notes));
  }

  /** `sync` is started anew. */
  restart(): void {
    this.roster = this.#newRoster();
  }

  look(answer: QueryResult, options: RosterOptions = TRUSTING): string[] {
    this.roster.take(answer, options);
    const device: Device = {
      publicKey: OWN,
      listenPort: 51_820,
      mark: 0,
      peers: [...this.peers].map(([publicKey, allowedIps]): DevicePeer => ({
        publicKey,
        endpoint: undefined,
        allowedIps,
        latestHandshake: 0,
        received: 0,
        sent: 0,
        persistentKeepalive: 0,
      })),
    };
    const around = {
      endpointOf: (key: string) => key === A ? { host: "198.51.100.7", port: 7 } : undefined,
      changed: () => {},
      replaces: false,
    };
    this.roster.apply(device, answer, options, around);
    for (;;) {
      const action = this.queue.next(NOW);
      if (action === undefined) break;
      this.queue.told(this.#do(action), NOW);
    }
    return this.notes.take().flatMap((note) =>
      note.kind === "change" || note.kind === "event"
        ? [[note.event, note.fields.name ?? "", note.fields.prefix ?? ""].join(" ").trim()]
        : []
    );
  }

  #do(action: SyncAction): SyncResult {
    this.did.push(action.kind);
    switch (action.kind) {
      case "read-given":
        return { kind: "given", given: this.given };
      case "keep-given":
        this.given = action.given();
        return { kind: "done" };
      case "read-networks":
        return { kind: "networks", addresses: ["10.9.0.1/24"], networks: ["192.168.1.0/24"] };
      case "remove-peer":
        this.peers.delete(action.publicKey);
        return { kind: "done" };
      case "set-peer":
        if (this.broken.has(action.publicKey)) {
          return { kind: "failed", error: undefined, why: "it is broken" };
        }
        this.peers.set(action.publicKey, [...action.allowedIps ?? []]);
        return { kind: "done" };
      case "find-tunnel-route": {
        // The tunnel's own network leads there already.
        const isThere = action.prefix.startsWith("10.9.0.") || this.routes.has(action.prefix);
        return { kind: "route", route: isThere ? action.prefix : undefined };
      }
      case "add-route":
        this.routes.add(action.prefix);
        return { kind: "done" };
      case "end-route":
        this.routes.delete(action.prefix);
        return { kind: "done" };
      default:
        throw new Error(`unexpected ${action.kind}`);
    }
  }

  get table(): Record<string, string[]> {
    return Object.fromEntries(this.peers);
  }
}

test("a roster's peers get onto the interface with their routes, and off it again", () => {
  const host = new Host();
  const two = [entry(OWN, "me", "10.9.0.1/32"), entry(A, "ann", "10.9.0.2/32", "10.50.0.0/24")];
  assertEquals(host.look(answerOf(two)), ["roster-peer-added ann", "route-added  10.50.0.0/24"]);
  assertEquals(host.table, { [A]: ["10.9.0.2/32", "10.50.0.0/24"] });
  assertEquals([...host.routes], ["10.50.0.0/24"]);
  assertEquals(host.look(answerOf(two)), []);
  const moved = [entry(A, "ann", "10.9.0.3/32"), entry(B, "bob", "10.50.0.0/24")];
  assertEquals(host.look(answerOf(moved)), [
    "roster-peer-changed ann",
    "roster-peer-added bob",
    "route-ended  10.50.0.0/24",
    "route-added  10.50.0.0/24",
  ]);
  assertEquals(host.look(answerOf([gone(A), gone(B)])), [
    "roster-peer-removed ann",
    "roster-peer-removed bob",
    "route-ended  10.50.0.0/24",
  ]);
  const { peers, routes } = host.given;
  assertEquals([host.table, [...host.routes], [...peers], [...routes]], [{}, [], [], []]);
});

test("a peer that can't be set stops no other, and is tried again", () => {
  const host = new Host();
  host.broken.add(A);
  const both = [entry(A, "ann", "10.9.0.2/32"), entry(B, "bob", "10.9.0.3/32")];
  const answer = answerOf(both);
  assertEquals(host.look(answer), ["roster-peer-added bob"]);
  assertEquals(host.look(answer), []);
  host.broken.clear();
  assertEquals(host.look(answer), ["roster-peer-added ann"]);
  // Nothing is read where all is as it was.
  host.look(answer);
  const before = host.did.length;
  host.look(answer);
  assertEquals(host.did.length, before);
});

test("a restart while the registry is away takes nothing away; who is gone then goes afterwards", () => {
  const host = new Host();
  host.peers.set(C, ["10.9.0.9/32"]);
  host.look(answerOf([entry(A, "ann", "10.9.0.2/32"), entry(B, "bob", "10.9.0.3/32")]));
  host.restart();
  assertEquals(host.look(answerOf(undefined)), []);
  assertEquals(Object.keys(host.table).length, 3);
  assertEquals(host.look(answerOf([gone(A), gone(C), entry(B, "bob", "10.9.0.3/32")])), [
    "roster-peer-removed",
  ]);
  assertEquals(host.table, { [C]: ["10.9.0.9/32"], [B]: ["10.9.0.3/32"] });
});

test("of two registries, one that is silent takes nobody away whom the other doesn't know", () => {
  const host = new Host();
  const me = entry(OWN, "me", "10.9.0.1/32");
  const [ann, bob] = [entry(A, "ann", "10.9.0.2/32"), entry(B, "bob", "10.9.0.3/32")];
  const two = TWO;
  host.look(answerOf([me, ann], [me, bob]), two);
  host.restart();
  assertEquals(host.look(answerOf([me, ann, ...MANY_GONE], undefined), two), []);
  assertEquals(host.look(answerOf([me, ann, ...MANY_GONE], [me]), two), []);
  const both = answerOf([me, ann, ...MANY_GONE], [me, ...MANY_GONE]);
  assertEquals(host.look(both, two), ["roster-peer-removed"]);
  assertEquals(Object.keys(host.table), [A]);
});

test("a refusal is told once, with its reason; a dry run changes nothing, and says what it would", () => {
  const host = new Host();
  const entries = [entry(A, "ann", "10.9.0.2/32", "192.168.1.0/24", "203.0.113.0/24")];
  const dry = host.look(answerOf(entries), { ...TRUSTING, dryRun: true });
  assertEquals(dry, [
    "roster-peer-refused ann 192.168.1.0/24",
    "roster-peer-refused ann 203.0.113.0/24",
    "roster-peer-added ann",
  ]);
  assertEquals(host.table, {});
  assert(!host.did.includes("keep-given"));
  assertEquals(host.look(answerOf(entries)), ["roster-peer-added ann"]);
});

test("without trust-registry, a roster means nothing", () => {
  const host = new Host();
  assertEquals(host.look(answerOf([entry(A, "ann", "10.9.0.2/32")]), OPTIONS), []);
  assertEquals(host.did, []);
  assertEquals(host.roster.keys, []);
});

test("a large roster is written down a few times, not once for each peer", () => {
  const host = new Host();
  const many = Array.from({ length: 2000 }, (_, i) => {
    const key = formatKey(idOf(100 + i));
    return entry(key, `n${i}`, `10.50.${i >> 8}.${i & 255}/32`);
  });
  host.look(answerOf([entry(OWN, "me", "10.9.0.1/32"), ...many]));
  assertEquals(host.peers.size, many.length);
  assertEquals([host.given.peers.size, host.given.routes.size], [many.length, many.length]);
  const kept = host.did.filter((kind) => kind === "keep-given").length;
  assert(kept <= 4, `${kept} times`);
});

test("names are remembered of those that are there, however many a registry makes up", () => {
  const host = new Host();
  const key = (i: number) => formatKey(idOf(100 + i));
  host.look(answerOf([entry(OWN, "me"), entry(key(0), "first", "10.50.0.1/32")]));
  for (let i = 1; i < 50; i++) host.look(answerOf([entry(OWN, "me"), entry(key(i), `n${i}`)]));
  assert(host.roster.remembered <= 4, `${host.roster.remembered} names`);
});

test("a route that was set is ended after a restart, too", () => {
  const host = new Host();
  const me = entry(OWN, "me", "10.9.0.1/32");
  host.look(answerOf([me, entry(A, "ann", "10.50.0.0/24")]));
  assertEquals([...host.given.routes], ["10.50.0.0/24"]);
  host.restart();
  host.look(answerOf([me, gone(A)]));
  assertEquals([host.peers.size, host.routes.size], [0, 0]);
});

test("a registry that has lost its state, and knows this host again, takes nobody away", () => {
  const host = new Host();
  const me = entry(OWN, "me", "10.9.0.1/32");
  const [ann, bob] = [entry(A, "ann", "10.9.0.2/32"), entry(B, "bob", "10.9.0.3/32")];
  host.look(answerOf([me, ann, bob]));
  host.restart();
  assertEquals(host.look(answerOf([me, ann, gone(C)])), []);
  assertEquals(Object.keys(host.table), [A, B]);
  // Whoever comes then is given an address anew that one of them has had.
  const cat = entry(D, "cat", "10.9.0.3/32");
  assertEquals(host.look(answerOf([me, ann, cat], undefined), TWO), [
    "roster-peer-refused cat 10.9.0.3/32",
  ]);
  assertEquals(host.look(answerOf([me, ann, cat])), [
    "roster-peer-changed",
    "roster-peer-added cat",
  ]);
  assertEquals(host.table, { [A]: ["10.9.0.2/32"], [B]: [], [D]: ["10.9.0.3/32"] });
  assertEquals(host.look(answerOf([me, ann, cat])), []);
  // Of so many that are gone, it may have forgotten one.
  assertEquals(host.look(answerOf([me, ann, cat, ...MANY_GONE])), ["roster-peer-removed"]);
});
