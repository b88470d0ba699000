/** Name servers that are asked with a TSIG key: BIND's, Knot's, the own one, and forgers on the way. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatTsigKey } from "../../lib/core/zone/tsig_key.ts";
import { encodeName } from "../../lib/wire/dns/name.ts";
import { instanceOf } from "../support/dns_messages.ts";
import { otherClock } from "../support/faketime.ts";
import { BINARY, testWith, wgsig } from "../support/program.ts";
import { forgeries, TsigDouble, tsigKey } from "../support/tsig_double.ts";
import { doublePeer, ZoneDouble } from "../support/zone_double.ts";
import { ZoneServer } from "../support/zone_server.ts";
import { dnsServer, freeDnsAddress, ZONE } from "./dns_scene.ts";
import { Scene, until } from "./scene.ts";

/** More than an answer over UDP has room for. */
const MANY = 40;
const PEERS = Array.from(
  { length: MANY },
  (_, i) => doublePeer((i + 1) * 2 ** 16, { txt: ["txtvers=1", `allowed=10.9.0.${i}/32`] }),
);

/** The zone as a file for name servers. Base32's padding is escaped: it is no letter of a host's name. */
function zoneFile(): string {
  const own = ["$TTL 60", `${ZONE}. SOA ns1 host 1 60 60 60 60`, `${ZONE}. NS ns1`];
  const peers = PEERS.flatMap(({ publicKey, addresses, port, txt }) => {
    const name = `${instanceOf(publicKey, ZONE).replaceAll("=", "\\061")}.`;
    const strings = (txt ?? []).map((each) => `"${each}"`).join(" ");
    return [
      ...[`_wireguard._udp PTR ${name}`, `${name} SRV 0 0 ${port} ${name}`],
      ...[`${name} A ${addresses[0]}`, `${name} TXT ${strings}`],
    ];
  });
  return [`$ORIGIN ${ZONE}.`, ...own, "ns1 A 127.0.0.1", ...peers, ""].join("\n");
}

/** A name server in a folder, which answers who has the key alone. */
interface NameServer {
  readonly config: (folder: string, port: string, key: string) => string;
  readonly argv: readonly string[];
}

const NAME_SERVERS: Readonly<Record<string, NameServer>> = {
  named: {
    config: (folder, port, key) =>
      `include "${key}";\noptions { directory "${folder}"; pid-file none; session-keyfile none;
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no;
  dnssec-validation no; allow-query { key "${ZONE}"; }; };\ncontrols { };
zone "${ZONE}" { type primary; check-names ignore; file "${folder}/zone"; };\n`,
    argv: ["named", "-g", "-c"],
  },
  knotd: {
    config: (folder, port, key) => {
      const [, secret] = /secret "(.*)"/.exec(Deno.readTextFileSync(key)) ?? [];
      return `server:\n  rundir: ${folder}\n  listen: 127.0.0.1@${port}\n  user: root:root
database:\n  storage: ${folder}/db\nkey:\n  - id: ${ZONE}\n    algorithm: hmac-sha256
    secret: ${secret}\nacl:\n  - id: asks\n    key: ${ZONE}\n    action: query
zone:\n  - domain: ${ZONE}\n    file: ${folder}/zone\n    semantic-checks: off\n    acl: asks\n`;
    },
    argv: ["knotd", "-c"],
  },
};

async function newKey(scene: Scene, file: string, ...args: readonly string[]): Promise<string> {
  const path = `${scene.folder}/${file}`;
  const { code, err } = await wgsig(["keygen", "tsig", ...args, "--output", path]);
  assertEquals([code, err], [0, ""]);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  return path;
}

async function query(
  server: string,
  ...args: readonly string[]
): Promise<[number, string, string]> {
  const { code, out, err } = await wgsig(["query", server, "--dump", ...args]);
  return [code, out, err];
}

/** The lines of the peers, without the first. */
function peersIn(dump: string): string[] {
  return dump.split("\n").slice(1, -1).map((line) => line.split("\t").slice(0, 2).join(" ")).sort();
}

const EXPECTED = PEERS.map(({ publicKey, addresses, port }) =>
  `${publicKey} ${addresses[0]}:${port}`
).sort();

for (const [program, { config, argv }] of Object.entries(NAME_SERVERS)) {
  testWith([program, "root", "faketime"], `tsig: ${program} is asked with a key`, async () => {
    await using scene = await Scene.open();
    const { folder } = scene;
    const [host, port = ""] = freeDnsAddress().split(":");
    const key = await newKey(scene, "a.key", ZONE);
    await Deno.mkdir(`${folder}/db`);
    await scene.file("zone", zoneFile());
    const settings = await scene.file("config", config(folder, port, key));
    const start = async (env: Record<string, string> = {}) => {
      const running = scene.start([...argv, settings], { env });
      const connects = () => Deno.connect({ hostname: host!, port: Number(port) });
      const connected = await until(`${program} listens`, () => connects().catch(() => undefined));
      connected.close();
      return running;
    };
    const server = `dns://127.0.0.1:${port}/${ZONE}`;
    const running = await start();
    // Knot answers SERVFAIL until the zone is there.
    await until("the zone", async () => {
      const [code, out, err] = await query(server, "--tsig", key);
      if (code !== 0) return undefined;
      assertEquals([peersIn(out), err], [EXPECTED, ""]);
      return true;
    });
    const made = await wgsig(["config", "--server", server, "--tsig", `${ZONE}=${key}`]);
    assertEquals([made.code, made.err], [0, ""]);
    assertEquals(made.out.match(/^AllowedIPs = 10\.9\.0\.\d+\/32$/gm)?.length, MANY);

    // Nobody waits until that is over.
    const long = ["--timeout", "1h", "--tsig"];
    const strange = await query(server, ...long, await newKey(scene, "b.key", "other.example"));
    assertEquals(strange.slice(0, 2), [4, ""]);
    assertStringIncludes(
      strange[2],
      `wgsig: ${server} says that it doesn't know the key other.example (BADKEY, not authenticated)`,
    );
    const wrong = await query(server, ...long, await newKey(scene, "c.key", ZONE));
    assertEquals(wrong.slice(0, 2), [4, ""]);
    assertStringIncludes(
      wrong[2],
      `wgsig: ${server} says that it has another secret for the key ${ZONE} (BADSIG, not authenticated)`,
    );

    // BIND's doesn't bear libfaketime.
    if (program === "named") return;
    await running.stop();
    await start(await otherClock("-2h"));
    const [code, out, err] = await until("the zone", async () => {
      const answer = await query(server, "--tsig", key);
      return answer[0] === 0 ? answer : undefined;
    });
    assertEquals([code, peersIn(out)], [0, EXPECTED], err);
    assertMatch(
      err,
      /^wgsig: this host's clock is (7200|719\d|720\d) s ahead of that of dns:.*\n$/,
    );
  });
}

Deno.test("tsig: the own server is asked with the key of the group's secret", async () => {
  await using scene = await Scene.open();
  const address = freeDnsAddress();
  const served = await scene.serve(["--dns", address, "--zone", ZONE, "--require-tsig"]);
  await dnsServer(served.running);
  const peer = scene.peer();
  await peer.ask(served.port);
  const server = `dns://${address}/${ZONE}`;
  const key = await newKey(scene, "a.key", ZONE, "--secret", scene.secretFile);
  const [code, out, err] = await query(server, "--tsig", key);
  assertEquals([code, peersIn(out), err], [0, [`${peer.publicKey} ${peer.endpoint}`], ""]);
  const without = await query(server);
  assertEquals(without[0], 1);
  assertMatch(
    without[2],
    /^wgsig: dns:\S+ refuses to answer for \S+ \(REFUSED\): .*require-tsig.*: tsig-files here\)\n$/,
  );
});

Deno.test("tsig: whoever forges before each answer gives no peer another place", async () => {
  await using scene = await Scene.open();
  const file = await scene.file(
    "a.key",
    formatTsigKey(encodeName("wg.example.com"), new Uint8Array(32).fill(7)),
  );
  for (const udpSize of [1100, 0]) {
    const zone = new ZoneDouble({ zone: ZONE, peers: PEERS, udpSize });
    const signing = new TsigDouble(zone, tsigKey(ZONE), Date.now() / 1000);
    await using server = new ZoneServer({
      zone,
      udp: (question, send) => {
        for (const forged of forgeries(question, PEERS)) send(forged);
        send(signing.answer(question, "udp"));
      },
      tcp: (question, stream) => {
        const answer = signing.answer(question, "tcp");
        stream.send(Uint8Array.of(answer.length >> 8, answer.length & 255, ...answer));
      },
    });
    const name = `dns://127.0.0.1:${server.port}/${ZONE}`;
    const [code, out, err] = await query(name, "--tsig", file);
    assertEquals([code, peersIn(out)], [0, EXPECTED], err);
    assertMatch(
      err,
      /^wgsig: dns:\S+: \d+ answers that aren't signed with the key \S+ were left out/,
    );
    const made = await wgsig(["config", "--server", name, "--tsig", file]);
    assert(!made.out.includes("0.0.0.0/0") && !made.out.includes("192.0.2.66"), made.out);
  }
});

Deno.test("tsig: what is wrong with keys is one line, and at SIGHUP changes nothing", async () => {
  await using scene = await Scene.open();
  const key = await newKey(scene, "a.key", ZONE);
  const server = `dns://127.0.0.1:9/${ZONE}`;
  const [, secret = ""] = /secret "(.*)"/.exec(await Deno.readTextFile(key)) ?? [];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ["--tsig", `${key}.none`],
      /TSIG key file .*; make one with: wgsig keygen tsig NAME --output /,
    ],
    [
      ["--tsig", `other.example=${key}`],
      /a key for other\.example, and no dns:\/\/ server is asked/,
    ],
    [["--tsig", key, "--tsig", key], /two keys for all zones: leave one out/],
    [["--tsig", `hmac-sha256:${ZONE}:${secret}`], /got what belongs into the file/],
    [["--tsig", `${ZONE}=${ZONE}:${secret}`], /got what belongs into the file/],
    [["--tsig", await scene.file("b.key", secret)], /b\.key: expected key "NAME"/],
  ];
  for (const [args, wanted] of cases) {
    const [code, out, err] = await query(server, ...args);
    assertEquals([code, out, err.split("\n").length], [6, "", 2], err);
    assertMatch(err, wanted);
    assert(!err.includes(secret), err);
  }
  const settings = await scene.file(
    "wgsig.toml",
    `[sync.nosuch0]\nservers = ["${server}"]\ntsig-files = ["a.key"]\n`,
  );
  const running = scene.start([BINARY, "sync", "nosuch0", "--config", settings]);
  await running.printed(/ waiting interface=nosuch0\n/);
  await Deno.chmod(key, 0o644);
  running.signal("SIGHUP");
  await running.printed(
    / error not-reloaded why="TSIG key file .*a\.key can be read by others .*\n/,
  );
  await Deno.chmod(key, 0o600);
  running.signal("SIGHUP");
  await running.printed(/ info reloaded .*\n/);
});
