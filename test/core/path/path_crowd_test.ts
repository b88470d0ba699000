/** One host with many peers, and what strangers send it. */

import { assert, assertEquals } from "@std/assert";
import { PORTABLE } from "../../../lib/wire/crypto/portable.ts";
import { ExchangeKey } from "../../../lib/wire/crypto/exchange_key.ts";
import type { NatKind } from "../../../lib/core/ask/own_reach.ts";
import { DatagramBatch } from "../../../lib/core/net/datagram_batch.ts";
import type { Device } from "../../../lib/core/net/device.ts";
import type { HostPort } from "../../../lib/core/net/host_port.ts";
import { parseAddress } from "../../../lib/core/net/ip_address.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import type { Place } from "../../../lib/core/path/path.ts";
import type { FinderStep } from "../../../lib/core/path/finder_step.ts";
import { PathFinder } from "../../../lib/core/path/path_finder.ts";
import type { ToldPeer } from "../../../lib/core/path/path_step.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";

const PORT = 51820;
const HARD = { isOn: true, mappings: 256, probes: 1024, rate: 500 };

function keyOf(seed: number): ExchangeKey {
  const bytes = new Uint8Array(32);
  seededRandom(seed)(bytes);
  return new ExchangeKey(bytes, PORTABLE);
}

/** A host of which nothing is answered. */
class Lone {
  readonly finder = new PathFinder(
    { relayOf: () => "auto", persistentKeepalive: 25, hard: HARD },
    seededRandom(7),
    PORTABLE,
  );
  readonly key: ExchangeKey;
  readonly told = new Map<string, ToldPeer>();
  mono = 0;
  present: string[] = [];
  endpoint: HostPort | undefined;
  isAlive = false;
  agreed = 0;

  constructor(key = keyOf(1000)) {
    this.key = key;
  }

  get now() {
    return { mono: this.mono, unix: 1.8e9 + this.mono };
  }

  get device(): Device {
    return {
      publicKey: formatKey(this.key.publicKey.bytes),
      listenPort: PORT,
      mark: 0,
      peers: this.present.map((publicKey) => ({
        publicKey,
        endpoint: this.endpoint,
        allowedIps: [],
        latestHandshake: 0,
        received: 0,
        sent: 0,
        persistentKeepalive: 25,
      })),
    };
  }

  /** There is a peer more. @returns Its public key. */
  meet(places: readonly Place[], nat: NatKind = "easy", relays: readonly HostPort[] = []): string {
    const publicKey = formatKey(keyOf(this.told.size + 1).publicKey.bytes);
    this.present.push(publicKey);
    this.told.set(publicKey, { places, nat, relays });
    return publicKey;
  }

  tell(): void {
    this.finder.tell(this.told, this.now);
    this.see();
  }

  see(): void {
    this.finder.see(this.device, () => this.isAlive, this.now);
  }

  /** All that is to be done until then, but for waits. */
  run(seconds: number): readonly FinderStep[] {
    const end = this.mono + seconds;
    const steps: FinderStep[] = [];
    for (;;) {
      const step = this.finder.next(this.now);
      switch (step.kind) {
        case "wait":
          if (step.until > end) {
            this.mono = end;
            return steps;
          }
          this.mono = Math.max(this.mono, step.until);
          break;
        case "agree":
          this.agreed++;
          this.finder.agree(this.key, this.now);
          break;
        case "read":
          this.see();
          steps.push(step);
          break;
        default:
          steps.push(step.kind === "send" ? { ...step, bytes: step.bytes.slice() } : step);
      }
      assert(steps.length < 100_000, "it never waits");
    }
  }

  hear(bytes: Uint8Array, from: HostPort, port = PORT): void {
    const batch = new DatagramBatch();
    batch.count = 1;
    batch.payloads.bytes.set(bytes);
    batch.lengths[0] = bytes.length;
    parseAddress(from.host, batch.sources, 0);
    batch.setSourcePort(0, from.port);
    this.finder.receive(batch, Uint16Array.of(port), PORT, this.now);
  }
}

function seenAt(n: number): readonly Place[] {
  return [{ endpoint: { host: "198.51.100.1", port: 1000 + n }, kind: "seen" }];
}

function bytesOf(steps: readonly FinderStep[]): number {
  return steps.filter((each) => each.kind === "send" && each.bytes.length === 1).length;
}

test("path: who goes while its ports are tried leaves the turn to others, and no port heard", () => {
  for (const how of ["removed", "forgotten"]) {
    const lone = new Lone();
    const first = lone.meet(seenAt(1));
    lone.finder.setOwn({ nat: "hard", seen: "203.0.113.1:5" });
    lone.tell();
    const heard = lone.run(1.8).filter(({ kind }) => kind === "hear");
    assertEquals(heard.length, 1);
    const next = lone.meet(seenAt(2));
    lone.present = [next];
    if (how === "removed") lone.tell();
    else {
      lone.finder.forget();
      lone.tell();
    }
    const steps = lone.run(5);
    assertEquals(steps.filter(({ kind }) => kind === "hear")[0], {
      kind: "hear",
      first: 0,
      count: 0,
    }, how);
    assertEquals(bytesOf(steps), 256, how);
    assert(first !== next);
  }
});

test("path: hundreds of ports are tried once, whichever of its mappings a registry names first", () => {
  const lone = new Lone();
  lone.meet(seenAt(1), "hard");
  let sent = 0;
  for (let i = 0; i < 300; i++) {
    lone.finder.setOwn({ nat: "easy", seen: `203.0.113.1:${5 + i % 2}` });
    const places = seenAt(1 + i % 3);
    for (const [key, told] of lone.told) lone.told.set(key, { ...told, places });
    lone.tell();
    sent += bytesOf(lone.run(10));
  }
  // Six pairs of mappings at most, and never twice within a minute.
  assert(sent <= 6 * 1024, `${sent}`);
});

test("path: nobody is probed often, however it is told of", () => {
  for (const isAlive of [true, false]) {
    for (const moves of [true, false]) {
      const lone = new Lone();
      const places = (second: number) =>
        Array.from({ length: 16 }, (_, i): Place => ({
          endpoint: { host: `192.0.2.${1 + i}`, port: moves ? 1000 + second : 1000 },
          kind: i === 0 ? "seen" : "lan",
        }));
      const publicKey = lone.meet(places(0));
      lone.endpoint = places(0)[0]!.endpoint;
      lone.isAlive = isAlive;
      lone.tell();
      let sent = 0;
      for (let second = 0; second < 600; second++) {
        if (moves) {
          lone.told.set(publicKey, { places: places(second), nat: "easy", relays: [] });
          lone.tell();
        }
        sent += lone.run(1).filter(({ kind }) => kind === "send").length;
      }
      assert(sent < 256 + 600 * 5.5, `${isAlive} ${moves}: ${sent}`);
    }
  }
});

test("path: of 300 peers, those that have nothing to do cost nothing", () => {
  const lone = new Lone();
  for (let i = 0; i < 300; i++) lone.meet(seenAt(i));
  lone.tell();
  lone.run(60);
  let visits = 0;
  for (const publicKey of lone.present) {
    const way = lone.finder.wayTo(publicKey)!;
    const next = way.next.bind(way);
    way.next = (mono) => {
      visits++;
      return next(mono);
    };
  }
  const steps = lone.run(60).length;
  assert(steps > 300, `${steps}`);
  assert(visits < 3 * steps, `${visits} for ${steps} steps`);
});

test("path: what strangers send is dropped, and leaves nothing behind", () => {
  const lone = new Lone();
  const publicKey = lone.meet(seenAt(1));
  lone.tell();
  const random = seededRandom(9);
  const probes = lone.run(3).flatMap((each) => each.kind === "send" ? [each.bytes] : []);
  assert(probes.length > 5);
  const way = lone.finder.wayTo(publicKey)!;
  const before = way.paths.length;
  for (let i = 0; i < 3000; i++) {
    const bytes = probes[i % probes.length]!.slice();
    // What it has sent itself comes back, with or without a change.
    if (i % 3 > 0) random(bytes.subarray(i % 3 === 1 ? 8 : 0));
    lone.hear(bytes, { host: `203.0.113.${i % 200}`, port: 1 + i });
    lone.hear(Uint8Array.of(0), { host: `203.0.113.${i % 200}`, port: 1 + i });
  }
  assertEquals(way.paths.length, before);
  assert(lone.finder.dropped >= 1000, `${lone.finder.dropped}`);
  assertEquals(lone.run(0), []);
});

test("path: a probe that is played back from everywhere gets few echoes, and moves nothing", () => {
  const lone = new Lone();
  const other = new Lone(keyOf(1));
  lone.meet(seenAt(1));
  other.present.push(lone.device.publicKey!);
  other.told.set(lone.device.publicKey!, { places: seenAt(2), nat: "easy", relays: [] });
  lone.tell();
  other.tell();
  const [probe] = other.run(1).flatMap((each) => each.kind === "send" ? [each.bytes] : []);
  lone.run(10);
  let echoes = 0;
  for (let i = 0; i < 5000; i++) {
    lone.hear(probe!, {
      host: i % 2 === 0 ? `203.0.113.${i % 200}` : `2001:db8::${i}`,
      port: 1 + i,
    });
    const steps = lone.run(0.001);
    assert(steps.every(({ kind }) => kind === "send"), "nothing is set");
    echoes += steps.length;
  }
  // 50 a second, and what is probed of what was met.
  assert(echoes < 50 * 6 + 5 * 20, `${echoes}`);
  const way = lone.finder.wayTo(lone.present[0]!)!;
  assert(way.paths.length <= 9, `${way.paths.length}`);
  // Its own place is probed all the same.
  const seen = lone.run(25).filter((each) => each.kind === "send" && each.to.port === 1001);
  assert(seen.length > 0);
});

test("path: who reads another private key than the interface's tries again soon", () => {
  const lone = new Lone();
  const publicKey = lone.meet(seenAt(1));
  lone.tell();
  assertEquals(lone.finder.next(lone.now).kind, "agree");
  // The interface was just given another one.
  lone.finder.agree(keyOf(77), lone.now);
  assertEquals(lone.finder.owns(publicKey, lone.now), false);
  lone.run(2);
  assertEquals([lone.agreed, lone.finder.owns(publicKey, lone.now)], [1, true]);
});
