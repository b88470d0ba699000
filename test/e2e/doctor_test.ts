/**
 * `wgsig doctor` with a registry on loopback and programs that play `wg`, `ip` and `nft`: each thing
 * is broken on purpose, by itself.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { type Finished, wgsig } from "../support/program.ts";
import { dnsServer, freeDnsAddress, ZONE } from "./dns_scene.ts";
import { randomBytes, Scene, type Served } from "./scene.ts";

const FAILED = 1;
const NAME = "wg7";
const PORT = 51_820;

/** What the host is told to be. */
interface Case {
  /** Keys of `[sync.wg7]`, as TOML has them; beside or instead of the usual ones. */
  readonly settings?: Readonly<Record<string, string | undefined>>;
  /** After that. */
  readonly more?: string;
  /** What `wg`, `ip` and `nft` do, as shell scripts, instead of what they usually do. */
  readonly programs?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** A host whose programs are played. */
class Patient {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly peer = encodeBase64(randomBytes(32));
  readonly #scene: Scene;
  readonly #served: Served;

  private constructor(scene: Scene, served: Served, keys: readonly [string, string]) {
    this.#scene = scene;
    this.#served = served;
    [this.privateKey, this.publicKey] = keys;
  }

  static async in(scene: Scene, served: Served): Promise<Patient> {
    const privateKey = (await wgsig(["keygen", "private"])).out.trim();
    const { out } = await wgsig(["keygen", "public"], { input: `${privateKey}\n` });
    await scene.file("key", `${privateKey}\n`);
    return new Patient(scene, served, [privateKey, out.trim()]);
  }

  /** What `wg show wg7 dump` prints. */
  dump(port = PORT, allowedIps = "10.9.0.2/32"): string {
    const handshake = Math.floor(Date.now() / 1000) - 9;
    const peer = [this.peer, "(none)", "203.0.113.9:51820", allowedIps, handshake, 1, 1, 25];
    return `printf '%s\\n' '${[this.privateKey, this.publicKey, port, "off"].join("\t")}' ` +
      `'${peer.join("\t")}'`;
  }

  wg(dump = this.dump()): string {
    return `case "$*" in
--version) echo 'wireguard-tools v1.0.0 - played' ;;
*private-key) echo '${this.privateKey}' ;;
*dump) ${dump} ;;
esac`;
  }

  ip(flags = "POINTOPOINT,NOARP,UP,LOWER_UP", mtu = 1420): string {
    return `case "$*" in
"-o link show dev ${NAME}") echo '7: ${NAME}: <${flags}> mtu ${mtu} qdisc noqueue' ;;
*"link show dev eth0") echo '2: eth0: <UP> mtu 1500 qdisc noqueue' ;;
*"route get"*) echo 'somewhere via 192.168.77.1 dev eth0 src 192.168.77.2' ;;
"-o addr show") echo '2: eth0    inet 192.168.77.2/24 brd + scope global eth0' ;;
esac`;
  }

  /** Runs `doctor`. */
  async doctor(
    { settings = {}, more = "", programs = {}, args = [NAME] }: Case,
  ): Promise<Finished> {
    const { folder } = this.#scene;
    const rows: Record<string, string | undefined> = {
      servers: `["${this.#served.address}"]`,
      "server-key": `"${this.#served.key}"`,
      "secret-file": `"${this.#scene.secretFile}"`,
      "private-key-file": `"${folder}/key"`,
      "port-map": '"off"',
      ...settings,
    };
    const lines = Object.entries(rows).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key} = ${value}\n`]
    );
    const config = await this.#scene.file(
      "wgsig.toml",
      `[sync.${NAME}]\n${lines.join("")}${more}`,
    );
    const bin = await Deno.makeTempDir({ dir: folder, prefix: "bin-" });
    const played = { wg: this.wg(), ip: this.ip(), nft: "true", iptables: "exit 1", ...programs };
    for (const [name, script] of Object.entries({ ...played, ip6tables: "exit 1" })) {
      if (script === "") continue;
      await Deno.writeTextFile(`${bin}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    for (const name of ["readlink", "uname"]) await Deno.symlink(`/bin/${name}`, `${bin}/${name}`);
    return await wgsig(["doctor", "--config", config, ...args], { env: { PATH: bin } });
  }
}

/** Checks that one thing is said to be bad, and that the rest was looked at all the same. */
function assertBad({ code, out, err }: Finished, line: RegExp, bad = 1): void {
  assertEquals([code, err], [FAILED, ""], out);
  assertMatch(out, line);
  assertEquals(out.match(/^bad /gm)?.length, bad, out);
  assertMatch(out, /^ok {4}versions /m);
  assertMatch(out, /^(?:ok|warn) +sync /m);
}

Deno.test("doctor: where all is well it ends with 0, and registers nobody", async () => {
  await using scene = await Scene.open();
  const served = await scene.serve(["--listen", "127.0.0.1:0"]);
  const patient = await Patient.in(scene, served);
  scene.end("127.0.0.1", PORT);
  const { code, out, err } = await patient.doctor({});
  assertEquals([code, err], [0, ""], out);
  for (
    const line of [
      /^ok {4}interface {4}wg7 is up, with the key /m,
      new RegExp(`^ok {4}udp {10}${served.address} over IPv4 answers in [\\d.]+ ms, wgsig 2$`, "m"),
      /^ok {4}clock {8}agrees with /m,
      /^ok {4}secret {7}the same as that of /m,
      /^ok {4}server-key {3}.* has the one that is pinned$/m,
      /^ok {4}proof {8}.* takes it$/m,
      /^ok {4}nat {10}easy, since there is none: /m,
      /^ok {4}allowed-ips {2}none overlaps/m,
      /^ok {4}handshake {4}with 1 of 1 peers, the oldest \d+ s ago$/m,
      /^ok {4}mtu {10}1420, of 1500 on eth0$/m,
    ]
  ) assertMatch(out, line);
  assertEquals(out.includes(patient.privateKey), false);
  assertEquals((await served.counters()).peers, 0);

  const json = await patient.doctor({ args: [NAME, "--json"] });
  const { schema, interface: name, status, checks } = JSON.parse(json.out);
  assertEquals([json.code, schema, name, status], [0, 1, NAME, 0]);
  assert(Array.isArray(checks) && checks.length > 20);
  const lines = out.split("\n").filter((line) => line !== "");
  assertEquals(checks.map(({ check }) => check), lines.map((line) => line.split(/ +/)[1]));
});

Deno.test("doctor: files that are wrong", async () => {
  await using scene = await Scene.open();
  const patient = await Patient.in(scene, await scene.serve());
  await Deno.chmod(scene.secretFile, 0o644);
  const open = await patient.doctor({});
  assertBad(open, /^bad +secret-file .*can be read by others.*; mend it: chmod 600 \S+$/m, 2);
  assertMatch(open.out, /^bad +udp +nobody was asked: the secret can't be read$/m);
  await Deno.chmod(scene.secretFile, 0o600);
  assertBad(
    await patient.doctor({ settings: { "secret-file": `"${scene.folder}/none"` } }),
    /^bad +secret-file .*no such file/m,
    2,
  );
  assertBad(
    await patient.doctor({
      settings: { "private-key-file": '"/nowhere/key"' },
      programs: { wg: "exit 1" },
    }),
    /^bad +proof +cannot read private key file \/nowhere\/key: no such file/m,
    3,
  );
  assertBad(await patient.doctor({ more: "nonsense" }), /^bad +settings .*Parse error/m);
  assertBad(
    await patient.doctor({ settings: { servers: "[]", "server-key": "[]" } }),
    /^bad +settings .*names no servers/m,
  );
});

Deno.test("doctor: a registry that is silent, has another secret, or another key", async () => {
  await using scene = await Scene.open();
  const served = await scene.serve();
  const patient = await Patient.in(scene, served);
  const free = await scene.freePort();
  const servers = `["${served.address}", "127.0.0.1:${free}", "nowhere.invalid"]`;
  const some = await patient.doctor({
    settings: { servers, "server-key": `["${served.address}=${served.key}"]` },
  });
  assertBad(
    some,
    new RegExp(`^bad +udp +no answer from 127\\.0\\.0\\.1:${free}: nothing listens`, "m"),
    2,
  );
  assert(!new RegExp(`secret +127\\.0\\.0\\.1:${free}`).test(some.out), some.out);
  assertMatch(some.out, /^bad +name +nowhere\.invalid:1223: /m);
  assertMatch(some.out, new RegExp(`^ok +udp +${served.address} over IPv4 answers`, "m"));

  const { path } = await scene.secretIn("other");
  const other = await patient.doctor({ settings: { "secret-file": `"${path}"` } });
  assertBad(other, /^bad +udp +no answer from /m);
  assertMatch(
    other.out,
    /^warn +secret +.*it can't be reached, or .*; mend it: .*drop-not-opened/m,
  );
  // That is what the registry counts then.
  await served.signal("SIGUSR1", /drop-not-opened=[1-9]/);

  const key = encodeBase64(randomBytes(32));
  assertBad(
    await patient.doctor({ settings: { "server-key": `"${key}"` } }),
    /^bad +server-key .* has the key /m,
  );
  const none = await patient.doctor({ settings: { "server-key": undefined } });
  assertMatch(none.out, /^warn +server-key .*isn't pinned/m);
  assertStringIncludes(none.out, `server-key = "${served.address}=${served.key}"`);
  assertEquals(none.code, 0);
});

Deno.test("doctor: a zone with the right key, another secret, none, and no server", async () => {
  await using scene = await Scene.open();
  const address = freeDnsAddress();
  const served = await scene.serve(["--dns", address, "--zone", ZONE, "--require-tsig"]);
  await dnsServer(served.running);
  await scene.peer().ask(served.port);
  const patient = await Patient.in(scene, served);
  const server = `dns://${address}/${ZONE}`;
  const servers = `["${served.address}", "${server}"]`;
  const key = async (name: string, ...args: readonly string[]) => {
    const path = `${scene.folder}/${name}`;
    assertEquals((await wgsig(["keygen", "tsig", ZONE, ...args, "--output", path])).code, 0);
    return { servers, "tsig-files": `["${path}"]` };
  };
  const right = await key("right", "--secret", scene.secretFile);
  const { code, out, err } = await patient.doctor({ settings: right });
  assertEquals([code, err], [0, ""], out);
  const line =
    `ok    zone         ${server} answers for ${ZONE}, 1 peer, signed with the key ${ZONE}\n`;
  assertStringIncludes(out, line);

  const other = await key("other");
  const wrong = await patient.doctor({ settings: other });
  assertBad(wrong, /^bad +zone +dns:.* another secret .* \(BADSIG,.*; mend it: copy the key file/m);
  assertMatch(wrong.out, /^ok +udp /m);
  assertBad(
    await patient.doctor({ settings: { servers } }),
    /^bad +zone +dns:\S+ refuses to answer for .*; mend it: check .* tsig-files/m,
  );
  await Deno.chmod(`${scene.folder}/right`, 0o644);
  const open = await patient.doctor({ settings: right });
  assertBad(open, /^bad +tsig +.*can be read by others/m, 2);
  assertMatch(open.out, /^bad +zone +cannot ask dns:\S+: the TSIG keys can't be had$/m);

  await served.running.stop();
  assertBad(
    await patient.doctor({ settings: { ...other, servers: `["${server}"]` } }),
    /^bad +zone +no answer from dns:\S+: nothing listens .*; mend it: start wgsig serve --dns$/m,
  );
});

Deno.test("doctor: a registry that wants a proof, where the private key isn't known", async () => {
  await using scene = await Scene.open();
  const settings = await scene.file(
    "serve.toml",
    `[[serve.group]]\nid = 0\nproof = "required"\nsecret-file = "${scene.secretFile}"\n`,
  );
  const served = await scene.serveWith(["--listen", "127.0.0.1:0", "--config", settings]);
  const patient = await Patient.in(scene, served);
  const wg = patient.wg().replace(/^\*private-key\).*$/m, "*private-key) echo '(none)' ;;");
  const unproved = { settings: { "private-key-file": undefined }, programs: { wg } };
  const { out } = await patient.doctor(unproved);
  assertMatch(
    out,
    /^warn +proof +the private key isn't known.*; mend it: set private-key-file/m,
  );
  await scene.file("other", (await wgsig(["keygen", "private"])).out);
  assertBad(
    await patient.doctor({
      settings: { "private-key-file": `"${scene.folder}/other"` },
      programs: { wg },
    }),
    /^bad +proof +private-key-file has the key of another interface/m,
  );
  assertMatch((await patient.doctor({})).out, /^ok +proof .* takes it$/m);
});

Deno.test("doctor: an interface that is missing, down, without a port, or cut", async () => {
  await using scene = await Scene.open();
  const patient = await Patient.in(scene, await scene.serve());
  const program = (name: string, script: string) =>
    patient.doctor({ programs: { [name]: script } });
  const missing = "echo 'Unable to access interface: No such device' >&2; exit 1";
  assertBad(
    await program("wg", `[ "$1" = --version ] && echo played && exit; ${missing}`),
    /^bad +interface +there is no WireGuard interface wg7; mend it: wg-quick up wg7$/m,
  );
  const gone = await program("wg", "");
  assertEquals(gone.code, FAILED);
  assertMatch(
    gone.out,
    /^bad +versions .*cannot run wg: no such file.*; mend it: install wireguard-tools$/m,
  );
  assertMatch(gone.out, /^ok +udp /m);
  assertBad(
    await program("ip", patient.ip("POINTOPOINT,NOARP")),
    /^bad +interface +wg7 is down; mend it: ip link set wg7 up$/m,
  );
  assertBad(
    await program("wg", patient.wg(patient.dump(0))),
    /^bad +listen-port .*mend it: wg set wg7/m,
  );
  assertBad(
    await program("ip", patient.ip("UP", 1500)),
    /^bad +mtu +1500 .*; mend it: ip link set dev wg7 mtu 1420/m,
  );
  const hung = await program("wg", "exec /bin/sleep 30");
  assertEquals(hung.code, FAILED);
  assertMatch(hung.out, /^bad +interface +it took more than /m);
  assertMatch(hung.out, /^ok +udp /m);
});

Deno.test("doctor: AllowedIPs, forwarding, and a firewall that are in the way", async () => {
  await using scene = await Scene.open();
  const patient = await Patient.in(scene, await scene.serve());
  const wg = (allowedIps: string) => patient.wg(patient.dump(PORT, allowedIps));
  assertBad(
    await patient.doctor({ programs: { wg: wg("192.168.77.0/24") } }),
    /^bad +allowed-ips +192\.168\.77\.0\/24 of \S+ is a network of this host/m,
  );
  const into = patient.ip().replace("via 192.168.77.1 dev eth0", `dev ${NAME}`);
  assertBad(
    await patient.doctor({ programs: { wg: wg("0.0.0.0/0"), ip: into } }),
    /^bad +allowed-ips +127\.0\.0\.1:\d+ \(127\.0\.0\.1\) is reached through the tunnel/m,
  );
  const peers = [["bob", patient.peer], ["eve", encodeBase64(randomBytes(32))]].map(([name, key]) =>
    `[[peer]]\nname = "${name}"\npublic-key = "${key}"\nallowed-ips = ["10.9.0.2/32"]\n`
  );
  assertBad(
    await patient.doctor({ more: peers.join("") }),
    /^bad +allowed-ips +twice: 10\.9\.0\.2\/32 of bob and eve/m,
  );
  const nft =
    "printf 'type filter hook input priority filter; policy drop;\\ntcp dport 22 accept\\n'";
  assertMatch(
    (await patient.doctor({ programs: { nft } })).out,
    /^warn +firewall +nftables drops.*51820.*; mend it: nft insert rule/m,
  );
});
