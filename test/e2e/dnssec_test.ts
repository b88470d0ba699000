/** Signed zones before those who validate: resolvers, and tools that ask the server themselves. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { otherClock } from "../support/faketime.ts";
import { testWith } from "../support/program.ts";
import { Device, DEVICE_NEEDS, freeDnsAddress, instance, newPeer, newPeers } from "./dns_scene.ts";
import { KEY_LABEL_SIZE } from "../../lib/wire/dns/key_label.ts";
import { newQuery, TcpEnd } from "./dns_clients.ts";
import type { TypeName } from "../support/dns.ts";
import {
  delv,
  digAll,
  eachOf,
  type Forge,
  Forger,
  newZoneKey,
  type Question,
  replaced,
  type TestZoneKey,
  Validator,
  withoutType,
} from "./dnssec_scene.ts";
import { Scene, type Served } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig", "delv", "unbound", "kresd"];
/** Enough that their list is asked for over TCP. */
const MANY = 100;

const alice = newPeer("198.51.100.7:4711", "10.9.0.2/32", "fd00::2/128");
const bob = newPeer("[2001:db8::7]:51821", "10.9.0.3/32");

/** A zone as the settings have it. */
interface SignedZone {
  readonly name: string;
  readonly keys: readonly TestZoneKey[];
  readonly more?: string;
}

/** Starts a server with zones of a device. @param clock By how much its wall clock is off. */
async function serveZones(
  scene: Scene,
  device: Device,
  zones: readonly SignedZone[],
  clock?: string,
): Promise<{ server: Served; configure: (zones: readonly SignedZone[]) => Promise<void> }> {
  const address = freeDnsAddress();
  const write = (zones: readonly SignedZone[]) =>
    scene.file(
      `${address}.toml`,
      `[serve.dns]\nlisten = ["${address}"]\ninterface = "wg0"\nanswer-budget = 0\n` +
        zones.map(({ name, keys, more = "" }) => {
          const files = JSON.stringify(keys.map(({ file }) => file));
          return `[[serve.dns.zone]]\nname = "${name}"\ndnssec-keys = ${files}\n${more}\n`;
        }).join(""),
    );
  const config = await write(zones);
  const env = clock === undefined ? {} : await otherClock(clock);
  const server = await device.serveWith(scene, ["--config", config], { env });
  return {
    server,
    configure: async (zones) => {
      await write(zones);
      await server.signal("SIGHUP", / info reloaded /);
    },
  };
}

/** What a zone has, and what it hasn't. */
function questionsOf(zone: string): Record<"records" | "nothing" | "absent", Question[]> {
  const list = `_wireguard._udp.${zone}`;
  const four = instance(alice, zone);
  const six = instance(bob, zone);
  const prefix = four.slice(0, 3);
  const stranger = instance(newPeer(), zone);
  return {
    records: [
      ...["SOA", "NS", "DNSKEY", "CDS", "CDNSKEY"].map((type) => `${zone} ${type}`),
      `ns1.${zone} A`,
      `_services._dns-sd._udp.${zone} PTR`,
      ...[
        `${list} PTR`,
        `${list} TXT`,
        `_${prefix}._sub.${list} PTR`,
        `_${prefix}._sub.${list} TXT`,
      ],
      ...["SRV", "TXT", "A"].map((type) => `${four} ${type}`),
      ...["SRV", "TXT", "AAAA"].map((type) => `${six} ${type}`),
      `${four.toUpperCase()} SRV`,
    ],
    nothing: [
      ...[`${zone} MX`, `ns1.${zone} AAAA`, `_services._dns-sd._udp.${zone} TXT`, `${list} SRV`],
      ...[`${four} MX`, `${four} AAAA`, `${six} A`],
      ...[`_udp.${zone} A`, `_dns-sd._udp.${zone} PTR`, `_sub.${list} TXT`],
    ],
    absent: [
      ...[`${stranger} SRV`, `nope.${zone} A`, `a.b.c.${zone} TXT`, `_tcp.${zone} PTR`],
      ...[`*.${zone} TXT`, `*.${list} SRV`],
    ],
  };
}

testWith(NEEDS, "dnssec: every kind of answer is validated, whatever the algorithm", async () => {
  await using device = await Device.with(alice, bob, ...newPeers(MANY));
  await using scene = await Scene.open();
  const names = ["wg.example.com", "ed.example.net", "two.example.org"] as const;
  const keys = [
    [await newZoneKey(scene, names[0])],
    [await newZoneKey(scene, names[1], "ed25519")],
    [await newZoneKey(scene, names[2]), await newZoneKey(scene, names[2], "ed25519")],
  ];
  const zones = names.map((name, i) => ({ name, keys: keys[i]! }));
  const { server } = await serveZones(scene, device, zones);
  assertMatch(server.running.out, / dns-zone zone=two\.example\.org interface=wg0 keys=\d+,\d+\n/);
  const options = { anchors: keys.flat(), server: server.port };
  const unbound = await Validator.start(scene, "unbound", options);
  const kresd = await Validator.start(scene, "kresd", options);
  for (const { name, keys } of zones) {
    const { records, nothing, absent } = questionsOf(name);
    const any = [`${name} ANY`, `${instance(alice, name)} ANY`, `_wireguard._udp.${name} ANY`];
    for (const [validator, found] of [[unbound, [...records, ...any]], [kresd, records]] as const) {
      for (const { answer, text } of await validator.trusts(found)) assert(answer.length > 0, text);
      for (const { answer, text } of await validator.trusts([...nothing, ...absent])) {
        assertEquals(answer, [], text);
      }
    }
    const all = [...records, ...any, ...nothing, ...absent];
    const said = await eachOf(all, (question) => delv(scene, server.port, keys, question));
    said.forEach((text, i) => {
      const isThere = i < records.length + any.length;
      const expected = isThere ? /^; fully validated/m : /^; negative response, fully validated/m;
      assertMatch(text, expected, all[i]);
    });
    // What the server itself says: over UDP, over TCP, and without DO what it said unsigned.
    for (const transport of ["+notcp", "+tcp"]) {
      for (const { answer, text } of await digAll(server.port, records, transport, "+dnssec")) {
        assert(answer.some((record) => / RRSIG /.test(record)), text);
      }
      const plain = await digAll(server.port, [...records, ...nothing, ...absent], transport);
      plain.forEach(({ status, answer, authority, additional, text }, i) => {
        const isAbsent = i >= records.length + nothing.length;
        assertEquals(status, isAbsent ? "NXDOMAIN" : "NOERROR", text);
        const records_ = [...answer, ...authority, ...additional];
        assert(!records_.some((record) => / (?:RRSIG|NSEC) /.test(record)), text);
      });
      for (const { status, text } of await digAll(server.port, absent, transport, "+dnssec")) {
        assertEquals(status, "NOERROR", text);
        assertMatch(text, /\sNSEC\s+\\000\.\S+ RRSIG NSEC TYPE128\n/);
      }
    }
    const [nxname] = await digAll(server.port, [`nope.${name} TYPE128`]);
    assertEquals(nxname?.status, "FORMERR");
  }
  const counts = await server.counters();
  assert((counts["dns-signed"] ?? 0) > 0 && (counts["dns-signature-reused"] ?? 0) > 0);
});

testWith(NEEDS, "dnssec: zones of one server below each other, signed and not", async () => {
  await using device = await Device.with(alice);
  await using scene = await Scene.open();
  const above = await newZoneKey(scene, "wg.example.com");
  const below = await newZoneKey(scene, "below.wg.example.com", "ed25519");
  const zones = (ofBelow: readonly TestZoneKey[], more = ""): SignedZone[] => [
    { name: above.zone, keys: [above] },
    { name: below.zone, keys: ofBelow, more },
    { name: "plain.wg.example.com", keys: [] },
  ];
  const { server, configure } = await serveZones(scene, device, zones([below]));
  const options = { anchors: [above], server: server.port };
  for (const kind of ["unbound", "kresd"] as const) {
    const validator = await Validator.start(scene, kind, options);
    const [ds] = await validator.trusts([
      ...[`${below.zone} DS`, `${below.zone} SOA`, `${instance(alice, below.zone)} SRV`],
      ...[`nope.${below.zone} A`, "plain.wg.example.com DS", `nope.${above.zone} A`],
    ]);
    assertEquals(
      ds?.answer.map((record) => record.replace(/^\S+ \d+ DS (.{0,20}).*$/, "$1")),
      [below.ds.slice(0, 20)],
    );
    const insecure = await validator.ask([`${instance(alice, "plain.wg.example.com")} SRV`]);
    for (const { status, flags, answer, text } of insecure) {
      assertEquals([status, answer.length], ["NOERROR", 1], text);
      assert(!/\bad\b/.test(flags ?? ""), text);
    }
  }
  // Before it is signed no longer, it asks for no DS any more.
  await configure(zones([below], `cds = "delete"`));
  const validator = await Validator.start(scene, "unbound", options);
  const [ds] = await validator.trusts([`${below.zone} DS`]);
  assertEquals(ds?.answer, []);
  const [cds, cdnskey] = await digAll(server.port, [`${below.zone} CDS`, `${below.zone} CDNSKEY`]);
  assertEquals(cds?.answer, [`${below.zone}. 300 CDS 0 0 0 00`]);
  assertEquals(cdnskey?.answer, [`${below.zone}. 300 CDNSKEY 0 3 0 AA==`]);
  await configure(zones([]));
  const [srv] = await validator.ask([`${instance(alice, below.zone)} SRV`]);
  assertEquals([srv?.status, srv?.answer.length], ["NOERROR", 1], srv?.text);
});

const [A, TXT, SRV, RRSIG, NSEC] = [1, 16, 33, 46, 47];
const text = (characters: string) => [...new TextEncoder().encode(characters)];

testWith([...NEEDS, "faketime"], "dnssec: what is forged on the way is refused", async () => {
  await using device = await Device.with(alice, bob);
  await using scene = await Scene.open();
  const zone = "wg.example.com";
  const key = await newZoneKey(scene, zone);
  const other = await newZoneKey(scene, zone);
  const { server } = await serveZones(scene, device, [{ name: zone, keys: [key] }]);
  const four = instance(alice, zone);
  /** The answer to another question, under the header and the question of this one. */
  const taken = async (
    question: Question,
    answer: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array> => {
    const [name = "", type = "SRV"] = question.split(" ");
    using end = await TcpEnd.open(server.port);
    await end.send(newQuery(name, type as TypeName, { edns: { dnssecOk: true } }));
    const bytes = (await end.next())!.slice();
    bytes.set(answer.subarray(0, 2));
    // As many characters: only letters differ.
    assertEquals(bytes[12], answer[12]);
    bytes.set(answer.subarray(12, 12 + answer.indexOf(0, 12) - 12), 12);
    return bytes;
  };
  // What was signed three days ago is no longer true.
  const before = await serveZones(scene, device, [{ name: zone, keys: [key] }], "-3d");
  const expired: Forge = async (answer) => {
    // A resolver that comes down label by label asks for A of the names above, too.
    if (answer[12] !== KEY_LABEL_SIZE) return answer;
    using end = await TcpEnd.open(before.server.port);
    await end.send(newQuery(four, "A", { edns: { dnssecOk: true } }));
    const bytes = (await end.next())!.slice();
    bytes.set(answer.subarray(0, 2));
    bytes.set(answer.subarray(12, 12 + answer.indexOf(0, 12) - 12), 12);
    return bytes;
  };
  const forgeries: readonly (readonly [string, Question, Forge])[] = [
    ["another address", `${four} A`, (b) => replaced(b, [198, 51, 100, 7], [203, 0, 113, 66])],
    ["other AllowedIPs", `${four} TXT`, (b) => replaced(b, text("=10.9.0.2/"), text("=10.9.0.9/"))],
    ["another port", `${four} SRV`, (b) => replaced(b, [4711 >> 8, 4711 & 255], [1, 2])],
    ["no signatures", `${four} TXT`, (b, type) => type === TXT ? withoutType(b, RRSIG) : b],
    ["no proof", `nope.${zone} A`, (b, type) => type === A ? withoutType(b, NSEC) : b],
    [
      "the denial of another name",
      `${four} SRV`,
      async (b, type) => type === SRV ? await taken(`${instance(newPeer(), zone)} SRV`, b) : b,
    ],
    ["an old address", `${four} A`, (b, type) => type === A ? expired(b, type) : b],
  ];
  const refuse = async (
    kind: "unbound" | "kresd",
    [what, question, forge]: typeof forgeries[number],
  ): Promise<void> => {
    await using forger = new Forger(server.port);
    const validator = await Validator.start(scene, kind, { anchors: [key], server: forger.port });
    forger.forge = forge;
    const [answer] = await validator.ask([question]);
    assertEquals(
      [answer?.status, answer?.answer],
      ["SERVFAIL", []],
      `${kind}: ${what}: ${answer?.text}`,
    );
    // It did come there: whoever wants no validation gets it.
    const [unchecked] = await validator.ask([question], "+cdflag");
    assertEquals(unchecked?.status, "NOERROR", `${kind}: ${what}: ${unchecked?.text}`);
    assert(forger.changed > 0, `${what}: nothing was changed`);
  };
  for (const kind of ["unbound", "kresd"] as const) {
    await Promise.all(forgeries.map((forgery) => refuse(kind, forgery)));
    // The forger alone is no reason; another key is.
    await using forger = new Forger(server.port);
    const options = { anchors: [key], server: forger.port };
    const validator = await Validator.start(scene, kind, options);
    await validator.trusts(forgeries.map(([, question]) => question));
    const wrong = await Validator.start(scene, kind, { ...options, anchors: [other] });
    await wrong.refuses([`${four} SRV`]);
  }
  await eachOf(forgeries, async ([what, question, forge]) => {
    await using forger = new Forger(server.port);
    forger.forge = forge;
    const said = await delv(scene, forger.port, [key], question);
    assert(!/fully validated/.test(said), `${what}: ${said}`);
  });
});

testWith(NEEDS, "dnssec: keys change under validators that remember", async () => {
  await using device = await Device.with(alice);
  await using scene = await Scene.open();
  const [same, harder, fresh] = ["same.example.com", "other.example.net", "new.example.org"];
  const old = [await newZoneKey(scene, same!), await newZoneKey(scene, harder!)] as const;
  const next = [
    await newZoneKey(scene, same!),
    await newZoneKey(scene, harder!, "ed25519"),
  ] as const;
  const late = await newZoneKey(scene, fresh!);
  const zones = (isOld: boolean, isNext: boolean, ofLate: readonly TestZoneKey[], more = "") => [
    ...old.map(({ zone }, i) => ({
      name: zone,
      keys: [...(isOld ? [old[i]!] : []), ...(isNext ? [next[i]!] : [])],
    })),
    { name: fresh!, keys: ofLate, more },
  ];
  const { server, configure } = await serveZones(scene, device, zones(true, false, []));
  const asked = old.flatMap(({ zone }) => [
    ...[`${zone} SOA`, `${instance(alice, zone)} SRV`, `nope.${zone} A`, `${zone} DNSKEY`],
  ]);
  const start = async (anchors: readonly TestZoneKey[]) =>
    await Promise.all((["unbound", "kresd"] as const).map((kind) => {
      // Where keys are remembered for two seconds, all goes faster than in five minutes.
      const more = kind === "unbound" ? "  cache-max-ttl: 2\n" : "cache.max_ttl(2)";
      return Validator.start(scene, kind, { anchors, server: server.port, more });
    }));
  const trust = async (...validators: readonly Validator[]) => {
    await Promise.all(validators.map((validator) => validator.trusts(asked)));
  };
  const forgotten = () => new Promise<void>((done) => setTimeout(done, 2500));

  const first = await start(old);
  await trust(...first);
  // Of an unsigned zone it can't be said whether it is true.
  const isInsecure = async (validator: Validator) => {
    const [{ status, flags, answer } = {}] = await validator.ask([`${instance(alice, fresh)} SRV`]);
    assertEquals([status, answer?.length, /\bad\b/.test(flags ?? "")], ["NOERROR", 1, false]);
  };
  for (const validator of first) await isInsecure(validator);

  // Both sign: who remembers the old key believes it still, and so does who knows the new one alone.
  await configure(zones(true, true, [late]));
  await trust(...first);
  const second = await start([...next, late]);
  await trust(...second);
  for (const validator of second) await validator.trusts([`${instance(alice, fresh)} SRV`]);
  for (const validator of first) await isInsecure(validator);
  await forgotten();
  await trust(...first, ...second);

  // The new one alone, and the unsigned zone is on its way back.
  await configure(zones(false, true, [late], `cds = "delete"`));
  await trust(...second);
  for (const validator of second) {
    const [cds] = await validator.trusts([`${fresh} CDS`]);
    assertEquals(cds?.answer.map((record) => record.replace(/^.* CDS /, "")), ["0 0 0 00"]);
  }
  await forgotten();
  await trust(...second);
  for (const validator of first) await validator.refuses([`${same} SOA`, `${harder} SOA`]);
  await configure(zones(false, true, []));
  for (const validator of await start(next)) await isInsecure(validator);
});
