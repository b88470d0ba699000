/** `wgsig keygen tsig`: keys that are drawn or made of a group's secret, and what can't be. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { parseTsigKey } from "../../lib/core/zone/tsig_key.ts";
import { BINARY, run, testWith, wgsig } from "../support/program.ts";
import { ZONE } from "./dns_scene.ts";
import { randomBytes, Scene } from "./scene.ts";

const USE = "use: wgsig keygen tsig NAME, or: wgsig keygen tsig ZONE --secret FILE";

async function keygen(...args: readonly string[]): Promise<{ text: string; secret: string }> {
  const { code, out, err } = await wgsig(["keygen", "tsig", ...args]);
  assertEquals([code, err], [0, ""]);
  return { text: out, secret: /secret "(.*)"/.exec(out)?.[1] ?? "" };
}

Deno.test("keygen tsig: a key is drawn, or the same for everyone in the group", async () => {
  await using scene = await Scene.open();
  const drawn = new Set<string>();
  for (let i = 0; i < 4; i++) {
    const { text, secret } = await keygen("ops.example.net");
    const { name, secret: bytes } = parseTsigKey(new TextEncoder().encode(text));
    assertEquals([name, bytes.length, encodeBase64(bytes)], ["ops.example.net", 32, secret]);
    drawn.add(secret);
  }
  assertEquals(drawn.size, 4);
  const group = ["--secret", scene.secretFile];
  const made = await keygen(ZONE, ...group);
  assertEquals(await keygen(`${ZONE.toUpperCase()}.`, ...group), made);
  const other = await scene.file("other", encodeBase64(randomBytes(32)));
  await Deno.chmod(other, 0o600);
  const secrets = [
    made.secret,
    (await keygen(`group-0.${ZONE}`, ...group)).secret,
    (await keygen(ZONE, "--secret", other)).secret,
    (await Deno.readTextFile(scene.secretFile)).trim(),
  ];
  assertEquals(new Set(secrets).size, secrets.length);
});

testWith(
  ["named-checkconf"],
  "keygen tsig: BIND takes the file, which is its owner's",
  async () => {
    await using scene = await Scene.open();
    const path = `${scene.folder}/made`;
    const umask = 'umask 0; exec "$@"';
    const argv = [BINARY, "keygen", "tsig", ZONE, "--output", path];
    const { code, out, err } = await run(["sh", "-c", umask, "sh", ...argv]);
    assertEquals([code, out, err], [0, "", ""]);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    const checked = await run(["named-checkconf", path]);
    assertEquals([checked.code, checked.out, checked.err], [0, "", ""]);
  },
);

Deno.test("keygen tsig: what can't be is one line that says how", async () => {
  await using scene = await Scene.open();
  const file = async (name: string, text: string, mode = 0o600): Promise<string> => {
    const path = await scene.file(name, text);
    await Deno.chmod(path, mode);
    return path;
  };
  const secret = encodeBase64(randomBytes(32));
  const [open, short, empty, there] = [
    await file("open", secret, 0o644),
    await file("short", encodeBase64(randomBytes(16))),
    await file("empty", ""),
    await file("there", "precious\n"),
  ];
  const noKey = (name: string) =>
    `"${name}" can't name a key: expected a name such as ops.wg.example.com; ${USE}`;
  const noZone = (name: string) =>
    `"${name}" is no name of a DNS zone, such as wg.example.com; ${USE}`;
  const long = "a".repeat(64);
  const usage: readonly (readonly [readonly string[], string])[] = [
    [[], `which key? ${USE}`],
    ...["", ".", "a..b", "a b", long, "ä.example", 'key"; include "x'].map((name) =>
      [[name], noKey(name)] as const
    ),
    ...["", ".", "a..b"].map((name) => [[name, "--secret", there], noZone(name)] as const),
    [[ZONE, "x"], 'unexpected argument "x"; see: wgsig keygen --help'],
    [[ZONE, "--raw"], "--raw is for secrets and WireGuard's keys, and not for keygen tsig"],
    [
      [ZONE, "--secret", `${open}.none`],
      `cannot read secret file ${open}.none: no such file or directory; copy the group's: the file ` +
      "that the registry has",
    ],
    [
      [ZONE, "--secret", open],
      `secret file ${open} can be read by others (mode 0644); mend it with: chmod 600 ${open}, or ` +
      `where that can't be done, add: --secret - < ${open}`,
    ],
    ...[short, empty].map((path) =>
      [
        [ZONE, "--secret", path],
        `secret file ${path} has ${
          Deno.statSync(path).size
        } bytes that are no secret: expected 32 ` +
        "raw bytes, or their base64 or hex",
      ] as const
    ),
    [
      [ZONE, "--secret", secret],
      "expected the name of a secret file, got what belongs into it; write that to a file",
    ],
  ];
  for (const [args, message] of usage) {
    const { code, out, err } = await wgsig(["keygen", "tsig", ...args]);
    assertEquals([code, out, err], [6, "", `wgsig: ${message}\n`]);
    assert(!err.includes(secret), err);
  }
  const taken = await wgsig(["keygen", "tsig", ZONE, "--output", there]);
  assertEquals(
    [taken.code, taken.out, taken.err],
    [1, "", `wgsig: cannot write ${there}: it exists already; name another, or remove it first\n`],
  );
  assertEquals(await Deno.readTextFile(there), "precious\n");
  const absent = await wgsig(["keygen", "tsig", ZONE, "--output", `${scene.folder}/no/where`]);
  assertEquals([absent.code, absent.out], [1, ""]);
  assertMatch(
    absent.err,
    /^wgsig: cannot write .*\/no\/where: no such file .*; make its folder first\n$/,
  );
});
