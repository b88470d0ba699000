/** Views of a zone: who sees which peers. */

import { assert, assertEquals } from "@std/assert";
import { decodeBase64 } from "@std/encoding/base64";
import fc from "fast-check";
import { COUNTER_NAMES, Counters } from "../../../../lib/core/net/counters.ts";
import type { ChosenKeys } from "../../../../lib/core/zone/server/chosen_keys.ts";
import { GroupPeers } from "../../../../lib/core/zone/server/group_peers.ts";
import { type DevicePeers, KnownAllowedIps } from "../../../../lib/core/zone/server/peers.ts";
import { ZoneSelf } from "../../../../lib/core/zone/server/self.ts";
import { Signing } from "../../../../lib/core/zone/server/signing.ts";
import { ZoneSigner } from "../../../../lib/core/zone/server/signer.ts";
import { type ViewRule, zoneViews } from "../../../../lib/core/zone/server/view_rules.ts";
import { Zone, type ZoneOptions } from "../../../../lib/core/zone/server/zone.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { addressBytes, DnsDriver, queryBytes, readReply } from "../../../support/dns.ts";
import { readSigned as readRecords } from "../../../support/dnssec.ts";
import { idOf } from "../../../support/fake_random.ts";
import { readSigned, signQuestion } from "../../../support/tsig.ts";
import { tsigKey } from "../../../support/tsig_vectors.ts";
import { countingKey } from "../../../support/zone_keys.ts";
import { deviceOf, instanceOf, keyOf, labelOf, SceneGroup } from "../../../support/zone_scene.ts";
import { test } from "../../../testing.ts";

const SERVICE = "_wireguard._udp.example.com";
const DIGITS = "abcdefghijklmnopqrstuvwxyz234567";
const SEED = 0x2468_ace1;
const T0 = 1_700_000_000;
const OPS = tsigKey("ops.example.com");
const OBS = tsigKey("obs.example.com");
/** Of another zone. */
const FOREIGN = tsigKey("ops.example.org");

/** The interface itself, and who is where; 4 and 5 are in two places, 6 in three. */
const OWN = 90;
const ON_DEVICE = [1, 2, 4, 6];
const IN_GROUP: Readonly<Record<number, readonly number[]>> = {
  7: [10, 11, 4, 5, 6],
  9: [20, 5, 6],
};
const EVERYONE = [1, 2, 4, 5, 6, 10, 11, 20, OWN];
const NOBODY = 77;

/** Where a source says that a peer is: another port for each source. */
function endpointOf(peer: number, source: number): string {
  return `203.0.113.${peer}:${50_000 + source}`;
}

class ViewScene {
  readonly device: DevicePeers = deviceOf(
    ON_DEVICE.map((peer) => ({ key: keyOf(peer), endpoint: endpointOf(peer, 0) })),
    { publicKey: keyOf(OWN), listenPort: 51_820 },
  );
  readonly groups: ReadonlyMap<number, SceneGroup> = new Map([7, 9].map((id) => {
    const group = new SceneGroup(100);
    IN_GROUP[id]!.forEach((peer, i) => group.see(idOf(peer), endpointOf(peer, id), T0 + i));
    return [id, group];
  }));
  readonly zone: Zone;
  readonly driver: DnsDriver;

  constructor(views: readonly Partial<ViewRule>[], options: Partial<ZoneOptions> = {}) {
    const known = new KnownAllowedIps(new Map([[keyOf(10), ["10.9.0.10"]]]), SEED);
    const sources = {
      interface: this.device,
      groups: new Map(
        [...this.groups].map(([id, { group }]) => [id, new GroupPeers(group, known)]),
      ),
    };
    const self = { endpoint: { host: "203.0.113.90", port: 51_820 }, allowedIps: ["10.9.0.90"] };
    const rules = views.map((said) => ({
      ...{ tsig: undefined, from: undefined, groups: undefined, peers: undefined },
      interface: undefined,
      ...said,
    }));
    const newSelf = (chosen: ChosenKeys | undefined) => new ZoneSelf(this.device, self, chosen);
    this.zone = new Zone({
      name: "example.com",
      peers: [],
      views: zoneViews(rules, sources, newSelf, SEED),
      keys: [OPS, OBS],
      ...options,
    });
    this.driver = new DnsDriver([
      this.zone,
      new Zone({ name: "example.org", peers: [this.device], keys: [FOREIGN] }),
    ]);
    this.driver.time = T0;
  }

  /** Whom the list shows to whoever asks from there. */
  listed(source?: string): number[] {
    const { rcode, answers } = this.driver.ask(SERVICE, "PTR", {
      transport: "tcp",
      ...source === undefined ? {} : { source },
    });
    assertEquals(rcode, 0);
    const labels = answers.map((record) => record.split(" ")[3]!.slice(0, 56));
    return labels.map((label) => EVERYONE.find((peer) => labelOf(keyOf(peer)) === label)!).sort(
      byNumber,
    );
  }
}

function byNumber(a: number, b: number): number {
  return a - b;
}

test("a view shows whom it names: groups, peers, the interface", () => {
  const cases: readonly (readonly [Partial<ViewRule>, readonly number[]])[] = [
    [{}, EVERYONE],
    [{ interface: true }, EVERYONE],
    [{ interface: false }, [4, 5, 6, 10, 11, 20]],
    [{ groups: [7] }, [4, 5, 6, 10, 11]],
    [{ groups: [9] }, [5, 6, 20]],
    [{ groups: [9, 7] }, [4, 5, 6, 10, 11, 20]],
    [{ groups: [], interface: true }, [1, 2, 4, 6, OWN]],
    [{ groups: [9], interface: true }, [1, 2, 4, 5, 6, 20, OWN]],
    [{ peers: [keyOf(1), keyOf(20), keyOf(NOBODY), keyOf(1)] }, [1, 20]],
    [{ peers: [keyOf(OWN)] }, [OWN]],
    [{ peers: [keyOf(NOBODY)] }, []],
    [{ groups: [9], peers: [keyOf(2), keyOf(10)] }, [2, 5, 6, 10, 20]],
    [{ peers: [keyOf(20)], interface: true }, [1, 2, 4, 6, 20, OWN]],
    [{ groups: [], peers: [keyOf(5)] }, [5]],
  ];
  for (const [rule, expected] of cases) {
    const scene = new ViewScene([rule]);
    const what = JSON.stringify(rule);
    assertEquals(scene.listed(), expected, what);
    const { driver } = scene;
    const count = driver.ask(SERVICE, "TXT").answers[0];
    assertEquals(count, `${SERVICE} 0 TXT "txtvers=1" "peers=${expected.length}"`, what);
    const parts = Array.from(DIGITS).map((digit) => {
      const name = `_${digit}._sub.${SERVICE}`;
      const { answers } = driver.ask(name, "PTR", { edns: {} });
      const said = driver.ask(name, "TXT").answers[0];
      assertEquals(said, `${name} 0 TXT "txtvers=1" "peers=${answers.length}"`);
      return answers.length;
    });
    assertEquals(parts.reduce((sum, count) => sum + count), expected.length, what);
    for (const peer of [...EVERYONE, NOBODY]) {
      const { rcode, answers } = driver.ask(instanceOf(peer), "SRV");
      assertEquals([rcode, answers.length], expected.includes(peer) ? [0, 1] : [3, 0], what);
    }
  }
});

test("of a peer in several places, what the first says counts that the view shows", () => {
  const portOf = (rule: Partial<ViewRule>, peer: number) =>
    new ViewScene([rule]).driver.ask(instanceOf(peer), "SRV").answers[0]?.split(" ")[5];
  assertEquals(portOf({}, 6), "50000");
  assertEquals(portOf({ groups: [7, 9] }, 6), "50007");
  assertEquals(portOf({ groups: [9] }, 6), "50009");
  assertEquals(portOf({ groups: [9], peers: [keyOf(6)] }, 6), "50000");
  assertEquals(portOf({ groups: [9], peers: [keyOf(5)] }, 5), "50007");
  const { additionals } = new ViewScene([{ peers: [keyOf(10)] }]).driver.ask(instanceOf(10), "SRV");
  assertEquals(additionals, [
    `${instanceOf(10)} 0 A 203.0.113.10`,
    `${instanceOf(10)} 0 TXT "txtvers=1" "pub=${keyOf(10)}" "allowed=10.9.0.10/32" "seen=${T0}"`,
  ]);
});

test("the first view that takes a question answers it; where none does, it is refused", () => {
  const scene = new ViewScene([
    { from: ["10.9.0.0/16"], groups: [7] },
    { from: ["10.0.0.0/8", "2001:db8::/32"], groups: [9] },
    { from: ["192.0.2.7"] },
  ]);
  assertEquals(scene.listed("10.9.0.1"), [4, 5, 6, 10, 11]);
  assertEquals(scene.listed("10.8.0.1"), [5, 6, 20]);
  assertEquals(scene.listed("2001:db8::7"), [5, 6, 20]);
  assertEquals(scene.listed("192.0.2.7"), EVERYONE);
  const { driver } = scene;
  for (const name of [SERVICE, "example.com", instanceOf(1), "x.example.com"]) {
    for (const type of ["PTR", "SOA", "SRV", "ANY"] as const) {
      const refused = driver.send(queryBytes(name, type), { source: "192.0.2.8" });
      const closed = new ViewScene([{}], { allowFrom: ["10.0.0.0/8"] }).driver
        .send(queryBytes(name, type), { source: "192.0.2.8" });
      assertEquals(refused, closed);
      assertEquals(readReply(refused!).rcode, 5);
    }
  }
  assertEquals(driver.counters.get("dns-refused"), 16);
});

test("a view for a key is for questions that are signed with it, as a key of this zone", () => {
  const scene = new ViewScene([
    { tsig: ["OPS.example.com.", "obs.example.com"], from: ["10.9.0.0/16"] },
    { tsig: ["obs.example.com"], groups: [7] },
    { tsig: ["ops.example.org"], groups: [7, 9] },
    { groups: [9] },
  ]);
  const { driver } = scene;
  const listed = (key: typeof OPS, source: string) => {
    const { bytes } = signQuestion(key, queryBytes(SERVICE, "TXT"), driver.time += 2);
    const { plain } = readSigned(driver.send(bytes, { source })!)!;
    return Number(/peers=(\d+)/.exec(readReply(plain).answers[0]!)?.[1]);
  };
  assertEquals(listed(OPS, "10.9.0.1"), EVERYONE.length);
  assertEquals(listed(OBS, "10.9.0.1"), EVERYONE.length);
  assertEquals(listed(OBS, "10.8.0.1"), 5);
  assertEquals(listed(OPS, "10.8.0.1"), 3);
  // A key of another zone is none here, whatever a view calls it.
  assertEquals(listed(FOREIGN, "10.9.0.1"), 3);
  assertEquals(scene.listed("10.9.0.1"), [5, 6, 20]);
});

test("views that show the same are made once, whoever they are for", () => {
  const scene = new ViewScene([
    { from: ["10.0.0.0/16"], groups: [7, 9] },
    { from: ["10.1.0.0/16"], groups: [9, 7, 7], interface: false },
    { from: ["10.2.0.0/16"], groups: [9, 7], interface: true },
    { from: ["10.3.0.0/16"] },
    { from: ["10.4.0.0/16"], groups: [7], peers: [keyOf(20)] },
    { from: ["10.5.0.0/16"], groups: [7], peers: [keyOf(20), keyOf(20)] },
    { from: ["10.6.0.0/16"], groups: [7], peers: [keyOf(1)] },
  ]);
  const views = Array.from({ length: 7 }, (_, i) =>
    scene.zone.viewOf({
      transport: "udp",
      source: addressBytes(`10.${i}.0.1`),
      sourceAt: 0,
      local: undefined,
      localAt: 0,
    }, undefined));
  assert(views[0] === views[1]);
  assert(views[2] === views[3]);
  assert(views[4] === views[5]);
  assertEquals(new Set(views).size, 4);
});

test("who comes, moves and goes is seen in the views that show them", () => {
  const scene = new ViewScene([
    { from: ["10.0.0.0/16"], peers: [keyOf(NOBODY), keyOf(1)] },
    { from: ["10.1.0.0/16"], groups: [7] },
  ]);
  assertEquals(scene.listed("10.0.0.1"), [1]);
  const group = scene.groups.get(9)!;
  group.see(idOf(NOBODY), "203.0.113.77:5", T0 + 9);
  const srv = () => scene.driver.ask(instanceOf(NOBODY), "SRV", { source: "10.0.0.1" });
  assertEquals(srv().answers, [`${instanceOf(NOBODY)} 0 SRV 0 0 5 ${instanceOf(NOBODY)}`]);
  const hidden = scene.driver.ask(instanceOf(NOBODY), "SRV", { source: "10.1.0.1" });
  assertEquals([hidden.rcode, hidden.answers], [3, []]);
  group.forget(idOf(NOBODY), T0 + 10);
  assertEquals(srv().rcode, 3);
  scene.device.set({ publicKey: undefined, listenPort: 0, peers: [] });
  assertEquals(scene.listed("10.0.0.1"), []);
});

test("a device that can't be read is unknown in the views that show of it, and in no others", () => {
  const scene = new ViewScene([
    { from: ["10.0.0.0/16"], groups: [7] },
    { from: ["10.1.0.0/16"], groups: [], peers: [keyOf(1)] },
    {},
  ]);
  scene.device.set(undefined);
  assertEquals(scene.listed("10.0.0.1"), [4, 5, 6, 10, 11]);
  const rcode = (peer: number, source: string) =>
    scene.driver.ask(instanceOf(peer), "SRV", { source }).rcode;
  assertEquals(rcode(1, "10.0.0.1"), 3);
  assertEquals([rcode(1, "10.1.0.1"), rcode(10, "10.1.0.1")], [2, 2]);
  assertEquals([rcode(1, "192.0.2.1"), rcode(10, "192.0.2.1")], [2, 0]);
});

test("a list of chosen peers begins with those that were named first", () => {
  const chosen = [20, 2, 11, 1, 10];
  const { driver } = new ViewScene([{ peers: chosen.map(keyOf), groups: [] }]);
  const whole = driver.ask(SERVICE, "PTR", { transport: "tcp" }).answers;
  const order = whole.map((record) => record.split(" ")[3]!.slice(0, 56));
  // The interface's come before those of groups, as in every list.
  assertEquals(order, [2, 1, 11, 10, 20].map((peer) => labelOf(keyOf(peer))));
});

// What a view says, held against what it may say.

const some = <T>(all: readonly T[], most = 3) =>
  fc.option(fc.uniqueArray(fc.constantFrom(...all), { maxLength: most }), { nil: undefined });
const rule = fc.record({
  from: fc.constantFrom(undefined, ["10.0.0.0/8"], ["10.9.0.0/16", "::/0"]),
  tsig: fc.constantFrom(undefined, ["ops.example.com"], ["obs.example.com", "ops.example.com"]),
  groups: some([7, 9]),
  peers: some([...EVERYONE, NOBODY].map(keyOf)),
  interface: fc.constantFrom(undefined, true, false),
});
const asked = fc.record({
  source: fc.constantFrom("10.9.0.1", "10.1.0.1", "192.0.2.1", "2001:db8::1"),
  key: fc.constantFrom(undefined, OPS, OBS, FOREIGN),
  transport: fc.constantFrom("udp" as const, "tcp" as const),
  type: fc.constantFrom(...["SRV", "A", "AAAA", "TXT", "PTR", "ANY", "MX", "DS"] as const),
  edns: fc.constantFrom(undefined, {}, { dnssecOk: true }),
});
type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

/** Whom whoever asks like this may see, or undefined where they have no view. */
function allowed(
  rules: readonly Partial<ViewRule>[],
  { source, key }: Asked,
): number[] | undefined {
  const isIn = (prefix: string) =>
    prefix === "::/0"
      ? source.includes(":")
      : prefix === "10.0.0.0/8"
      ? source.startsWith("10.")
      : source.startsWith("10.9.");
  const name = key === OPS ? "ops.example.com" : key === OBS ? "obs.example.com" : "";
  const view = rules.find(({ from, tsig }) =>
    (from === undefined || from.some(isIn)) && (tsig === undefined || tsig.includes(name))
  );
  if (view === undefined) return undefined;
  const isWhole = view.groups === undefined && view.peers === undefined;
  const groups = view.groups ?? (isWhole ? [7, 9] : []);
  return EVERYONE.filter((peer) =>
    groups.some((id) => IN_GROUP[id]!.includes(peer)) ||
    (view.interface ?? isWhole) && [...ON_DEVICE, OWN].includes(peer) ||
    view.peers?.includes(keyOf(peer))
  );
}

/** The answer's bytes without a TSIG, whose MAC is another each time. */
function answerOf(driver: DnsDriver, name: string, { key, ...how }: Asked): Uint8Array {
  const { type, edns, source, transport } = how;
  const question = queryBytes(name, type, edns === undefined ? {} : { edns });
  const sent = key === undefined ? question : signQuestion(key, question, driver.time).bytes;
  const answer = driver.send(sent, { source, transport });
  assert(answer !== undefined);
  return key === undefined ? answer : readSigned(answer)!.plain;
}

function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

test("no question, whatever it is, is told of a peer that the view doesn't show", () => {
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 4 }), asked, (rules, how) => {
      const { driver } = new ViewScene(rules);
      const shown = allowed(rules, how);
      const hidden = EVERYONE.filter((peer) => !shown?.includes(peer));
      const names = [
        ...["example.com", "ns1.example.com", "_services._dns-sd._udp.example.com", SERVICE],
        ...["a", "aa", "aaa", "7"].map((digits) => `_${digits}._sub.${SERVICE}`),
        ...[...EVERYONE, NOBODY].map((peer) => instanceOf(peer)),
      ];
      for (const name of names) {
        driver.time += 2;
        const question = text(queryBytes(name, how.type).subarray(12));
        const answer = text(answerOf(driver, name, how));
        const said = answer.slice(12 + question.length).toLowerCase();
        assertEquals((answer.charCodeAt(3) & 15) === 5, shown === undefined);
        for (const peer of hidden) {
          const where = `${name} ${how.type} of ${peer}`;
          assert(!said.includes(labelOf(keyOf(peer))), where);
          assert(!said.includes(keyOf(peer).toLowerCase()), where);
          assert(!said.includes(text(decodeBase64(keyOf(peer))).toLowerCase()), where);
          assert(!said.includes(String.fromCharCode(203, 0, 113, peer).toLowerCase()), where);
        }
        const count = /peers=(\d+)/.exec(said)?.[1];
        if (count !== undefined) assert(Number(count) <= shown!.length);
      }
      if (shown === undefined) return;
      driver.time += 2;
      const list = text(answerOf(driver, SERVICE, { ...how, type: "PTR", transport: "tcp" }));
      const there = EVERYONE.filter((peer) => list.includes(labelOf(keyOf(peer))));
      assertEquals(there, shown, "the list is whole");
    }),
    { numRuns: 100 },
  );
});

test("of a peer that the view doesn't show, the very bytes are said that are of nobody", () => {
  let compared = 0;
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 4 }), asked, (rules, how) => {
      const { driver } = new ViewScene(rules);
      const shown = allowed(rules, how) ?? [];
      const ask = (peer: number) => {
        const before = COUNTER_NAMES.map((name) => driver.counters.get(name));
        const answer = text(answerOf(driver, instanceOf(peer), how));
        const label = labelOf(keyOf(peer));
        assertEquals(answer.split(label).length, 2, "its name is in the question alone");
        return [
          answer.replace(label, "?"),
          ...COUNTER_NAMES.map((name, i) => driver.counters.get(name) - before[i]!),
        ];
      };
      const stranger = ask(NOBODY);
      for (const peer of EVERYONE) {
        if (shown.includes(peer)) continue;
        compared++;
        assertEquals(ask(peer), stranger);
      }
    }),
    { numRuns: 100 },
  );
  assert(compared > 50);
});

test("in a signed zone, nothing but names and signatures tells the hidden from nobody", () => {
  let compared = 0;
  const types = fc.constantFrom(1, 16, 33, 43, 46, 47, 255);
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 1, maxLength: 4 }),
      asked,
      types,
      (rules, how, type) => {
        const counters = new Counters();
        const signing = new Signing(SEED, counters);
        const signer = new ZoneSigner(
          encodeName("example.com"),
          [countingKey(1, 13, true)],
          signing,
        );
        const { driver } = new ViewScene(rules, { signer });
        const shown = allowed(rules, how) ?? [];
        const ask = (peer: number) => {
          const before = [counters, driver.counters].map((each) =>
            COUNTER_NAMES.map((name) => each.get(name))
          );
          const question = queryBytes(instanceOf(peer), type, {
            ...how.edns === undefined ? {} : { edns: how.edns },
          });
          const { key, source, transport } = how;
          const sent = key === undefined
            ? question
            : signQuestion(key, question, driver.time).bytes;
          const answer = driver.send(sent, { source, transport });
          assert(answer !== undefined);
          const { flags, rcode, records } = readRecords(
            key === undefined ? answer : readSigned(answer)!.plain,
          );
          const label = labelOf(keyOf(peer));
          const hide = (said: string) => said.replaceAll(label, "?");
          return [
            answer.length,
            flags,
            rcode,
            records.map(({ section, owner, type, ttl, data }) => [
              ...[section, hide(owner.join(".")), type, ttl],
              hide(text(type === 46 ? data.subarray(0, -64) : data)),
            ]),
            [counters, driver.counters].map((each, i) =>
              COUNTER_NAMES.map((name, j) => each.get(name) - before[i]![j]!)
            ),
          ];
        };
        // The SOA is signed once.
        ask(NOBODY);
        const stranger = ask(NOBODY + 1);
        for (const peer of EVERYONE) {
          if (shown.includes(peer)) continue;
          compared++;
          assertEquals(ask(peer), stranger);
        }
      },
    ),
    { numRuns: 40 },
  );
  assert(compared > 20);
});
