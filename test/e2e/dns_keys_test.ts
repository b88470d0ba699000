/** A zone's key files, broken and mended: what is said, and that the server goes on with what it has. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { formatTsigKey } from "../../lib/core/zone/tsig_key.ts";
import { encodeName } from "../../lib/wire/dns/name.ts";
import { BINARY, run, testWith, wgsig } from "../support/program.ts";
import { freeDnsAddress, SERVICE, ZONE } from "./dns_scene.ts";
import { newZoneKey } from "./dnssec_scene.ts";
import { randomBytes, Scene } from "./scene.ts";

const NAME = "ops.example.net";

/** What may be wrong with a file: how it comes to that, and what is said. */
interface Breakage {
  readonly how: (path: string) => Promise<void>;
  readonly says: string;
}

async function rewrite(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o600);
}

/** Of the file of a zone's key, and of a TSIG key. */
function breakages(path: string, what: "zone" | "TSIG"): readonly Breakage[] {
  const file = `${what} key file ${path}`;
  const make = what === "zone"
    ? `make one with: wgsig keygen zone ${ZONE} --output ${path}`
    : `make one with: wgsig keygen tsig NAME --output ${path}`;
  return [
    {
      how: (path) => Deno.remove(path),
      says: `cannot read ${file}: no such file or directory; ${make}`,
    },
    {
      how: async (path) => {
        await rewrite(path, "");
        await Deno.remove(path);
        await Deno.mkdir(path);
      },
      says: `cannot read ${file}: it is a directory`,
    },
    { how: (path) => rewrite(path, "hunter2hunter2\n"), says: file },
    {
      how: (path) => Deno.chmod(path, 0o640),
      says: `${file} can be read by others (mode 0640); mend it with: chmod 600 ${path}`,
    },
  ];
}

async function dig(address: string, ...args: readonly string[]): Promise<string> {
  const [host, port = ""] = address.split(":");
  const common = [`@${host}`, "-p", port, "-r", "+tries=1", "+time=10"];
  return (await run(["dig", ...common, ...args])).out;
}

testWith(["dig"], "dns: key files that break at SIGHUP change nothing, and say why", async () => {
  await using scene = await Scene.open();
  const [first, second] = [await newZoneKey(scene, ZONE), await newZoneKey(scene, ZONE)];
  const tsigTexts = [0, 1].map(() => formatTsigKey(encodeName(NAME), randomBytes(32)));
  const zoneTexts = [await Deno.readTextFile(first.file), await Deno.readTextFile(second.file)];
  const [zonePath, tsigPath] = [`${scene.folder}/zone.key`, `${scene.folder}/tsig.key`];
  await rewrite(zonePath, zoneTexts[0]!);
  await rewrite(tsigPath, tsigTexts[0]!);
  // What a client has, which the server's file has nothing to do with.
  const ours = [`${scene.folder}/first.key`, `${scene.folder}/second.key`] as const;
  await rewrite(ours[0], tsigTexts[0]!);
  await rewrite(ours[1], tsigTexts[1]!);
  const address = freeDnsAddress();
  const signing = ["--dnssec-key", zonePath, "--tsig", tsigPath];
  const server = await scene.serve(["--dns", address, "--zone", ZONE, ...signing]);
  /** That the zone is signed with this key, and asked with that one. */
  const assertKeys = async (tag: string, key: string) => {
    const answer = await dig(address, "+dnssec", "-k", key, SERVICE, "TXT");
    assertMatch(answer, new RegExp(`RRSIG\\s+TXT 13 .* ${tag} ${ZONE}\\. `), answer);
    assertMatch(answer, /TSIG.* NOERROR 0/, answer);
  };
  await assertKeys(first.tag, ours[0]);

  for (
    const [path, what, text] of [
      [zonePath, "zone", zoneTexts[0]!],
      [tsigPath, "TSIG", tsigTexts[0]!],
    ] as const
  ) {
    for (const { how, says } of breakages(path, what)) {
      await how(path);
      const [line] = await server.signal("SIGHUP", /^.* (?:not-)?reloaded.*\n/m);
      assert(line.includes(` error not-reloaded why="${says}`), `${line}\n${says}`);
      assert(line.endsWith(`effect="the settings before stay in force"\n`), line);
      assert(!line.includes("hunter2"), line);
      await assertKeys(first.tag, ours[0]);
      await Deno.remove(path, { recursive: true }).catch(() => {});
      await rewrite(path, text);
    }
  }

  await rewrite(zonePath, zoneTexts[1]!);
  await rewrite(tsigPath, tsigTexts[1]!);
  await server.signal("SIGHUP", / info reloaded .*\n/);
  assertMatch(
    server.running.out,
    new RegExp(` dns-zone zone=${ZONE} .*keys=${second.tag} .*\n`),
    "what is in force now is said",
  );
  await assertKeys(second.tag, ours[1]);
  const former = await dig(address, "-k", ours[0], SERVICE, "TXT");
  assertMatch(former, /status: NOTAUTH.*[^]*BADSIG/, former);

  const { out } = await wgsig(["status", `${server.port}`, "--json"]);
  const { servers }: { servers: readonly { zones: readonly unknown[] }[] } = JSON.parse(out);
  const zones = servers.map(({ zones: [zone] }) => zone);
  assertEquals(zones, [{
    name: ZONE,
    interface: null,
    groups: [0],
    views: 0,
    keys: [{ tag: Number(second.tag), algorithm: 13 }],
    tsig: [NAME, `group-0.${ZONE}`, ZONE],
  }]);
});

Deno.test("dns: key files that are broken at the start are one line", async () => {
  await using scene = await Scene.open();
  const { file } = await newZoneKey(scene, ZONE);
  const [zoneText, tsigText] = [
    await Deno.readTextFile(file),
    formatTsigKey(encodeName(NAME), randomBytes(32)),
  ];
  const dns = ["--dns", "127.0.0.1:0", "--zone", ZONE, "--secret", scene.secretFile];
  for (
    const [what, flag, text] of [
      ["zone", "--dnssec-key", zoneText],
      ["TSIG", "--tsig", tsigText],
    ] as const
  ) {
    const path = `${scene.folder}/broken-${what}`;
    for (const { how, says } of breakages(path, what)) {
      await rewrite(path, text);
      await how(path);
      const { code, out, err } = await run([BINARY, "serve", ...dns, flag, path]);
      assert(err.startsWith(`wgsig: ${says}`), err);
      assertEquals([code, out, err.split("\n").length], [6, "", 2], err);
      assert(!err.includes("hunter2"), err);
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
});
