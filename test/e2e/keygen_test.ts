/** `wgsig keygen`: the keys that `wg` makes, and secrets for groups. Those of zones: keygen_zone_test. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { decodeBase64 } from "@std/encoding/base64";
import { BINARY, run, runBytes, testWith, wgsig } from "../support/program.ts";
import { Scene } from "./scene.ts";

const KEY_LINE = /^[A-Za-z0-9+/]{43}=\n$/;
/** RFC 7748, section 6.1: Alice's keys. */
const ALICE_PRIVATE = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
const ALICE_PUBLIC = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

Deno.test("public keys are those of RFC 7748", async () => {
  for (const input of [ALICE_PRIVATE, `${ALICE_PRIVATE}\n`, `  ${ALICE_PRIVATE}\r\n`]) {
    const { code, out, err } = await wgsig(["keygen", "public"], { input });
    assertEquals([code, out, err], [0, `${ALICE_PUBLIC}\n`, ""]);
  }
});

testWith(["wg"], "private | public makes what wg pubkey makes", async () => {
  for (let i = 0; i < 3; i++) {
    const ours = await wgsig(["keygen", "private"]);
    assertEquals([ours.code, ours.err], [0, ""]);
    const theirs = await run(["wg", "genkey"]);
    for (const { out: input } of [ours, theirs]) {
      const made = await wgsig(["keygen", "public"], { input });
      const expected = await run(["wg", "pubkey"], { input });
      assertEquals([made.code, made.out, made.err], [0, expected.out, ""]);
    }
  }
  const piped = await run(["sh", "-c", `"${BINARY}" keygen private | "${BINARY}" keygen public`]);
  assertMatch(piped.out, KEY_LINE);
});

Deno.test("private keys are clamped as wg genkey clamps them", async () => {
  const keys = new Set<string>();
  for (let i = 0; i < 8; i++) {
    const { out } = await wgsig(["keygen", "private"]);
    assertMatch(out, KEY_LINE);
    const bytes = decodeBase64(out.trim());
    assertEquals([bytes[0]! & 7, bytes[31]! >> 6], [0, 1]);
    keys.add(out);
  }
  assertEquals(keys.size, 8);
});

Deno.test("secrets and preshared keys are 32 random bytes", async () => {
  for (const args of [[], ["secret"], ["psk"]]) {
    const made = await Promise.all(
      Array.from({ length: 8 }, () => wgsig(["keygen", ...args])),
    );
    for (const { code, out, err } of made) {
      assertEquals([code, err], [0, ""]);
      assertMatch(out, KEY_LINE);
      assertEquals(decodeBase64(out.trim()).length, 32);
    }
    assertEquals(new Set(made.map(({ out }) => out)).size, 8);
    // Nothing is clamped: with eight keys the three low bits are all 0 once in 10^7 runs.
    assert(made.some(({ out }) => (decodeBase64(out.trim())[0]! & 7) !== 0));
  }
});

Deno.test("--raw writes 32 bytes", async () => {
  for (const kind of ["secret", "private", "psk"]) {
    const { code, stdout } = await runBytes([BINARY, "keygen", kind, "--raw"]);
    assertEquals([code, stdout.length], [0, 32]);
  }
  const { stdout } = await runBytes(
    [BINARY, "keygen", "public", "--raw"],
    { input: ALICE_PRIVATE },
  );
  assertEquals([...stdout], [...decodeBase64(ALICE_PUBLIC)]);
});

Deno.test("--output makes a new file for its owner alone", async () => {
  await using scene = await Scene.open();
  const path = `${scene.folder}/made`;
  for (const kind of ["secret", "private", "psk"]) {
    // Whatever the mask is.
    const { code, out, err } = await run(
      ["sh", "-c", `umask 0; exec "${BINARY}" keygen ${kind} --output "${path}"`],
    );
    assertEquals([code, out, err], [0, "", ""]);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    assertMatch(await Deno.readTextFile(path), KEY_LINE);
    await Deno.remove(path);
  }
  await wgsig(["keygen", "--raw", "--output", path]);
  assertEquals((await Deno.stat(path)).size, 32);
});

Deno.test("--output - is standard output", async () => {
  await using scene = await Scene.open();
  const { code, out, err } = await wgsig(["keygen", "--output", "-"], { cwd: scene.folder });
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^[A-Za-z0-9+/]{43}=\n$/);
  assertEquals(await Deno.stat(`${scene.folder}/-`).catch(() => undefined), undefined);
});

Deno.test("--output refuses to overwrite", async () => {
  await using scene = await Scene.open();
  const before = await Deno.readFile(scene.secretFile);
  const { code, out, err } = await wgsig(["keygen", "secret", "--output", scene.secretFile]);
  assertEquals([code, out], [1, ""]);
  assertEquals(
    err,
    `wgsig: cannot write ${scene.secretFile}: it exists already; name another, or remove it first\n`,
  );
  assertEquals(await Deno.readFile(scene.secretFile), before);
  // A link to nowhere is no way to make a file elsewhere.
  await Deno.symlink(`${scene.folder}/elsewhere`, `${scene.folder}/link`);
  const link = await wgsig(["keygen", "--output", `${scene.folder}/link`]);
  assertEquals(link.code, 1);
  assertEquals(await Deno.stat(`${scene.folder}/elsewhere`).catch(() => "absent"), "absent");
  const absent = await wgsig(["keygen", "--output", `${scene.folder}/no/where`]);
  assertEquals(absent.code, 1);
  assertMatch(
    absent.err,
    /^wgsig: cannot write .*\/no\/where: no such file or directory; make its folder first\n$/,
  );
});

Deno.test("secrets that it made are taken by serve", async () => {
  await using scene = await Scene.open();
  for (const raw of [[], ["--raw"]]) {
    const path = `${scene.folder}/secret${raw.length}`;
    await wgsig(["keygen", "secret", "--output", path, ...raw]);
    const server = await scene.serveWith(["--listen", "127.0.0.1:0", "--secret", path]);
    const bytes = await Deno.readFile(path);
    const secret = raw.length > 0 ? bytes : decodeBase64(new TextDecoder().decode(bytes).trimEnd());
    assertEquals(secret.length, 32);
    await scene.peer(secret).ask(server.port);
  }
});

Deno.test("standard input without a private key is one line and exit status 6", async () => {
  const inputs = [
    "",
    "\n",
    "hunter2",
    ALICE_PRIVATE.slice(0, -1),
    `${ALICE_PRIVATE}\n${ALICE_PRIVATE}`,
    crypto.getRandomValues(new Uint8Array(32)),
  ];
  for (const input of inputs) {
    const { code, out, err } = await wgsig(["keygen", "public"], { input });
    assertEquals([code, out], [6, ""], `${input}`);
    assertMatch(
      err,
      /^wgsig: standard input holds no private key .*; use: wgsig keygen public < FILE\n$/,
    );
    assertEquals(err.includes("hunter2"), false);
  }
});

Deno.test("standard input that never ends is not read to its end", async () => {
  const { code, out, err } = await run(["sh", "-c", `"${BINARY}" keygen public < /dev/zero`]);
  assertEquals([code, out], [6, ""]);
  assertMatch(err, /^wgsig: .*\n$/);
});

Deno.test("an unknown kind of key is named with the known ones", async () => {
  const { code, out, err } = await wgsig(["keygen", "pubkey"]);
  assertEquals([code, out], [6, ""]);
  assertEquals(
    err,
    `wgsig: unknown kind of key "pubkey"; it is one of: secret, private, public, psk, tsig, zone, ds\n`,
  );
});

testWith(
  ["root", "unshare", "mount"],
  "the program's own folder is made on a fresh host",
  async () => {
    const script = `mount -t tmpfs none /etc && "$0" keygen secret --output /etc/wgsig/secret &&
    stat -c '%a %n' /etc/wgsig /etc/wgsig/secret && "$0" keygen psk --output /etc/other/psk`;
    const { code, out, err } = await run(["unshare", "--mount", "sh", "-c", script, BINARY]);
    assertEquals([code, out], [1, "700 /etc/wgsig\n600 /etc/wgsig/secret\n"], err);
    assertEquals(
      err,
      "wgsig: cannot write /etc/other/psk: no such file or directory; make its folder first\n",
    );
  },
);
