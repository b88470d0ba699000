/**
 * Every kind of answer of a signed zone before everyone who validates: over UDP and TCP, for those who
 * set DO and those who don't, with each algorithm.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWith } from "../support/program.ts";
import type { ToolAnswer } from "./dns_clients.ts";
import { Device, DEVICE_NEEDS, instance, newPeer, newPeers } from "./dns_scene.ts";
import { Forger } from "./dnssec_forger.ts";
import { alice, bob, newZoneKey, type Question, serveZones } from "./dnssec_scene.ts";
import { delv, digAll, drill, eachOf, kdigAll, Validator, wrongIn } from "./dnssec_validators.ts";
import { Scene } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig", "delv", "drill", "kdig", "unbound", "kresd"]
  .concat("ldns-verify-zone", "dnssec-verify");
/** Enough that their list is asked for over TCP. */
const MANY = 100;
const RESOLVERS = ["unbound", "kresd"] as const;
const KRESD = 1;
/** UDP and TCP, as dig and delv are told, kdig, and drill. */
const TRANSPORTS = [["+notcp", "+noignore", "-a"], ["+tcp", "+tcp", "-t"]] as const;

/** What is asked of one kind of answer. */
interface Kind {
  /** The first question is for the tools that take one at a time. */
  readonly questions: readonly Question[];
  /** What is there to be found: records, a name without them, nothing. */
  readonly found: "records" | "name" | "nothing";
}

/** All kinds of answers of a zone. */
function kindsOf(zone: string): Readonly<Record<string, Kind>> {
  const list = `_wireguard._udp.${zone}`;
  const four = instance(alice, zone);
  const six = instance(bob, zone);
  const prefix = four.slice(0, 3);
  const stranger = instance(newPeer(), zone);
  const each = (name: string, ...types: readonly string[]) =>
    types.map((type) => `${name} ${type}`);
  return {
    // First, while no resolver has something else to answer it with.
    ANY: {
      found: "records",
      questions: [zone, four, list, `ns1.${zone}`].map((name) => `${name} ANY`),
    },
    SOA: { found: "records", questions: each(zone, "SOA") },
    NS: { found: "records", questions: each(zone, "NS") },
    DNSKEY: { found: "records", questions: each(zone, "DNSKEY") },
    CDS: { found: "records", questions: each(zone, "CDS", "CDNSKEY") },
    "address of the server": { found: "records", questions: each(`ns1.${zone}`, "A") },
    "list of peers": {
      found: "records",
      questions: [
        ...each(list, "PTR", "TXT"),
        ...each(`_${prefix}._sub.${list}`, "PTR", "TXT"),
        ...each(`_services._dns-sd._udp.${zone}`, "PTR"),
      ],
    },
    peer: {
      found: "records",
      questions: [
        ...each(four, "SRV", "TXT", "A"),
        ...each(six, "SRV", "TXT", "AAAA"),
        ...each(four.toUpperCase(), "SRV"),
      ],
    },
    NSEC: { found: "records", questions: [...each(four, "NSEC"), ...each(`_udp.${zone}`, "NSEC")] },
    NODATA: {
      found: "name",
      questions: [
        ...each(four, "MX", "AAAA", "DS"),
        ...each(six, "A"),
        ...each(zone, "MX"),
        ...each(`ns1.${zone}`, "AAAA"),
        ...each(`_services._dns-sd._udp.${zone}`, "TXT"),
        ...each(list, "SRV"),
      ],
    },
    "empty non-terminal": {
      found: "name",
      questions: [
        ...each(`_udp.${zone}`, "A", "ANY"),
        ...each(`_dns-sd._udp.${zone}`, "PTR"),
        ...each(`_sub.${list}`, "TXT"),
      ],
    },
    NXDOMAIN: {
      found: "nothing",
      questions: [
        ...each(stranger, "SRV", "ANY"),
        ...each(`nope.${zone}`, "A", "DS"),
        ...each(`a.b.c.${zone}`, "TXT"),
        ...each(`_tcp.${zone}`, "PTR"),
      ],
    },
    wildcard: {
      found: "nothing",
      questions: [...each(`*.${list}`, "SRV", "ANY"), ...each(`*.${zone}`, "TXT", "NSEC3PARAM")],
    },
  };
}

/** Whether a tool's answer has a record of the type. */
function hasType({ answer, authority, additional }: ToolAnswer, type: string): boolean {
  return [...answer, ...authority, ...additional].some((record) => record.split(" ")[2] === type);
}

/** Records as two tools print them, in any order. */
function comparable(records: readonly string[]): string[] {
  return records.map((record) => record.replaceAll(/[\\ ]/g, "").toLowerCase()).sort();
}

testWith(NEEDS, "dnssec: every kind of answer is validated, whatever the algorithm", async () => {
  await using device = await Device.with(alice, bob, ...newPeers(MANY));
  await using scene = await Scene.open();
  const names = ["wg.example.com", "ed.example.net", "four.example.org"] as const;
  const keys = [
    [await newZoneKey(scene, names[0])],
    [await newZoneKey(scene, names[1], "ed25519")],
    await Promise.all(
      (["ecdsa", "ed25519", "ecdsa", "ed25519"] as const)
        .map((algorithm) => newZoneKey(scene, names[2], algorithm)),
    ),
  ];
  const zones = names.map((name, i) => ({ name, keys: keys[i]! }));
  const { server } = await serveZones(scene, device, zones);
  assertMatch(
    server.running.out,
    / dns-zone zone=four\.example\.org interface=wg0 keys=\d+(?:,\d+){3}\n/,
  );
  await using overTcp = new Forger(server.port, "tcp");
  const options = { anchors: keys.flat(), server: server.port };
  const tcp = { ...options, server: overTcp.port };
  const small = { unbound: "  edns-buffer-size: 512\n", kresd: "net.bufsize(4096, 512)" };
  const onlyTcp = {
    unbound: "  tcp-upstream: yes\n",
    kresd: "policy.add(policy.all(policy.FLAGS('TCP')))",
  };
  // The last two are for the zone with four keys alone.
  const validators = await Promise.all([
    ...RESOLVERS.map((kind) => Validator.start(scene, kind, options)),
    ...RESOLVERS.map((kind) => Validator.start(scene, kind, { ...tcp, more: onlyTcp[kind] })),
    ...RESOLVERS.map((kind) => Validator.start(scene, kind, { ...options, more: small[kind] })),
  ]);
  for (const { name, keys } of zones) {
    const kinds = Object.values(kindsOf(name));
    const all = kinds.flatMap((kind) => kind.questions.map((question) => ({ question, ...kind })));
    const questions = all.map(({ question }) => question);
    const meta = questions.filter((question) => question.endsWith(" ANY"));

    // Resolvers: whoever sets DO gets the proofs as well, others the resolver's word.
    const asking = keys.length === 1 ? validators.slice(0, -RESOLVERS.length) : validators;
    for (const [i, validator] of asking.entries()) {
      const asked = i % 2 === KRESD ? all.filter(({ question }) => !meta.includes(question)) : all;
      for (const flags of ["+nodnssec", "+dnssec"]) {
        const answers = await validator.trusts(asked.map(({ question }) => question), flags);
        answers.forEach((answer, i) => {
          const { question, found } = asked[i]!;
          assertEquals(answer.answer.length > 0, found === "records", answer.text);
          const isSigned = flags === "+dnssec" || question.endsWith(" ANY") && found === "records";
          assertEquals(hasType(answer, "RRSIG"), isSigned, answer.text);
        });
      }
    }
    // Knot Resolver answers no such question, and asks nobody.
    const before = (await server.counters())["dns-received"];
    for (const { status, text } of await validators[KRESD]!.ask(meta)) {
      assertMatch(status ?? "", /^(?:SERVFAIL|NOTIMP)$/, text);
    }
    assertEquals((await server.counters())["dns-received"], before);

    // All of it is a zone whose signatures are right.
    const signed = await digAll(server.port, questions, "+dnssec");
    const records = signed.flatMap(({ answer }) => answer);
    const owners = new Set(records.map((record) => record.split(" ")[0]!));
    const nsec = await digAll(
      server.port,
      [...owners].map((owner) => `${owner} NSEC`),
      "+dnssec",
    );
    const whole = records.concat(nsec.flatMap(({ answer }) => answer));
    assertEquals(await wrongIn(scene, keys[0]!, whole), []);
    const forged = whole.map((record) =>
      record.replace(/(?<= A )198\.51\.100\.7$/, "203.0.113.66")
    );
    const wrong = await wrongIn(scene, keys[0]!, forged);
    // ldns and BIND name the record, once for each key.
    assertEquals(wrong.length, keys.length === 1 ? 2 : 6);
    for (const line of wrong) assertMatch(line, /signature for \S+\sA$/);

    // Signatures that are asked for are those of the answers. Nobody signs them: AD is for none.
    const signatures = [`${name} RRSIG`, `${instance(alice, name)} RRSIG`];
    for (const { answer, text } of await digAll(server.port, signatures)) {
      assert(answer.length > 0 && answer.every((each) => whole.includes(each)), text);
    }
    for (const validator of validators) {
      for (const { status, flags, answer, text } of await validator.ask(signatures)) {
        assertEquals([status, answer.length > 0], ["NOERROR", true], text);
        assert(!/\bad\b/.test(flags ?? ""), text);
      }
    }

    // What doesn't fit is cut as a whole, so that it is asked for over TCP.
    for (const size of [512, 1232]) {
      const flags = ["+dnssec", "+notcp", "+ignore", `+bufsize=${size}`];
      const cut: Question[] = [];
      for (const [i, each] of (await digAll(server.port, questions, ...flags)).entries()) {
        const { answer, authority, text } = each;
        assert(Number(/MSG SIZE +rcvd: (\d+)/.exec(text)?.[1]) <= size, text);
        if (/\btc\b/.test(each.flags ?? "")) {
          assertEquals([answer, authority], [[], []], text);
          cut.push(questions[i]!);
        } else assertEquals(comparable(answer), comparable(signed[i]!.answer), text);
      }
      assert(cut.includes(`_wireguard._udp.${name} PTR`));
      assertEquals(cut.includes(`${name} DNSKEY`), size === 512 && keys.length > 1);
    }

    for (const [ofDig, ofKdig, ofDrill] of TRANSPORTS) {
      // What the server itself says, with DO and without.
      const signed = await digAll(server.port, questions, ofDig, "+dnssec");
      const plain = await digAll(server.port, questions, ofDig);
      for (const [i, { found, question }] of all.entries()) {
        const [withDo, without] = [signed[i]!, plain[i]!];
        assertEquals(withDo.status, "NOERROR", withDo.text);
        assertEquals(hasType(withDo, "RRSIG"), true, withDo.text);
        assertEquals(without.status, found === "nothing" ? "NXDOMAIN" : "NOERROR", without.text);
        for (const type of ["RRSIG", "NSEC"]) {
          assert(!hasType(without, type) || question.endsWith(` ${type}`), without.text);
        }
        const denied = / NSEC \\000\.\S+ RRSIG NSEC TYPE128$/;
        const isDenied = withDo.authority.some((record) => denied.test(record));
        assertEquals(isDenied, found === "nothing", withDo.text);
      }
      // Another parser finds the same.
      const byKdig = await kdigAll(server.port, questions, ofKdig, "+dnssec");
      for (const [i, { answer, authority, text }] of byKdig.entries()) {
        const expected = signed[i]!;
        const both = [
          { answer, authority },
          { answer: expected.answer, authority: expected.authority },
        ];
        const [found, wanted] = both.map(({ answer, authority }) => answer.concat(authority));
        assertEquals(comparable(found!), comparable(wanted!), text);
      }
      // Tools that validate by themselves.
      const first = kinds.map(({ questions, found }) => ({ question: questions[0]!, found }));
      if (keys.length === 1) {
        await eachOf(first, async ({ question, found }) => {
          const said = await delv(scene, server.port, keys, question, ofDig);
          const validated = found === "records" ? "; fully" : "; negative response, fully";
          assertMatch(said, new RegExp(`^${validated} validated$`, "m"), question);
        });
      }
      // drill doesn't know what to do with ANY.
      await eachOf(first.slice(1), async ({ question, found }) => {
        const said = await drill(scene, server.port, keys, question, ofDrill);
        assertMatch(said, /^;; Chase successful\n;; exit status 0$/m, said);
        if (found !== "records") assertMatch(said, /^Existence denied/m, said);
      });
    }
  }
});
