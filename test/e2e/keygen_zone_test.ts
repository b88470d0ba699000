/** `wgsig keygen zone` and `keygen ds`: keys that other programs read, and DS as they make it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { BINARY, isRouterBinary, run, testWith, wgsig, withFolder } from "../support/program.ts";
import { KEY_VECTORS } from "../support/dnssec_vectors.ts";

const ZONE = "wg.example.com";
const PRIVATE = /^Private-key-format: v1\.3\nAlgorithm: (?:13|15) .*\nPrivateKey: [\w+/]{43}=\n$/;
/** What stands in the records, without the key's own name: type, and data in capitals. */
const RECORD = /^wg\.example\.com\.\s.*?\b(DS|DNSKEY)\s+(.*)$/;

/** DS and DNSKEY of a text, however it spaces them. */
function recordsOf(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [, type, data = ""] = RECORD.exec(line.replace(/;.*/, "")) ?? [];
    if (type === undefined) return [];
    const [a, b, c, ...rest] = data.trim().split(/\s+/);
    const last = type === "DS" ? rest.join("").toUpperCase() : rest.join("");
    return [`${type} ${a} ${b} ${c} ${last}`];
  });
}

if (isRouterBinary()) {
  Deno.test("a binary that signs no zones says so", async () => {
    for (const args of [["zone", ZONE], ["ds", ZONE]]) {
      const { code, out, err } = await wgsig(["keygen", ...args]);
      assertEquals([code, out], [1, ""]);
      assertEquals(
        err,
        "wgsig: this program for small routers doesn't sign zones; make the key with wgsig's larger " +
          "binary\n",
      );
    }
  });
} else {
  Deno.test("keygen zone writes a file for its owner alone, and prints what comes next", async () => {
    await withFolder(async (folder) => {
      for (const [algorithm, number] of [["ecdsa", 13], ["ed25519", 15], [undefined, 13]]) {
        const path = `${folder}/${algorithm}.key`;
        const flags = algorithm === undefined ? [] : ["--algorithm", `${algorithm}`];
        const argv = ["keygen", "zone", "WG.Example.com.", ...flags, "--output", path];
        const { code, out, err } = await run([
          "sh",
          "-c",
          'umask 0; exec "$@"',
          "sh",
          BINARY,
          ...argv,
        ]);
        assertEquals([code, err], [0, ""]);
        assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
        const text = await Deno.readTextFile(path);
        assertMatch(text, PRIVATE);
        const secret = /PrivateKey: (.*)/.exec(text)![1]!;
        assert(!out.includes(secret.slice(0, 8)), "the private key is in the file alone");
        // All but the two records is comment, so that it is a file for resolvers as it is.
        const lines = out.trimEnd().split("\n").filter((line) => !line.startsWith(";"));
        assertEquals(lines.length, 2);
        assertMatch(
          lines[0]!,
          new RegExp(`^wg\\.example\\.com\\. 3600 IN DS \\d+ ${number} 2 [0-9A-F]{64}$`),
        );
        assertMatch(
          lines[1]!,
          new RegExp(`^wg\\.example\\.com\\. 300 IN DNSKEY 257 3 ${number} [\\w+/]+=*$`),
        );
        assert(out.includes(`--zone ${ZONE} --dnssec-key ${path}`));
        assert(out.includes("when example.com has the DS"));
        for (const line of out.split("\n")) assert(line.length <= 140, line);
        const again = await wgsig(["keygen", "ds", ZONE], { input: text });
        assertEquals([again.code, recordsOf(again.out), again.err], [0, recordsOf(out), ""]);
        const taken = await wgsig(argv);
        assertEquals([taken.code, taken.out], [1, ""]);
        assertEquals(
          taken.err,
          `wgsig: cannot write ${path}: it exists already; name another, or remove it first\n`,
        );
        assertEquals(await Deno.readTextFile(path), text);
      }
    });
  });

  Deno.test("without a file the key is on standard output, and the rest on standard error", async () => {
    const made = new Set<string>();
    for (const output of [[], ["--output", "-"]]) {
      const { code, out, err } = await wgsig(["keygen", "zone", ZONE, ...output]);
      assertEquals(code, 0);
      assertMatch(out, PRIVATE);
      const { out: again } = await wgsig(["keygen", "ds", ZONE], { input: out });
      assertEquals(recordsOf(err), recordsOf(again));
      made.add(out);
    }
    assertEquals(made.size, 2);
  });

  Deno.test("DS and DNSKEY are those of the RFCs, BIND and ldns", async () => {
    for (const { source, zone, file, dnskey, ds } of KEY_VECTORS) {
      const { code, out, err } = await wgsig(["keygen", "ds", zone], { input: file });
      assertEquals([code, err], [0, ""]);
      const records = recordsOf(out.replaceAll(`${zone}.`, `${ZONE}.`));
      const digest = ds.replace(/\S+$/, (hex) => hex.toUpperCase());
      assertEquals(records, [`DS ${digest}`, `DNSKEY ${dnskey}`], source);
    }
  });

  testWith(["dnssec-keygen", "dnssec-dsfromkey"], "BIND and wgsig make the same DS", async () => {
    await withFolder(async (folder) => {
      const dsOf = async (...argv: string[]) => {
        const { code, out, err } = await run(["dnssec-dsfromkey", "-2", ...argv]);
        assertEquals(code, 0, err);
        return recordsOf(out);
      };
      for (const algorithm of ["ECDSAP256SHA256", "ED25519"]) {
        const argv = ["dnssec-keygen", "-q", "-K", folder, "-a", algorithm, "-f", "KSK", ZONE];
        const name = (await run(argv)).out.trim();
        const input = await Deno.readTextFile(`${folder}/${name}.private`);
        const theirs = await Deno.readTextFile(`${folder}/${name}.key`);
        const { out: ours } = await wgsig(["keygen", "ds", ZONE], { input });
        assertEquals(recordsOf(ours), [
          ...await dsOf(`${folder}/${name}.key`),
          ...recordsOf(theirs),
        ]);
      }
      // One that dnssec-keygen thinks is for records alone (256) signs all here, and is told as 257: the
      // DS of BIND's public file would be that of no key in the zone.
      const plain = ["dnssec-keygen", "-q", "-K", folder, "-a", "ECDSAP256SHA256", ZONE];
      const name = (await run(plain)).out.trim();
      const input = await Deno.readTextFile(`${folder}/${name}.private`);
      const theirs = await Deno.readTextFile(`${folder}/${name}.key`);
      const ours = recordsOf((await wgsig(["keygen", "ds", ZONE], { input })).out);
      assertEquals(ours.slice(1), recordsOf(theirs.replace("DNSKEY 256 ", "DNSKEY 257 ")));
      assert((await dsOf(`${folder}/${name}.key`))[0] !== ours[0]);
      const { err: own } = await wgsig(["keygen", "zone", ZONE, "--algorithm", "ed25519"]);
      await Deno.writeTextFile(`${folder}/own`, own);
      assertEquals(await dsOf("-f", `${folder}/own`, ZONE), recordsOf(own).slice(0, 1));
    });
  });

  testWith(
    ["ldns-key2ds", "ldns-signzone", "ldns-verify-zone"],
    "ldns signs with keys",
    async () => {
      await withFolder(async (folder) => {
        await Deno.writeTextFile(
          `${folder}/zone`,
          `${ZONE}. 60 IN SOA . . 1 60 60 60 60\n${ZONE}. 60 IN NS ns.example.com.\n`,
        );
        for (const algorithm of ["ecdsa", "ed25519"]) {
          const { out } = await wgsig(
            ["keygen", "zone", ZONE, "--algorithm", algorithm, "--output", `${folder}/key.private`],
          );
          const [ds, dnskey] = out.split("\n").filter((line) => line.startsWith(ZONE));
          await Deno.writeTextFile(`${folder}/key.key`, `${dnskey}\n`);
          await Deno.writeTextFile(`${folder}/anchor`, out);
          const made = await run(["ldns-key2ds", "-n", "-2", `${folder}/key.key`]);
          assertEquals(recordsOf(made.out), recordsOf(ds!));
          const signed = await run([
            "ldns-signzone",
            "-f",
            `${folder}/signed`,
            `${folder}/zone`,
            `${folder}/key`,
          ]);
          assertEquals(signed.code, 0, signed.err);
          const verify = ["ldns-verify-zone", "-k", `${folder}/key.key`, `${folder}/signed`];
          const verified = await run(verify);
          assertEquals(verified.code, 0, verified.err);
          await Deno.remove(`${folder}/key.private`);
        }
      });
    },
  );

  testWith(
    ["unbound-checkconf", "delv", "named-checkconf"],
    "what is printed is a trust anchor",
    async () => {
      await withFolder(async (folder) => {
        const { out } = await wgsig(["keygen", "zone", ZONE, "--output", `${folder}/key`]);
        await Deno.writeTextFile(`${folder}/anchor`, out);
        await Deno.writeTextFile(
          `${folder}/unbound.conf`,
          `server:\n chroot: ""\n username: ""\n directory: "${folder}"\n` +
            ` trust-anchor-file: "${folder}/anchor"\n`,
        );
        const { code, err } = await run(["unbound-checkconf", `${folder}/unbound.conf`]);
        assertEquals(code, 0, err);
        // The command that this file names makes the other one.
        const command = /^; +wgsig (keygen ds .*--format bind.*)$/m.exec(out)![1]!;
        const made = await run(["sh", "-c", `"${BINARY}" ${command} > "${folder}/bind.keys"`]);
        assertEquals([made.code, made.err], [0, ""]);
        // Nothing answers at this port, which is asked once the anchor is read.
        const argv = [
          "delv",
          "-a",
          `${folder}/bind.keys`,
          `+root=${ZONE}`,
          "@127.0.0.1",
          "-p",
          "9",
        ];
        const asked = await run([...argv, ZONE, "SOA"]);
        assertMatch(asked.err + asked.out, /^;; connection refused resolving/m);
        assert(!/bind\.keys|trust/.test(asked.err + asked.out), asked.err + asked.out);
        const checked = await run(["named-checkconf", `${folder}/bind.keys`]);
        assertEquals([checked.code, checked.out, checked.err], [0, "", ""]);
      });
    },
  );

  testWith(["kresd"], "kresd takes what is printed as a file", async () => {
    await withFolder(async (folder) => {
      const { out } = await wgsig(["keygen", "zone", ZONE, "--output", `${folder}/key`]);
      await Deno.writeTextFile(`${folder}/anchor`, out);
      await Deno.writeTextFile(
        `${folder}/config`,
        `trust_anchors.remove('.')\ntrust_anchors.add_file('${folder}/anchor', true)\n` +
          "print(trust_anchors.summary())\nquit()\n",
      );
      const { out: summary } = await run(["kresd", "-n", "-c", `${folder}/config`, folder]);
      assertEquals(recordsOf(summary), recordsOf(out), summary);
    });
  });
}

Deno.test("what can't be is one line that says how", async () => {
  const usage: readonly (readonly [readonly string[], string])[] = [
    [["zone", ZONE, "--raw"], "--raw is for secrets and WireGuard's keys, and not for keygen zone"],
    [
      ["ds", ZONE, "--output", "x"],
      "keygen ds makes no key: it takes neither --algorithm nor --output",
    ],
    [["psk", "--algorithm", "ed25519"], "--algorithm is for: wgsig keygen zone ZONE"],
    [["tsig", ZONE, "--algorithm", "ecdsa"], "--algorithm is for: wgsig keygen zone ZONE"],
    [["zone", ZONE, "--secret", "x"], "--secret is for: wgsig keygen tsig ZONE"],
    [["zone", ZONE, "--format", "bind"], "--format is for: wgsig keygen ds ZONE < FILE"],
    [["secret", "x"], 'unexpected argument "x"; see: wgsig keygen --help'],
    [["zone", ZONE, "x"], 'unexpected argument "x"; see: wgsig keygen --help'],
    ...(isRouterBinary() ? [] : [
      [["ds", ZONE, "--format", "json"], '--format: expected "zone" or "bind", got "json"'],
      [["zone"], "which zone is the key for? Use: wgsig keygen zone ZONE --output FILE"],
      [["ds"], "which zone is the key for? Use: wgsig keygen ds ZONE < FILE"],
      [["zone", "a..b"], '"a..b" is no name of a DNS zone, such as wg.example.com'],
      [
        ["zone", ZONE, "--algorithm", "rsa"],
        '--algorithm: expected "ecdsa" or "ed25519", got "rsa"',
      ],
      [
        ["ds", ZONE],
        "standard input is no private key of a zone: its first line isn't \"Private-key-format: " +
        'v1.3"; make one with: wgsig keygen zone ZONE --output FILE',
      ],
    ] as const),
  ];
  for (const [args, message] of usage) {
    const { code, out, err } = await wgsig(["keygen", ...args]);
    assertEquals([code, out, err], [6, "", `wgsig: ${message}\n`]);
  }
});
