/**
 * A registry's group as a signed zone that is delegated to: resolvers begin at a root that they trust,
 * and nothing else, which Knot DNS serves. All of it happens in a namespace without a way out, on port 53.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { must } from "../lab/namespace.ts";
import { BINARY, testWith } from "../support/program.ts";
import { Device, DEVICE_NEEDS, dnsServer, instance, newPeer, ZONE } from "./dns_scene.ts";
import { newZoneKey, type TestZoneKey } from "./dnssec_scene.ts";
import { delv, digAll, drill, type Place, Validator } from "./dnssec_validators.ts";
import { randomBytes, Scene, until } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig", "delv", "drill", "unbound", "kresd", "knotd"]
  .concat("ldns-signzone", "ldns-key2ds");
const ABOVE = "example.com";
const [PARENT, SERVER, ELSEWHERE] = ["192.0.2.1", "192.0.2.53", "192.0.2.77"] as const;
const RESOLVERS = { unbound: "192.0.2.2", kresd: "192.0.2.3" } as const;
const REGISTRY_PORT = 51820;

/**
 * Starts Knot DNS with a root and a zone below it, which are signed, and delegate to each other and to the
 * zone of the peers. Returns the root's key.
 */
async function startParent(
  scene: Scene,
  place: Place,
  below: TestZoneKey,
): Promise<TestZoneKey> {
  const above = await newZoneKey(scene, ABOVE);
  const folder = `${scene.folder}/parent`;
  await Deno.mkdir(folder);
  await Deno.copyFile(above.file, `${folder}/key.private`);
  const zone = async (origin: string, ...lines: readonly string[]) => {
    // The key's own name isn't in its file, so that both can have the same.
    await Deno.writeTextFile(`${folder}/key.key`, `${origin} IN DNSKEY ${above.dnskey}\n`);
    const file = `${folder}/zone${origin}`;
    const text = [
      `${origin} IN SOA ns.${ABOVE}. . 1 3600 600 86400 60`,
      ...[`${origin} IN NS ns.${ABOVE}.`, `ns.${ABOVE}. IN A ${PARENT}`],
      ...lines,
    ];
    await Deno.writeTextFile(`${file}unsigned`, `$TTL 60\n${text.join("\n")}\n`);
    await must(["ldns-signzone", "-f", file, `${file}unsigned`, `${folder}/key`]);
    return `  - domain: "${origin}"\n    file: "${file}"\n`;
  };
  const zones = [
    await zone(
      `${ABOVE}.`,
      ...[
        `${ZONE}. IN NS ns1.${ZONE}.`,
        `ns1.${ZONE}. IN A ${SERVER}`,
        `${ZONE}. IN DS ${below.ds}`,
      ],
    ),
    await zone(".", `${ABOVE}. IN NS ns.${ABOVE}.`, `${ABOVE}. IN DS ${above.ds}`),
  ];
  const ds = await must(["ldns-key2ds", "-n", "-2", `${folder}/key.key`]);
  await Deno.writeTextFile(
    `${folder}/knot.conf`,
    `server:\n  rundir: "${folder}"\n  listen: ${PARENT}@53\n  user: root:root\n` +
      `database:\n  storage: "${folder}"\nzone:\n${zones.join("")}`,
  );
  const running = place.within.start(["knotd", "-c", `${folder}/knot.conf`]);
  await until(`knotd answers: ${running.out}${running.err}`, async () => {
    const [answer] = await digAll(place, [`${ABOVE} SOA`]).catch(() => []);
    return answer?.status === "NOERROR" || undefined;
  });
  return { ...above, zone: "", ds: ds.replace(/^.*\sDS\s+/, "").trim().replaceAll("\t", " ") };
}

/** Records without how long they are still remembered. */
function withoutTtl(records: readonly string[] = []): string[] {
  return records.map((record) => record.replace(/ \d+ /, " "));
}

testWith(NEEDS, "dnssec: a registry's group, delegated to, found from a root", async () => {
  await using scene = await Scene.open();
  await using device = await Device.absent();
  const { namespace: within } = device;
  await within.ip(
    ...[PARENT, SERVER, ELSEWHERE, ...Object.values(RESOLVERS)].map((address) =>
      `addr add ${address}/32 dev lo`
    ),
  );
  const below = await newZoneKey(scene, ZONE);
  const root = await startParent(scene, { within, host: PARENT }, below);
  const config = await scene.file(
    "wgsig.toml",
    `[serve]\nlisten = ["${SERVER}:${REGISTRY_PORT}", "${ELSEWHERE}:${REGISTRY_PORT}"]\n` +
      `[serve.dns]\nlisten = ["${SERVER}"]\nzone = "${ZONE}"\nttl = "1s"\n` +
      `dnssec-keys = ["${below.file}"]\n`,
  );
  await dnsServer(
    within.start([BINARY, "serve", "--config", config, "--secret", scene.secretFile]),
  );
  const server = { within, host: SERVER };

  const peer = { publicKey: encodeBase64(randomBytes(32)), endpoint: undefined, allowedIps: [] };
  const register = (address: string, port: number) =>
    within.must([
      ...[BINARY, "query", `${address}:${REGISTRY_PORT}`, "--secret", scene.secretFile],
      ...["--key", peer.publicKey, "--port", `${port}`],
    ]);
  await register(SERVER, 4711);
  const name = instance(peer);
  const asked = [`${name} SRV`, `${name} A`, `${name} TXT`];

  const validators = await Promise.all(
    (["unbound", "kresd"] as const).map((kind) =>
      Validator.start(scene, kind, {
        anchors: [root],
        server: PARENT,
        at: { within, host: RESOLVERS[kind] },
      })
    ),
  );
  for (const validator of validators) {
    // Nothing is known yet but the root.
    const [srv, a, txt, ds] = await validator.trusts([...asked, `${ZONE} DS`]);
    // The target comes back as it was asked for: in letters that the resolver drew.
    assertEquals(withoutTtl(srv?.answer).map((record) => record.toLowerCase()), [
      `${name} srv 0 0 4711 ${name}`,
    ]);
    assertEquals(withoutTtl(a?.answer), [`${name} A ${SERVER}`]);
    assertMatch(txt?.answer[0] ?? "", / "seen=\d+"$/);
    // The DS of the apex is the zone above's to say.
    assertEquals(ds?.answer.length, 1);
    const absent = [`nope.${ZONE} A`, `${instance(newPeer())} SRV`, `*.${ZONE} TXT`];
    const nothing = [`${ZONE} MX`, `_udp.${ZONE} A`, `${name} AAAA`, `${name} DS`];
    for (const { answer, text } of await validator.trusts([...absent, ...nothing])) {
      assertEquals(answer, [], text);
    }
    // Whoever trusts the resolver's word no more than anyone's follows the chain through it.
    for (const question of [`${name} SRV`, `nope.${ZONE} A`]) {
      assertMatch(await delv(scene, validator.where, [root], question), /fully validated$/m);
      const said = await drill(scene, validator.where, [root], question);
      assertMatch(said, new RegExp(`^ *\\|---${ZONE}\\. \\(DS keytag: ${below.tag} `, "m"));
      assertMatch(said, /^;; Chase successful\n;; exit status 0$/m, said);
    }
  }
  // The server that is asked for its own DS has none, and proves that it isn't the one to ask.
  const [own] = await digAll(server, [`${ZONE} DS`], "+dnssec");
  assertEquals([own?.status, own?.flags, own?.answer], ["NOERROR", "qr aa rd", []]);
  const proof = own?.authority.find((record) => / NSEC /.test(record)) ?? "";
  assertMatch(proof, / NSEC \S+ NS SOA RRSIG NSEC DNSKEY /);

  // Whoever moves is found there as soon as the TTL is over.
  await register(ELSEWHERE, 4712);
  for (const validator of validators) {
    await until("the peer has moved", async () => {
      const [srv, a] = await validator.trusts(asked);
      if (!srv?.answer[0]?.includes(" SRV 0 0 4712 ")) return undefined;
      return withoutTtl(a?.answer)[0] === `${name} A ${ELSEWHERE}` || undefined;
    });
    const { host } = validator.where as Place;
    const query = ["query", `dns://${host}/${ZONE}`, "--json"];
    const { peers } = JSON.parse(await within.must([BINARY, ...query]));
    assertEquals(peers[0]?.endpoint, `${ELSEWHERE}:4712`);
  }
});
