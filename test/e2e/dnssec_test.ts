/** Signed zones before those who validate: resolvers, and tools that ask the server themselves. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { run, testWith, wgsig } from "../support/program.ts";
import { Device, DEVICE_NEEDS, instance, newPeer } from "./dns_scene.ts";
import { KEY_LABEL_SIZE } from "../../lib/wire/dns/key_label.ts";
import { newQuery, TcpEnd } from "./dns_clients.ts";
import type { TypeName } from "../support/dns.ts";
import { type Forge, Forger, replaced, withoutType } from "./dnssec_forger.ts";
import {
  alice,
  bob,
  newZoneKey,
  type Question,
  serveZones,
  type SignedZone,
  type TestZoneKey,
} from "./dnssec_scene.ts";
import { delv, digAll, drill, eachOf, Validator } from "./dnssec_validators.ts";
import { Scene, until } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig", "delv", "unbound", "kresd"];

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
  const before = await serveZones(scene, device, [{ name: zone, keys: [key] }], { clock: "-3d" });
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
  // So does wgsig, which doesn't validate itself, behind a resolver that does.
  await using forger = new Forger(server.port);
  const options = { anchors: [key], server: forger.port };
  const { where } = await Validator.start(scene, "unbound", options);
  const endpoints = async () => {
    const { out } = await wgsig(["query", `dns://127.0.0.1:${where}/${zone}`, "--json"]);
    const { peers }: { peers: { endpoint?: string }[] } = JSON.parse(out);
    return peers.map(({ endpoint }) => endpoint);
  };
  assertEquals((await endpoints()).toSorted(), [alice.endpoint, bob.endpoint]);
  forger.forge = (bytes) => replaced(bytes, [4711 >> 8, 4711 & 255], [1, 2]);
  assertEquals(await endpoints(), [bob.endpoint]);
  await eachOf(forgeries, async ([what, question, forge]) => {
    await using forger = new Forger(server.port);
    forger.forge = forge;
    const said = await delv(scene, forger.port, [key], question);
    assert(!/fully validated/.test(said), `${what}: ${said}`);
  });
});

testWith([...NEEDS, "drill", "faketime"], "dnssec: a server whose clock is off", async () => {
  await using device = await Device.with(alice);
  await using scene = await Scene.open();
  const zone = "wg.example.com";
  const key = await newZoneKey(scene, zone);
  // Signatures are good from an hour before they are made to a day after.
  const clocks = { "-23h": true, "+50m": true, "-26h": false, "+1d": false } as const;
  await Promise.all(
    Object.entries(clocks).map(async ([clock, isGood]) => {
      const { server } = await serveZones(scene, device, [{ name: zone, keys: [key] }], { clock });
      const question = `${instance(alice)} A`;
      const byDelv = await delv(scene, server.port, [key], question);
      assertEquals(/fully validated$/m.test(byDelv), isGood, byDelv);
      const byDrill = await drill(scene, server.port, [key], question);
      assertEquals(/^;; Chase successful$/m.test(byDrill), isGood, byDrill);
      const validator = await Validator.start(scene, "kresd", {
        anchors: [key],
        server: server.port,
      });
      const [answer] = await validator.ask([question]);
      assertEquals(answer?.status, isGood ? "NOERROR" : "SERVFAIL", answer?.text);
      assertEquals(/\bad\b/.test(answer?.flags ?? ""), isGood, answer?.text);
    }),
  );
});

/** The DS records that BIND makes of what a zone says with CDS, for a zone above that has the old ones. */
async function dsByCds(
  scene: Scene,
  port: number,
  zone: string,
  old: readonly string[],
): Promise<string[]> {
  const dsset = await scene.file("dsset", `${old.join("\n")}\n`);
  const asked = ["DNSKEY", "CDS", "CDNSKEY"].map((type) => `${zone} ${type}`);
  const child = (await digAll(port, asked, "+dnssec")).flatMap(({ answer }) => answer);
  const file = await scene.file("child", `${child.join("\n")}\n`);
  const argv = ["dnssec-cds", "-s", "-7200", "-d", dsset, "-f", file, zone];
  const { code, out, err } = await run(argv);
  assertEquals(code, 0, err);
  return out.split("\n").filter((line) => line !== "");
}

testWith(
  [...NEEDS, "dnssec-cds"],
  "dnssec: keys change under validators that remember",
  async () => {
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
    // They count whole seconds.
    const forgotten = () => new Promise<void>((done) => setTimeout(done, 2100));

    const first = await start(old);
    await trust(...first);
    // Of an unsigned zone it can't be said whether it is true.
    const isInsecure = async (validator: Validator) => {
      const [{ status, flags, answer } = {}] = await validator.ask([
        `${instance(alice, fresh)} SRV`,
      ]);
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
    const dsOf = ({ zone, ds }: TestZoneKey) => `${zone}. 60 IN DS ${ds}`;
    const both = await dsByCds(scene, server.port, same!, [dsOf(old[0])]);
    assertEquals(both.toSorted(), [dsOf(old[0]), dsOf(next[0])].sort());
    await forgotten();
    await trust(...first, ...second);

    // The new one alone, and the unsigned zone is on its way back.
    await configure(zones(false, true, [late], `cds = "delete"`));
    await trust(...second);
    for (const validator of second) {
      const [cds] = await validator.trusts([`${fresh} CDS`]);
      assertEquals(cds?.answer.map((record) => record.replace(/^.* CDS /, "")), ["0 0 0 00"]);
    }
    assertEquals(await dsByCds(scene, server.port, same!, both), [dsOf(next[0])]);
    // What BIND has left says that the zone isn't signed, too: there is no algorithm 0.
    for (const ds of await dsByCds(scene, server.port, fresh!, [dsOf(late)])) {
      assertMatch(ds, / DS \d+ 0 /);
    }
    const apexes = [`${same} SOA`, `${harder} SOA`];
    for (const validator of first) {
      await until("what the old keys signed is forgotten", async () => {
        const answers = await validator.ask(apexes);
        return answers.every(({ status }) => status === "SERVFAIL") || undefined;
      });
      await validator.refuses(apexes);
    }
    await trust(...second);
    await configure(zones(false, true, []));
    for (const validator of await start(next)) await isInsecure(validator);
  },
);
