/** Lists of peers that are signed: not read anew where nothing changed, and signed anew where it did. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { GroupPeers } from "../../../../lib/core/zone/server/group_peers.ts";
import {
  isSameKey,
  KeyList,
  LIST_IDENTITY_SIZE,
} from "../../../../lib/core/zone/server/key_list.ts";
import { KnownAllowedIps, type ZonePeers } from "../../../../lib/core/zone/server/peers.ts";

import { ZoneSelf } from "../../../../lib/core/zone/server/self.ts";
import type { Signing } from "../../../../lib/core/zone/server/signing.ts";
import { ZoneView } from "../../../../lib/core/zone/server/zone_view.ts";
import { WireBuffer } from "../../../../lib/wire/bytes/wire_buffer.ts";
import { addressBytes, queryBytes } from "../../../support/dns.ts";
import { checkSignatures, checkSigned, readSigned, setsOf } from "../../../support/dnssec.ts";
import { idOf } from "../../../support/fake_random.ts";
import { SIGNED_ZONE, SignedAnswers } from "../../../support/signed_answer.ts";
import { countingKey, zoneKey } from "../../../support/zone_keys.ts";
import { deviceOf, keyOf, mixedKeys, SceneGroup, snapshot } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const T0 = 1_800_000_000;
const PTR = 12;
const SERVICE = `_wireguard._udp.${SIGNED_ZONE}`;

/** Peers that say what they are told. */
class Told implements Pick<ZonePeers, "list" | "find"> {
  keys: readonly Uint8Array[] = [];

  find(key: WireBuffer, at: number): number {
    return this.keys.findIndex((each) => isSameKey(key, at, new WireBuffer(each), 0));
  }

  list(sink: KeyList): void {
    for (const key of this.keys) sink.add(new WireBuffer(key), 0);
  }
}

test("lists with the same identity have the same keys in the same order", () => {
  const lists = fc.array(fc.uniqueArray(fc.nat(5), { maxLength: 5 }), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(lists, { minLength: 1, maxLength: 3 }), (all) => {
      /** The keys of each identity. */
      const known = new Map<string, string>();
      for (const told of all) {
        const peers = new Told();
        const list = new KeyList([peers as unknown as ZonePeers]);
        let before: string | undefined;
        let identity = "";
        told.forEach((numbers, i) => {
          peers.keys = numbers.map(idOf);
          list.refresh(10 * i);
          const buffer = new WireBuffer(LIST_IDENTITY_SIZE);
          list.identify(0, 0, numbers.length, undefined, buffer);
          const text = numbers.join();
          // Nothing changed: then it is the same one.
          if (before === text) assertEquals(String(buffer.bytes), identity);
          before = text;
          identity = String(buffer.bytes);
          assertEquals(known.get(identity) ?? text, text);
          known.set(identity, text);
        });
      }
    }),
    { numRuns: 500 },
  );
});

test("an identity is another one with another prefix, count or key before the others", () => {
  const list = new KeyList([]);
  list.refresh(1);
  const own = new WireBuffer(idOf(1));
  const other = new WireBuffer(new Uint8Array(32));
  const identities = ([
    [0, 0, 5, undefined],
    [1, 1, 5, undefined],
    [1, 2, 5, undefined],
    [1, 2, 6, undefined],
    [1, 2, 6, own],
    [1, 2, 6, other],
  ] as const).map((each) => {
    const to = new WireBuffer(new Uint8Array(LIST_IDENTITY_SIZE).fill(7));
    list.identify(each[0], each[1], each[2], each[3], to);
    return String(to.bytes);
  });
  assertEquals(new Set(identities).size, identities.length);
});

/** A zone whose lists are signed. */
class SignedLists {
  readonly answers: SignedAnswers;
  readonly #view: ZoneView;
  #mono = 1;

  constructor(peers: readonly ZonePeers[], self?: ZoneSelf, isQuick = true, signing?: Signing) {
    const keys = isQuick ? [countingKey(1, 13, true)] : [zoneKey(1, 15)];
    this.answers = new SignedAnswers(keys, undefined, signing);
    this.answers.isQuick = isQuick;
    this.#view = new ZoneView({ labels: 2, peers, self, ttl: 0, views: 1 });
  }

  /** The instances that a list has, and how often something was signed for that. */
  ask(name = SERVICE): { readonly listed: number; readonly signed: number } {
    const before = this.answers.signing.counters.get("dns-signed");
    const query = new WireBuffer(queryBytes(name, PTR, { edns: { dnssecOk: true } }));
    this.#mono += 2;
    const now = { unix: T0, mono: this.#mono };
    const local = addressBytes("192.0.2.9");
    const path = { transport: "tcp" as const, source: local, sourceAt: 0, local, localAt: 0 };
    const bytes = this.answers.answerTo(query, { unix: T0 }, ({ writer, query: parsed }) => {
      assertEquals(this.#view.find(parsed, query, path, now), "present");
      assert(this.#view.answer(PTR, parsed, query, "tcp", now, writer));
    });
    assertEquals(checkSigned(bytes, this.answers.trust(T0)), "answer");
    const message = readSigned(bytes);
    checkSignatures(message, this.answers.trust(T0));
    const [set] = setsOf(message, "answer");
    return {
      listed: set!.length,
      signed: this.answers.signing.counters.get("dns-signed") - before,
    };
  }
}

function peerOf(key: string) {
  return { key, endpoint: "192.0.2.1:5" };
}

test("a list that hasn't changed is signed once, one that has is signed anew", () => {
  const keys = Array.from(mixedKeys(400), formatKey);
  const device = deviceOf(keys.slice(0, 300).map(peerOf));
  const lists = new SignedLists([device]);
  const letters = [SERVICE, `_a._sub.${SERVICE}`, `_A._Sub._WireGuard._udp.WG.example`];
  const first = letters.map((name) => lists.ask(name));
  assertEquals(first[0], { listed: 300, signed: 1 });
  assertEquals(first.map(({ signed }) => signed), [1, 1, 0]);
  for (const name of letters) assertEquals(lists.ask(name).signed, 0);
  // In another order: the same set.
  device.set(snapshot(keys.slice(0, 300).toReversed().map(peerOf)));
  for (const name of letters) assertEquals(lists.ask(name).signed, 0);
  device.set(snapshot(keys.slice(0, 301).map(peerOf)));
  assertEquals(lists.ask(), { listed: 301, signed: 1 });
  device.set(snapshot(keys.slice(1, 301).map(peerOf)));
  assertEquals(lists.ask(), { listed: 300, signed: 1 });
  device.set(snapshot(keys.slice(0, 300).map(peerOf)));
  assertEquals(lists.ask(), { listed: 300, signed: 0 });
});

test("of a list that doesn't fit, those that are given are signed", () => {
  const scene = new SceneGroup();
  let seconds = T0;
  const keys = [...mixedKeys(2000)];
  for (const key of keys) scene.see(key, "192.0.2.1:1", ++seconds);
  const lists = new SignedLists([new GroupPeers(scene.group, new KnownAllowedIps(new Map(), 1))]);
  const { listed, signed } = lists.ask();
  assert(listed > 850 && listed < 950, `${listed}`);
  // The list, and how many there are.
  assertEquals(signed, 2);
  assertEquals(lists.ask(), { listed, signed: 0 });
  // One of those that weren't given comes again: it is the newest now, and the oldest one goes.
  scene.see(keys[3]!, "192.0.2.1:1", ++seconds);
  assertEquals(lists.ask(), { listed, signed: 1 });
  // One of those that were given: the same ones in another order.
  scene.see(keys[1990]!, "192.0.2.1:1", ++seconds);
  assertEquals(lists.ask(), { listed, signed: 0 });
});

test("the device itself is in the list that is signed, or not", () => {
  const peers = [1, 2, 3].map((i) => peerOf(keyOf(i)));
  const device = deviceOf(peers, { publicKey: keyOf(9), listenPort: 51820 });
  const lists = new SignedLists([device], new ZoneSelf(device, { allowedIps: [] }), false);
  assertEquals(lists.ask(), { listed: 4, signed: 1 });
  assertEquals(lists.ask(), { listed: 4, signed: 0 });
  device.set(snapshot(peers, { publicKey: keyOf(9), listenPort: 0 }));
  assertEquals(lists.ask(), { listed: 3, signed: 1 });
  device.set(snapshot(peers, { publicKey: keyOf(8), listenPort: 51820 }));
  assertEquals(lists.ask(), { listed: 4, signed: 1 });
  device.set(snapshot(peers, { publicKey: keyOf(9), listenPort: 51820 }));
  assertEquals(lists.ask(), { listed: 4, signed: 0 });
});

test("two views' lists in one ring don't take one another's signatures", () => {
  const lists: SignedLists[] = [];
  for (const seed of [0, 5]) {
    const peers = Array.from({ length: 10 }, (_, i) => peerOf(keyOf(seed + i)));
    const signing = lists[0]?.answers.signing;
    lists.push(new SignedLists([deviceOf(peers)], undefined, true, signing));
  }
  const [a, b] = lists as [SignedLists, SignedLists];
  assertEquals([a.ask(), b.ask()], [{ listed: 10, signed: 1 }, { listed: 10, signed: 1 }]);
  assertEquals([a.ask(), b.ask()], [{ listed: 10, signed: 0 }, { listed: 10, signed: 0 }]);
});
