/** `wgsig serve --tsig`: what dig, kdig and nsupdate say of answers that are signed. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { nameBytes } from "../support/dns.ts";
import { otherClock } from "../support/faketime.ts";
import { run, testWith, wgsig } from "../support/program.ts";
import { dig, readTool, type ToolAnswer } from "./dns_clients.ts";
import {
  assertBalanced,
  Device,
  DEVICE_NEEDS,
  dnsServer,
  freeDnsAddress,
  listRecords,
  newPeers,
  SERVICE,
  ZONE,
} from "./dns_scene.ts";
import { randomBytes, Scene } from "./scene.ts";

const NAME = "ops.example.net";

/** A key's file as BIND has it. */
function clause(name: string, secret: Uint8Array): string {
  return `key "${name}" {\n\talgorithm hmac-sha256;\n\tsecret "${encodeBase64(secret)}";\n};\n`;
}

/** What `dig -y` and `kdig -y` take. */
function inLine(name: string, secret: Uint8Array): string {
  return `hmac-sha256:${name}:${encodeBase64(secret)}`;
}

/** The file that nobody else may read. */
async function secretFile(scene: Scene, name: string, text: string): Promise<string> {
  const path = await scene.file(name, text);
  await Deno.chmod(path, 0o600);
  return path;
}

async function kdig(port: number, ...args: readonly string[]): Promise<ToolAnswer> {
  const { out, err } = await run(["kdig", "@127.0.0.1", "-p", `${port}`, "+retry=0", ...args]);
  return readTool(out + err);
}

/** Checks that the tool found a TSIG in the answer, of this error, and nothing wrong with its MAC. */
function assertBelieved({ text }: ToolAnswer, error = "NOERROR"): void {
  const said = text.replace(/^;; WARNING: (?:recursion|truncated reply) .*$/mg, "");
  assert(!/warning|error:|couldn't|bad (?:signature|key)|failed/i.test(said), text);
  assertMatch(text, new RegExp(`TSIG (?:PSEUDOSECTION|SIGNATURE)[^]* ${error} `, "i"), text);
}

testWith(
  [...DEVICE_NEEDS, "dig", "kdig", "nsupdate", "faketime"],
  "dns: dig, kdig and nsupdate believe what is signed, whatever it says",
  async () => {
    const peers = newPeers(40);
    await using device = await Device.with(...peers);
    await using scene = await Scene.open();
    const secret = randomBytes(32);
    const file = await secretFile(scene, "ops.key", clause(NAME, secret));
    const lineFile = await secretFile(scene, "ops.line", `${inLine(NAME, secret)}\n`);
    const server = await device.serve(scene, ["--tsig", file, "--require-tsig"]);
    const { port } = server;
    assertMatch(server.running.out, / dns-zone zone=\S+ interface=wg0 tsig=ops\.example\.net\n/);
    assertEquals((await dig(port, SERVICE, "PTR")).status, "REFUSED");
    for (const transport of [[], ["+tcp"]]) {
      const tools = [
        (...args: string[]) => dig(port, ...transport, "-k", file, ...args),
        (...args: string[]) =>
          dig(port, ...transport, "+noedns", "-y", inLine(NAME, secret), ...args),
        (...args: string[]) => kdig(port, ...transport, "-y", inLine(NAME, secret), ...args),
        (...args: string[]) => kdig(port, ...transport, "-k", lineFile, ...args),
      ];
      for (const ask of tools) {
        // Over UDP it is cut, which is signed as well, and asked for once more over TCP.
        const list = await ask(SERVICE, "PTR");
        assertBelieved(list);
        assertEquals(list.answer.toSorted(), listRecords(peers));
        const statuses = [];
        for (const [name, type] of [[ZONE, "MX"], [`x.${ZONE}`, "A"], ["example.net", "A"]]) {
          const answer = await ask(name!, type!);
          assertBelieved(answer);
          statuses.push(answer.status);
        }
        assertEquals(statuses, ["NOERROR", "NXDOMAIN", "REFUSED"]);
      }
    }
    const update = `server 127.0.0.1 ${port}\nzone ${ZONE}\nupdate add a.${ZONE} 60 A 192.0.2.1\n` +
      "send\n";
    const { err } = await run(["nsupdate", "-k", file], { input: update });
    assertEquals(err, "update failed: NOTIMP\n");

    const key = (name: string, of: Uint8Array) => dig(port, "-y", inLine(name, of), ZONE, "SOA");
    const strange = await key("stranger.example.net", secret);
    assertEquals([strange.status, strange.answer], ["NOTAUTH", []]);
    assertMatch(strange.text, /TSIG PSEUDOSECTION[^]* 0 +\d+ BADKEY 0/);
    const wrong = await key(NAME, randomBytes(32));
    assertEquals([wrong.status, wrong.answer], ["NOTAUTH", []]);
    assertMatch(wrong.text, /TSIG PSEUDOSECTION[^]* 0 +\d+ BADSIG 0/);
    // dig doesn't bear libfaketime.
    const { out } = await run(
      ["kdig", "@127.0.0.1", "-p", `${port}`, "-y", inLine(NAME, secret), ZONE, "SOA"],
      { env: await otherClock("-1h") },
    );
    const late = readTool(out);
    assertEquals([late.status, late.answer], ["BADTIME", []]);
    assertMatch(late.text, /TSIG PSEUDOSECTION[^]* 32 \S+ +\d+ BADTIME 6 /);
    const counts = await server.counters();
    assertBalanced(counts);
    const faults = ["badkey", "badsig", "badtime"].map((name) => counts[`dns-tsig-${name}`]);
    assertEquals([...faults, counts["dns-notauth"]], [1, 1, 1, 3]);
  },
);

testWith(
  ["dig"],
  "dns: keys of the group's secret and of files, and others after SIGHUP",
  async () => {
    await using scene = await Scene.open();
    const address = freeDnsAddress();
    const secrets = [randomBytes(32), randomBytes(20)] as const;
    const files = [
      await secretFile(scene, "a.key", clause(NAME, secrets[0])),
      await secretFile(scene, "b.key", `second.example.net:${encodeBase64(secrets[1])}`),
    ] as const;
    const zone = (name: string, ...keys: readonly string[]) =>
      `[[serve.dns.zone]]\nname = "${name}"\nrequire-tsig = true\ntsig-files = ${
        JSON.stringify(keys)
      }\n`;
    const settings = (...zones: readonly string[]) =>
      scene.file("wgsig.toml", `[serve.dns]\nlisten = ["${address}"]\n${zones.join("")}`);
    const config = await settings(zone(ZONE, files[0]), zone("other.test", files[0], files[1]));
    const server = await scene.serve(["--config", config]);
    const { port } = await dnsServer(server.running);
    const status = async (name: string, key: string, secret: Uint8Array) => {
      const { status, text } = await dig(port, "-y", inLine(key, secret), name, "SOA");
      return /PSEUDOSECTION[^]* (BAD\w+) /.exec(text)?.[1] ?? status;
    };
    /** HKDF by the runtime's own. */
    const derived = async (name: string) => {
      const label = new TextEncoder().encode("wgsig tsig 1");
      const info = Uint8Array.from([...label, ...nameBytes(name)]);
      const base = await crypto.subtle.importKey(
        "raw",
        Uint8Array.from(scene.secret),
        "HKDF",
        false,
        [
          "deriveBits",
        ],
      );
      const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
      return new Uint8Array(await crypto.subtle.deriveBits(how, base, 256));
    };
    for (const name of [ZONE, "other.test"]) {
      for (const key of [name, `group-0.${name}`]) {
        assertEquals(await status(name, key, await derived(key)), "NOERROR");
      }
      assertEquals(await status(name, NAME, secrets[0]), "NOERROR");
      assertEquals(await status(name, name, scene.secret), "BADSIG");
    }
    const second = (name: string) => status(name, "second.example.net", secrets[1]);
    assertEquals(await second("other.test"), "NOERROR");
    assertEquals(await second(ZONE), "REFUSED", "of another zone");
    assertEquals(await status(ZONE, "other.test", await derived("other.test")), "REFUSED");

    await settings(zone(ZONE, files[1]));
    await server.signal("SIGHUP", / info reloaded /);
    assertEquals(await second(ZONE), "NOERROR");
    assertEquals(await status(ZONE, NAME, secrets[0]), "BADKEY");
    // What is wrong with a file is said without its secret, and changes nothing.
    await Deno.chmod(files[0], 0o644);
    await settings(zone(ZONE, files[0]));
    const [line] = await server.signal("SIGHUP", /^.*reloaded.*$/m);
    assertMatch(
      line,
      / error not-reloaded why="TSIG key file .*a\.key can be read by others \(mode 0644\)/,
    );
    assertEquals(await second(ZONE), "NOERROR");

    const refusal = async (...args: readonly string[]) => {
      const flags = ["serve", "--listen", "127.0.0.1:0", "--dns", freeDnsAddress(), "--zone", ZONE];
      const { code, err } = await wgsig([...flags, "--secret", scene.secretFile, ...args]);
      assertEquals([code, err.split("\n").length], [6, 2], err);
      assert(!err.includes(encodeBase64(secrets[0]).slice(0, 20)), err);
      return err;
    };
    const fake = await secretFile(scene, "c.key", clause(NAME, secrets[1]));
    const md5 = clause(NAME, secrets[0]).replace("sha256", "md5");
    await Deno.chmod(files[0], 0o600);
    for (
      const [wanted, ...args] of [
        [
          "no such file or directory; make one with: wgsig keygen tsig NAME --output",
          "--tsig",
          `${scene.folder}/x`,
        ],
        ["got what belongs into it", "--tsig", inLine(NAME, secrets[0])],
        ["another secret for the same name ops.example.net", "--tsig", files[0], "--tsig", fake],
        ["only hmac-sha256 is known", "--tsig", await secretFile(scene, "d.key", md5)],
        ['expected key "NAME"', "--tsig", await secretFile(scene, "e.key", "x")],
      ]
    ) assertStringIncludes(await refusal(...args), wanted!);
  },
);
