/**
 * The zone behind recursors, as it is delegated or forwarded to in practice. All of it happens in a
 * namespace without a way out: on port 53, and nobody else is asked.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BINARY, type Running, testWith } from "../support/program.ts";
import { readTool, type ToolAnswer } from "./dns_clients.ts";
import {
  assertBalanced,
  Device,
  DEVICE_NEEDS,
  dnsServer,
  instance,
  listRecords,
  newPeer,
  newPeers,
  SERVICE,
  serviceRecord,
  SOA,
  textRecord,
  ZONE,
} from "./dns_scene.ts";
import { Served, until } from "./scene.ts";

const NEEDS = [...DEVICE_NEEDS, "dig"];
const SERVER = "127.0.0.1";
const RECURSOR = "127.0.0.2";
/** Enough that their list is asked for over TCP. */
const MANY = 100;

const alice = newPeer("198.51.100.7:4711", "10.9.0.2/32", "fd00::2/128");
const bob = newPeer("[2001:db8::7]:51821", "10.9.0.3/32");

/** A recursor: which files it needs, and how it is started; `%` stands for its folder. */
interface Recursor {
  readonly files: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  /** Whether it gives on what is in Additional. */
  readonly givesAdditional?: boolean;
}

const UNBOUND = `server:
  directory: "%"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  interface: ${RECURSOR}
  do-not-query-localhost: no
  module-config: "iterator"
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  use-caps-for-id: yes
remote-control:
  control-enable: no
`;

function unbound(section: "stub" | "forward"): Recursor {
  const zone = `${section}-zone:\n  name: "${ZONE}"\n  ${section}-addr: ${SERVER}\n`;
  return {
    files: { "unbound.conf": UNBOUND + zone },
    argv: ["unbound", "-d", "-c", "%/unbound.conf"],
  };
}

function kresd(action: "STUB" | "FORWARD"): Recursor {
  const config = `net.listen('${RECURSOR}', 53, { kind = 'dns' })
trust_anchors.remove('.')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
cache.open(10 * MB, 'lmdb://%/cache')
cache.min_ttl(0)
policy.add(policy.suffix(policy.${action}('${SERVER}'), policy.todnames({'${ZONE}'})))
`;
  return { files: { config }, argv: ["kresd", "-n", "-c", "%/config", "%"] };
}

const DNSMASQ: Recursor = {
  files: {},
  argv: [
    ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"],
    ...["--pid-file=", "--user=root", "--log-facility=-", `--listen-address=${RECURSOR}`],
    ...["--bind-interfaces", `--server=/${ZONE}/${SERVER}`],
  ],
  givesAdditional: true,
};

const PDNS: Recursor = {
  files: { "recursor.conf": "" },
  argv: [
    ...["pdns_recursor", "--config-dir=%", "--daemon=no", "--disable-syslog=yes"],
    ...["--setuid=", "--setgid=", "--socket-dir=%", "--dnssec=off", "--security-poll-suffix="],
    ...[`--local-address=${RECURSOR}`, "--local-port=53", `--forward-zones=${ZONE}=${SERVER}`],
  ],
};

/** The device, the server on port 53, and a recursor in front of it. */
class Site implements AsyncDisposable {
  readonly device: Device;
  readonly server: Served;

  private constructor(device: Device, server: Served) {
    this.device = device;
    this.server = server;
  }

  static async open({ files, argv }: Recursor): Promise<Site> {
    const peers = [alice, bob];
    const device = await Device.with(...peers);
    try {
      const { namespace } = device;
      const folder = `${namespace.runFolder}/recursor`;
      await Deno.mkdir(folder);
      for (const [name, text] of Object.entries(files)) {
        await Deno.writeTextFile(`${folder}/${name}`, text.replaceAll("%", folder));
      }
      const flags = ["--dns", SERVER, "--zone", ZONE, "--interface", "wg0"];
      const env = { WGSIG_CONFIG: "/dev/null" };
      const { running } = await dnsServer(
        namespace.start([BINARY, "serve", ...flags], { env }),
      );
      const site = new Site(device, new Served(running, 53));
      const recursor = namespace.start(argv.map((arg) => arg.replaceAll("%", folder)));
      await site.#ready(recursor);
      return site;
    } catch (error) {
      await device[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #ready(recursor: Running): Promise<void> {
    await until(`the recursor answers: ${recursor.out}${recursor.err}`, async () => {
      const { status } = await this.dig("+tries=1", "+time=1", ZONE, "SOA");
      return status === "NOERROR" || undefined;
    });
  }

  /** Asks the recursor. */
  async dig(...args: readonly string[]): Promise<ToolAnswer> {
    const argv = ["dig", `@${RECURSOR}`, "-r", "+tries=1", "+time=5", ...args];
    return readTool((await this.device.namespace.run(argv)).out);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.device[Symbol.asyncDispose]();
  }
}

/** Declares a test of all that is asked through a recursor. */
function throughRecursor(
  name: string,
  recursor: Recursor,
  more: (site: Site) => Promise<void> = async () => {},
): void {
  const needs = [...NEEDS, recursor.argv[0]!];
  testWith(needs, `dns: behind ${name}`, async () => {
    const { givesAdditional = false } = recursor;
    await using site = await Site.open(recursor);
    await more(site);
    // Recursors change letters and TTLs.
    const lower = (records: readonly string[]) =>
      records.map((each) => each.toLowerCase().replace(/ \d+ /, " "));
    const expect = (...records: readonly string[]) => lower(records).sort();
    const ask = async (...args: readonly string[]) => {
      const answer = await site.dig(...args);
      assertEquals(answer.status, "NOERROR", answer.text);
      return lower(answer.answer).sort();
    };
    // A stranger first: that there is no such name says nothing of its neighbours.
    const absent = await site.dig(instance(newPeer()), "SRV");
    assertEquals([absent.status, absent.answer], ["NXDOMAIN", []]);
    assertEquals((await site.dig(`_tcp.${ZONE}`, "TXT")).status, "NXDOMAIN");

    assertEquals(await ask(SERVICE, "PTR"), expect(...listRecords([alice, bob])));
    for (const peer of [alice, bob]) {
      const { status, answer, additional } = await site.dig(instance(peer), "SRV");
      assertEquals([status, lower(answer)], ["NOERROR", lower([serviceRecord(peer)])]);
      if (givesAdditional) {
        assertEquals(additional.map((each) => each.split(" ")[2]), [
          peer === alice ? "A" : "AAAA",
          "TXT",
        ]);
      }
      assertEquals(await ask(instance(peer), "TXT"), expect(textRecord(peer)));
    }
    const address = `${instance(alice)} 0 A 198.51.100.7`;
    assertEquals(await ask(instance(alice), "A"), expect(address));
    assertEquals(await ask(instance(alice), "AAAA"), []);
    assertEquals(
      await ask(instance(bob), "AAAA"),
      expect(`${instance(bob)} 0 AAAA 2001:db8::7`),
    );
    assertEquals(await ask(instance(bob), "A"), []);
    assertEquals(await ask(`_udp.${ZONE}`, "TXT"), []);
    const services = `_services._dns-sd._udp.${ZONE}`;
    assertEquals(await ask(services, "PTR"), expect(`${services}. 60 PTR ${SERVICE}.`));
    const none = await site.dig(instance(alice), "MX");
    if (none.authority.length > 0) assertEquals(lower(none.authority), lower([SOA]));

    // A list that the recursor gets over TCP, and gives on over TCP.
    const peers = newPeers(MANY);
    await site.device.setPeers(peers);
    const list = await until("the new list", async () => {
      const found = await ask("+tcp", SERVICE, "PTR");
      return found.length === MANY ? found : undefined;
    }, 20);
    assertEquals(
      list.map((each) => each.split(" ")[2]),
      peers.map((peer) => instance(peer)).sort(),
    );
    // Our own client finds them all there, too.
    const query = [BINARY, "query", `dns://${RECURSOR}/${ZONE}`, "--dump"];
    const { code, out, err } = await site.device.namespace.run(query, {
      env: { WGSIG_CONFIG: "/dev/null" },
    });
    assertEquals([code, err], [0, ""]);
    assertEquals(
      out.trimEnd().split("\n").slice(1).map((line) => line.split("\t").slice(0, 2)).sort(),
      peers.map(({ publicKey, endpoint }) => [publicKey, endpoint]).sort(),
    );
    const counts = await site.server.counters();
    assertBalanced(counts);
    assert((counts["dns-tcp-connections"] ?? 0) > 0, JSON.stringify(counts));
  });
}

throughRecursor(
  "unbound, a stub zone with strict minimisation and 0x20",
  unbound("stub"),
  async (site) => {
    const before = await site.server.counters();
    const { answer: [record = ""] } = await site.dig(instance(alice), "SRV");
    const target = record.split(" ").at(-1) ?? "";
    assertEquals(target.toLowerCase(), instance(alice));
    assert(target !== instance(alice), "unbound asked in lower case");
    // It came down label by label: `_udp` and `_wireguard` have no such records, but do exist.
    const after = await site.server.counters();
    assert((after["dns-nodata"] ?? 0) - (before["dns-nodata"] ?? 0) >= 2, JSON.stringify(after));
    assertEquals(after["dns-nxdomain"], undefined);
  },
);
throughRecursor("unbound, a forward zone", unbound("forward"));
throughRecursor("dnsmasq", DNSMASQ);
throughRecursor("pdns-recursor", PDNS);
throughRecursor("knot-resolver, a stub zone", kresd("STUB"));
throughRecursor("knot-resolver, a forward zone", kresd("FORWARD"));

/** How a home router's dnsmasq comes to leave SRV records out. */
const FILTERS: readonly (readonly [string, readonly string[]])[] = [
  ["filterwin2k", ["--filterwin2k"]],
  ["filter-rr=SRV", ["--filter-rr=SRV"]],
];

for (const [name, filters] of FILTERS) {
  testWith([...NEEDS, "dnsmasq"], `dns: behind dnsmasq with ${name}`, async () => {
    const recursor: Recursor = { ...DNSMASQ, argv: [...DNSMASQ.argv, ...filters] };
    await using site = await Site.open(recursor);
    const query = async (server: string, ...more: readonly string[]) => {
      const argv = [BINARY, "query", `dns://${server}/${ZONE}`, ...more];
      return await site.device.namespace.run(argv, { env: { WGSIG_CONFIG: "/dev/null" } });
    };
    assertEquals((await query(SERVER)).code, 0);
    const { code, out, err } = await query(RECURSOR);
    assertEquals([code, out], [1, ""], err);
    assertStringIncludes(
      err,
      `wgsig: dns://${RECURSOR}:53/${ZONE} names peers without an endpoint (2)`,
    );
    assertStringIncludes(err, "filterwin2k");
    const json = JSON.parse((await query(RECURSOR, "--json")).out);
    assertEquals([json.servers[0].status, json.peers], ["no-endpoints", []]);
  });
}
