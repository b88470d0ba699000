import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { formatKeyFile } from "../../../../lib/core/zone/server/key_file.ts";
import { UserError } from "../../../../lib/core/settings/user_error.ts";
import { deriveTsigSecret, formatTsigKey } from "../../../../lib/core/zone/tsig_key.ts";
import { readZoneFiles } from "../../../../lib/service/zone/server/zone_files.ts";
import { checkZones, type ServedZone } from "../../../../lib/service/zone/server/zones.ts";
import { portableSigning } from "../../../../lib/wire/crypto/portable_signing.ts";
import type { MakeSigningKey } from "../../../../lib/wire/crypto/signing.ts";
import { PORTABLE } from "../../../../lib/wire/crypto/portable.ts";
import { encodeName } from "../../../../lib/wire/dns/name.ts";
import { type MemoryFile, MemoryHost } from "../../../support/memory_host.ts";
import { test } from "../../../testing.ts";

const SECRETS = [1, 2].map((byte) => new Uint8Array(32).fill(byte));

function zone(name: string, options: Partial<ServedZone> = {}): ServedZone {
  return {
    name,
    interface: "wg0",
    groups: [],
    self: undefined,
    selfAllowedIps: [],
    allowFrom: undefined,
    tsigFiles: [],
    requireTsig: false,
    dnssecKeys: [],
    cds: "publish",
    ttl: 0,
    views: undefined,
    ...options,
  };
}

function file(name: string, secret: Uint8Array, mode = 0o600): MemoryFile {
  return { content: formatTsigKey(encodeName(name), secret), mode };
}

/** The keys of each zone. */
async function keysOf(
  files: Readonly<Record<string, MemoryFile>>,
  zones: readonly ServedZone[],
  secretsOf: (group: number) => readonly Uint8Array[] = () => [],
) {
  const read = await readZoneFiles(new MemoryHost({ files }), zones, secretsOf);
  return zones.map(({ name }) => read.get(name)!.tsig);
}

async function complaint(run: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(run, UserError);
  assert(error instanceof UserError && !error.message.includes("\n"));
  for (const secret of SECRETS) assert(!error.message.includes(encodeBase64(secret).slice(0, 9)));
  return error.message;
}

test("one key is one key, in whatever zones and files it is", async () => {
  const files = {
    "/a": file("ops.test", SECRETS[0]!),
    "/copy": { content: `OPS.test.:${encodeBase64(SECRETS[0]!)}`, mode: 0o600 },
    "/b": file("other.test", SECRETS[0]!),
  };
  const [first, second, third, none] = await keysOf(files, [
    zone("one.test", { tsigFiles: ["/a", "/copy"] }),
    zone("two.test", { tsigFiles: ["/b", "/a"] }),
    zone("three.test", { tsigFiles: ["/copy"] }),
    zone("four.test"),
  ]);
  assertEquals(first!.map(({ text }) => text), ["ops.test"]);
  assertEquals(second!.map(({ text }) => text), ["other.test", "ops.test"]);
  assertEquals(third!.length, 1);
  assert(first![0] === second![1] && first![0] === third![0]);
  assertEquals(none, []);
});

test("a zone has the keys of the secrets of its groups, which files may have as well", async () => {
  const secretsOf = (group: number) => group === 7 ? SECRETS : SECRETS.slice(1);
  const derived = deriveTsigSecret(encodeName("group-9.one.test"), SECRETS[1]!, PORTABLE);
  const [one, two, apart] = await keysOf({ "/derived": file("group-9.one.test", derived) }, [
    zone("one.test", { groups: [7, 9], tsigFiles: ["/derived"] }),
    zone("two.test", { groups: [9] }),
    zone("apart.test", { tsigFiles: ["/derived"] }),
  ], secretsOf);
  assertEquals(one!.map(({ text }) => text), [
    "group-9.one.test",
    "group-7.one.test",
    "group-7.one.test",
  ]);
  assertEquals(two!.map(({ text }) => text), ["group-9.two.test", "two.test"]);
  assert(apart![0] === one![0]);
  assertEquals(SECRETS.map((secret) => secret[0]), [1, 2], "they are not this one's to wipe");
});

test("files with other secrets for one name are refused, and so is what others can read", async () => {
  const files = {
    "/a": file("ops.test", SECRETS[0]!),
    "/b": file("ops.test", SECRETS[1]!),
    "/open": file("open.test", SECRETS[0]!, 0o640),
  };
  const refused = (...tsigFiles: readonly string[]) =>
    complaint(() => keysOf(files, [zone("one.test", { tsigFiles })]));
  assertEquals(
    await refused("/a", "/b"),
    "TSIG key files /a and /b have another secret for the same name ops.test; give one of the keys " +
      "another name",
  );
  assertEquals(
    await refused("/a", "/a"),
    "DNS zone one.test: TSIG key file /a is named twice; leave one of them out",
  );
  assertEquals(
    await refused("/open"),
    "TSIG key file /open can be read by others (mode 0640); mend it with: chmod 600 /open",
  );
  assertEquals(
    await refused("/none"),
    "cannot read TSIG key file /none: no such file or directory; make one with: wgsig keygen tsig " +
      "NAME --output /none",
  );
});

test("views name keys of their zone alone", async () => {
  const files = { "/a": file("ops.test", SECRETS[0]!) };
  const all = { from: undefined, groups: undefined, peers: undefined, interface: undefined };
  const views = [{ ...all, tsig: ["ops.test"] }];
  await keysOf(files, [zone("one.test", { tsigFiles: ["/a"], views })]);
  assertEquals(
    await complaint(() =>
      keysOf(files, [zone("one.test", { tsigFiles: ["/a"] }), zone("two.test", { views })])
    ),
    "DNS zone two.test: view[0].tsig: ops.test is no key of the zone: it has none; name the key's file " +
      "in tsig-files",
  );
});

test("a zone that nobody could ask is refused", async () => {
  const check = (options: Partial<ServedZone>) =>
    checkZones({
      listen: [],
      zones: [zone("one.test", { requireTsig: true, ...options })],
      budget: { bytesPerSecond: 0, burst: 0 },
      allowedIps: new Map(),
    }, [7]);
  check({ tsigFiles: ["/a"] });
  check({ groups: [7] });
  assertEquals(
    await complaint(() => Promise.resolve().then(() => check({}))),
    "DNS zone one.test: nobody can ask with a TSIG, which require-tsig wants; name a key's file " +
      "with --tsig",
  );
});

const ZONE_KEYS = [1, 2, 3, 4, 5].map((byte) => new Uint8Array(32).fill(byte));

function zoneKeyFile(key: Uint8Array, algorithm: 13 | 15 = 13, mode = 0o600): MemoryFile {
  return { content: formatKeyFile(algorithm, key), mode };
}

test("a zone is signed with the keys of its files", async () => {
  const files = { "/a": zoneKeyFile(ZONE_KEYS[0]!), "/b": zoneKeyFile(ZONE_KEYS[1]!, 15) };
  const zones = [
    zone("one.test", { dnssecKeys: ["/a", "/b"] }),
    zone("two.test", { dnssecKeys: ["/a"] }),
    zone("three.test"),
  ];
  const read = await readZoneFiles(new MemoryHost({ files }), zones, () => []);
  const algorithms = zones.map(({ name }) => read.get(name)!.keys.map((key) => key.algorithm));
  assertEquals(algorithms, [[13, 15], [13], []]);
  assertEquals(read.get("three.test")!.secondsPerSignature, 0);
});

test("what is wrong with the keys that sign a zone is said in one line", async () => {
  const [first, second] = ZONE_KEYS;
  const files = {
    "/a": zoneKeyFile(first!),
    "/copy": zoneKeyFile(first!),
    "/open": zoneKeyFile(second!, 13, 0o640),
    "/a.key": { content: "one.test. 300 IN DNSKEY 257 3 13 AAAA", mode: 0o644 },
    "/secret": { content: `${encodeBase64(first!)}\n`, mode: 0o600 },
    "/rsa": { content: "Private-key-format: v1.3\nAlgorithm: 8 (RSASHA256)\n", mode: 0o600 },
  };
  const said = (dnssecKeys: readonly string[], host = new MemoryHost({ files })) =>
    complaint(() => readZoneFiles(host, [zone("one.test", { dnssecKeys })], () => []));
  assertEquals(
    await said(["/none"]),
    "cannot read zone key file /none: no such file or directory; make one with: " +
      "wgsig keygen zone one.test --output /none",
  );
  assertEquals(
    await said(["/open"]),
    "zone key file /open can be read by others (mode 0640); mend it with: chmod 600 /open",
  );
  assertEquals(
    await said(["/a.key"]),
    "zone key file /a.key has the public key; name the file with the private one (of BIND's, that " +
      "which ends in .private)",
  );
  assertMatch(await said(["/secret"]), /^zone key file \/secret is no private key of a zone: /);
  assertMatch(await said(["/rsa"]), /^zone key file \/rsa is of algorithm 8 \(RSASHA256\); /);
  assertEquals(
    await said(["/a", "/a"]),
    "DNS zone one.test: zone key file /a is named twice; leave one of them out",
  );
  assertEquals(
    await said(["/a", "/copy"]),
    "DNS zone one.test: zone key files /a and /copy hold the same key; leave one of them out",
  );
  assertEquals(
    await said(["/a", "/b", "/c", "/d", "/e"]),
    "DNS zone one.test: it has 5 keys to be signed with; name 4 at most",
  );
  const router = new (class extends MemoryHost {
    override readonly signing = undefined;
  })({ files });
  assertEquals(
    await said(["/a"], router),
    "DNS zone one.test: this program for small routers doesn't sign zones; leave dnssec-keys out, " +
      "or run wgsig's larger binary",
  );
});

test("a view's key in a file has no name that a group's key has, unless it is that one", async () => {
  const shared = deriveTsigSecret(encodeName("one.test"), SECRETS[0]!, PORTABLE);
  const files = { "/ops": file("one.test", SECRETS[1]!), "/shared": file("one.test", shared) };
  const view = { from: undefined, groups: undefined, peers: undefined, interface: undefined };
  // Whoever has the group's secret would see what the file's key is to show.
  const views = [{ ...view, tsig: ["one.test"] }, { ...view, tsig: undefined, groups: [7] }];
  const read = (path: string, options: Partial<ServedZone> = { views }) =>
    keysOf(
      files,
      [zone("one.test", { groups: [7], tsigFiles: [path], ...options })],
      () => [SECRETS[0]!, new Uint8Array(32)],
    );
  assertEquals(
    await complaint(() => read("/ops")),
    "DNS zone one.test: a view is for the TSIG key one.test, which is the name of the key in /ops " +
      "and of the one that all of group 7 have; give that in the file another name",
  );
  assertEquals((await read("/shared"))[0]!.length, 4, "two names for two secrets");
  assertEquals((await read("/ops", {}))[0]!.length, 5);
});

test("two keys that resolvers can't tell apart by their tag are refused", async () => {
  // Found by trying: these numbers make keys with the same tag.
  const [one, two] = [31, 60].map((number) => Uint8Array.from([...new Uint8Array(31), number]));
  const files = { "/a": zoneKeyFile(one!), "/b": zoneKeyFile(two!), "/c": zoneKeyFile(two!, 15) };
  const read = (...dnssecKeys: readonly string[]) =>
    readZoneFiles(new MemoryHost({ files }), [zone("one.test", { dnssecKeys })], () => []);
  assertEquals(
    await complaint(() => read("/a", "/b")),
    "DNS zone one.test: zone key files /a and /b hold keys with the same tag 46076; make another in " +
      "the place of one",
  );
  for (const pair of [["/a", "/c"], ["/b", "/c"]]) {
    assertEquals((await read(...pair)).get("one.test")!.keys.length, 2);
  }
});

test("it is tried how fast keys sign, and one that can't is refused", async () => {
  const files = { "/a": zoneKeyFile(ZONE_KEYS[0]!), "/b": zoneKeyFile(ZONE_KEYS[1]!, 15) };
  /** Ed25519 takes 4 ms, ECDSA 1 ms, until it fails. */
  const host = new (class extends MemoryHost {
    isBroken = false;
    signs = 0;
    override readonly signing: MakeSigningKey = (algorithm, privateKey) => ({
      ...portableSigning(algorithm, privateKey),
      sign: () => {
        if (this.isBroken && algorithm === 13) throw new Error("no such curve: hunter2");
        this.signs++;
        this.elapsed += algorithm === 13 ? 0.001 : 0.004;
        return new Uint8Array(64);
      },
    });
  })({ files });
  const zones = [
    zone("one.test", { dnssecKeys: ["/a"] }),
    zone("two.test", { dnssecKeys: ["/b", "/a"] }),
    zone("three.test", { dnssecKeys: ["/a"] }),
  ];
  const read = await readZoneFiles(host, zones, () => []);
  const seconds = zones.map(({ name }) => read.get(name)!.secondsPerSignature.toFixed(4));
  assertEquals(seconds, ["0.0010", "0.0040", "0.0010"]);
  assert(host.signs < 40, "each algorithm is tried once");
  host.isBroken = true;
  assertEquals(
    await complaint(() => readZoneFiles(host, zones, () => [])),
    "zone key file /a is of algorithm 13 (ECDSAP256SHA256), with which this system doesn't sign; use " +
      "one of another (wgsig keygen zone --algorithm)",
  );
});

test("a key from standard input is there at each reload", async () => {
  const read = async (host: MemoryHost, options: Partial<ServedZone>) => {
    const files = await readZoneFiles(host, [zone("one.test", options)], () => []);
    const { keys, tsig } = files.get("one.test")!;
    return [...keys.map(({ tag }) => tag), ...tsig.map(({ text }) => text)];
  };
  const input = formatKeyFile(13, ZONE_KEYS[0]!);
  const signing = new MemoryHost({ input });
  const first = await read(signing, { dnssecKeys: ["-"] });
  assertEquals(await read(signing, { dnssecKeys: ["-"] }), first);
  const asked = new MemoryHost({ input: formatTsigKey(encodeName("ops.test"), SECRETS[0]!) });
  for (let i = 0; i < 2; i++) assertEquals(await read(asked, { tsigFiles: ["-"] }), ["ops.test"]);
});
