/**
 * Whatever a user gets wrong: one line on standard error that names the thing and the fix, and the
 * exit status of the design.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { COMMANDS } from "../../lib/core/settings/commands.ts";
import { BINARY, run, type RunOptions, testWith, wgsig } from "../support/program.ts";
import { randomBytes, Scene } from "./scene.ts";

const FAILED = 1;
const HOST_NOT_FOUND = 3;
const USAGE = 6;
const KEY = encodeBase64(randomBytes(32));

/** Checks that a command line ends with one line that matches, and prints nothing else. */
async function assertRefused(
  args: readonly string[],
  status: number,
  message: RegExp,
  options: RunOptions = {},
): Promise<string> {
  const { code, out, err } = await wgsig(args, options);
  const what = `wgsig ${args.join(" ")}`;
  assertEquals([code, out], [status, ""], `${what}: ${err}`);
  assertMatch(err, /^wgsig: [^\n]+\n$/, what);
  assertMatch(err.slice("wgsig: ".length, -1), message, what);
  assertEquals(/internal error/.test(err), false, err);
  return err;
}

/** The folder's files, and their content. */
type Files = Readonly<Record<string, string | Uint8Array>>;

/** A mistake: a command line in a folder with files, and what is said. */
interface Mistake {
  readonly args: readonly string[];
  readonly status?: number;
  readonly says: RegExp;
  readonly files?: Files;
}

/** Declares a test of several mistakes. `%` in an argument stands for the folder. */
function mistakes(name: string, cases: readonly Mistake[]): void {
  Deno.test(name, async () => {
    for (const { args, status = USAGE, says, files = {} } of cases) {
      await using scene = await Scene.open();
      for (const [file, content] of Object.entries(files)) await scene.file(file, content);
      const placed = args.map((arg) => arg.replaceAll("%", scene.folder));
      const err = await assertRefused(placed, status, says);
      for (const hidden of [scene.secret, ...Object.values(files)]) {
        if (typeof hidden === "string" || hidden.length === 0) continue;
        assertEquals(err.includes(new TextDecoder().decode(hidden)), false);
        assertEquals(err.includes(encodeBase64(hidden)), false);
      }
    }
  });
}

mistakes("an unknown command is named with the nearest", [
  {
    args: ["quer"],
    says: /^unknown command "quer" \(did you mean "query"\?\); see: wgsig --help$/,
  },
  {
    args: ["frobnicate"],
    says: /^unknown command "frobnicate" \(known: serve, query, sync, status, invite, join, /,
  },
  {
    args: ["--config", "x", "sync"],
    says: /^unknown command "--config"; options stand after the command; see: wgsig --help$/,
  },
]);

mistakes("an unknown option is named with the nearest", [
  {
    args: ["query", "--jsn"],
    says: /^unknown option "--jsn" \(did you mean "--json"\?\); see: wgsig query --help$/,
  },
  { args: ["serve", "--secrets=x"], says: /^unknown option "--secrets" \(did you mean "--secret"/ },
  { args: ["serve", "--dump"], says: /^unknown option "--dump" \(known: --listen, --secret, / },
  { args: ["query", "-j"], says: /^unknown option "-j" / },
  { args: ["query", "--no-json"], says: /^unknown option "--no-json" / },
  { args: ["keygen", "--listen", "x"], says: /^unknown option "--listen" / },
  { args: ["keygen", "--secret", "x"], says: /^--secret is for: wgsig keygen tsig ZONE$/ },
]);

const NO_WORKERS =
  /^(?:--workers|\S+\/wgsig\.toml: serve\.workers) is gone: one process is one loop, and one core serves 825 000 peers that ask every 25 s; leave it out, and for more peers run several registries and name them all in "servers"$/;

mistakes("workers are refused, with why there are none and what to do instead", [
  { args: ["serve", "--workers", "2"], says: NO_WORKERS },
  { args: ["serve", "--workers=1"], says: NO_WORKERS },
  { args: ["serve", "--workers"], says: NO_WORKERS },
  {
    args: ["serve", "--config", "%/wgsig.toml"],
    files: { "wgsig.toml": "[serve]\nworkers = 2\n" },
    says: NO_WORKERS,
  },
  { args: ["query", "--workers", "2"], says: /^unknown option "--workers" / },
]);

mistakes("an option needs its value, once; a switch has none", [
  { args: ["query", "--timeout"], says: /^--timeout needs a value; see: wgsig query --help$/ },
  { args: ["query", "--timeout="], says: /^--timeout needs a value; see: wgsig query --help$/ },
  { args: ["query", "--timeout", "--json"], says: /^--timeout needs a value; / },
  { args: ["serve", "--state", ""], says: /^--state needs a value; / },
  {
    args: ["query", "--port", "1", "--port", "2"],
    says: /^--port is given twice; see: wgsig query --help$/,
  },
  { args: ["query", "--json=no"], says: /^--json takes no value; / },
  {
    args: ["serve", ...["a", "b", "c"].flatMap((each) => ["--secret", each])],
    says: /^group 0 has 3 secret files; /,
  },
  {
    args: ["query", "--secret", "a", "--secret", "b"],
    says: /^--secret is given twice; see: wgsig query --help$/,
  },
  {
    args: ["serve", "--secret", "-", "--secret", "-"],
    says: /^group 0 names secret file - twice; /,
  },
]);

mistakes("an operand too many is named", [
  { args: ["serve", "now"], says: /^unexpected argument "now"; see: wgsig serve --help$/ },
  { args: ["config", "wg0", "wg1"], says: /^unexpected argument "wg1"; / },
  { args: ["keygen", "psk", "psk"], says: /^unexpected argument "psk"; / },
  { args: ["serve", "--", "-x"], says: /^unexpected argument "-x"; / },
]);

mistakes("what exclude each other is said", [
  {
    args: ["query", "--json", "--dump", "h"],
    says: /^--json and --dump exclude each other; give /,
  },
  { args: ["serve", "--quiet", "--verbose"], says: /^--quiet and --verbose exclude each other; / },
]);

mistakes("a prefix with bits behind its length is refused with what may be meant", [
  {
    args: ["serve", "--interface", "wg0", "--lease", "10.0.0.1/8"],
    says:
      /^--lease: expected 10\.0\.0\.0\/8, or 10\.0\.0\.1 for that address alone, got "10\.0\.0\.1\/8"$/,
  },
  {
    args: ["serve", "--dns", "127.0.0.1:0", "--zone", "z", "--allow-from", "10.0.0.0/8,fd00::1/64"],
    says:
      /^--allow-from: expected fd00::\/64, or fd00::1 for that address alone, got "fd00::1\/64"$/,
  },
  {
    args: ["serve", "--config", "%/wgsig.toml"],
    files: { "wgsig.toml": '[serve.lease]\nreserved = ["10.0.0.3", "10.0.0.1/24"]\n' },
    says: /wgsig\.toml: serve\.lease\.reserved\[1\]: expected 10\.0\.0\.0\/24, or 10\.0\.0\.1 for /,
  },
]);

const ASK = ["query", "--key", KEY, "--secret", "%/secret"];
const DURATION = /^--[\w-]+: expected a duration such as "30s", "5m" or "2h", got "/;
const ADDRESS = /^--listen: expected ADDRESS:PORT, got "/;
mistakes("bad values of options are named with what was expected", [
  { args: ["serve", "--max-age", "soon"], says: DURATION },
  { args: ["serve", "--window", "-5s"], says: DURATION },
  { args: [...ASK, "--timeout", "1y", "h"], says: DURATION },
  { args: [...ASK, "--max-age", "1 h", "h"], says: DURATION },
  {
    args: ["serve", "--group", "-1"],
    says: /^--group: expected a whole number from 0 to 42949672/,
  },
  { args: ["serve", "--group", "4294967296"], says: /^--group: expected a whole number from 0 / },
  { args: [...ASK, "--group", "x", "h"], says: /^--group: expected a whole number .*got "x"$/ },
  { args: [...ASK, "--group", "1.5", "h"], says: /^--group: expected a whole number .*got "1.5"$/ },
  {
    args: [...ASK, "--port", "70000", "h"],
    says: /^--port: expected a whole number from 0 to 655/,
  },
  { args: [...ASK, "--port", "0x10", "h"], says: /^--port: expected a whole number / },
  {
    args: [...ASK, "--encryption", "auto", "h"],
    says: /^--encryption: expected "on" or "off", got/,
  },
  {
    args: ["serve", "--encryption", "on"],
    says: /^--encryption: expected "auto", "required" or "off", got/,
  },
  {
    args: ["serve", "--log-format", "xml"],
    says: /^--log-format: expected "text" or "json", got /,
  },
  { args: ["config", "--format", "yaml"], says: /^--format: expected "wg" or "json", got "yaml"$/ },
  {
    args: ["serve", "--max-peers", "0"],
    says: /^--max-peers: expected a whole number from 1 to 4000000/,
  },
  {
    args: ["serve", "--max-answer", "100001"],
    says: /^--max-answer: expected a whole number from/,
  },
  { args: ["config", "--key", KEY, "--address", "10.0.0.300"], says: /^--address: expected an IP/ },
  {
    args: ["config", "--key", KEY, "--address", "10.0.0.1/33"],
    says: /^--address: expected an IP/,
  },
  {
    args: ["config", "--key", KEY, "--address", "fd00::1/129"],
    says: /^--address: expected an IP/,
  },
  { args: ["serve", "--listen", "127.0.0.1"], says: ADDRESS },
  { args: ["serve", "--listen", "127.0.0.1:65536"], says: ADDRESS },
  { args: ["serve", "--listen", "::1:1223"], says: ADDRESS },
  { args: ["serve", "--listen", ":1223"], says: ADDRESS },
  {
    args: ["serve", "--secret", "%/secret", "--listen", "localhost:1223"],
    says: /^cannot listen on localhost:1223: "localhost" is no IP address; expected ADDRESS:PORT/,
  },
]);

const SERVER =
  /^".*" is no server; expected HOST, HOST:PORT, \[IPV6\]:PORT, dns:\/\/HOST\[:PORT\]\/ZONE or punch:\/\/HOST\[:PORT\]$/;
mistakes("which server, which peer", [
  {
    args: ASK,
    says: /^which server\? Name one \(HOST or HOST:PORT\), or set servers in \[sync\.NA/,
  },
  { args: [...ASK, "a b"], says: SERVER },
  { args: [...ASK, "h:0"], says: SERVER },
  { args: [...ASK, "h:65536"], says: SERVER },
  { args: [...ASK, "h:http"], says: SERVER },
  { args: [...ASK, "::1]:5"], says: SERVER },
  { args: [...ASK, "ok.invalid", ""], says: SERVER },
  { args: ["query", "h"], says: /^which peer is this\? Give its public key with --key KEY, or / },
  {
    args: ["config", "--server", "h"],
    says: /^which peer is this\? Give its public key with --key/,
  },
  {
    args: [...ASK, "no-such-host.invalid"],
    status: HOST_NOT_FOUND,
    says: /^cannot find server no-such-host\.invalid:1223: host not found; check the name and /,
  },
  {
    args: [...ASK, "203.0.113.300"],
    status: HOST_NOT_FOUND,
    says: /^cannot find server 203\.0\.113\.300:1223: 203\.0\.113\.300 is no IP address; check /,
  },
  {
    args: ["query", "--interface", "a/b", "h"],
    says: /^"a\/b" is no name of a network interface; expected one such as wg0$/,
  },
]);

const KEY_FORM = "44 characters of base64";
mistakes("keys that are none", [
  {
    args: ["query", "--key", "AAAA", "h"],
    says: RegExp(`^cannot read public key file AAAA: no such file .*; give a .*\\(${KEY_FORM}\\)`),
  },
  { args: ["query", "--key", `${KEY.slice(0, -2)}B=`, "h"], says: /^cannot read public key file / },
  {
    args: ["query", "--key", "%/bad", "h"],
    files: { bad: "not a key\n" },
    says: RegExp(`^public key file \\S+/bad: expected one WireGuard key \\(${KEY_FORM}\\)$`),
  },
  {
    args: ["query", "--key", "%", "h"],
    says: /^cannot read public key file \S+: it is a directory/,
  },
  {
    args: ["config", "--private-key", "%/absent", "--server", "h"],
    says: /^cannot read private key file \S+: no such.*; make one with: wgsig keygen private --out/,
  },
  {
    args: ["config", "--private-key", "%/bad", "--server", "h"],
    files: { bad: new TextEncoder().encode("hunter2 hunter2") },
    says: RegExp(`^private key file \\S+/bad: expected one WireGuard key \\(${KEY_FORM}\\)$`),
  },
  {
    args: ["config", "--private-key", KEY, "--server", "h"],
    says:
      /^expected the name of a private key file, got what belongs into it; write that to a file/,
  },
]);

const serve = (...args: readonly string[]) => ["serve", "--listen", "127.0.0.1:0", ...args];
const secretErrors = (command: readonly string[], after: readonly string[]): Mistake[] => [
  {
    args: [...command, "--secret", "%/absent", ...after],
    says: command[0] === "serve"
      ? /^cannot read secret file \S+\/absent: no such file or directory; make one with: wgsig keygen secret --output \S+\/absent$/
      : /^cannot read secret file \S+\/absent: no such file or directory; copy the group's: the file that the registry has$/,
  },
  {
    args: [...command, "--secret", "%/bad", ...after],
    files: { bad: randomBytes(31) },
    says: /^secret file \S+\/bad has 31 bytes that are no secret: expected 32 raw bytes, or their/,
  },
  {
    args: [...command, "--secret", "%/bad", ...after],
    files: { bad: new TextEncoder().encode(`${encodeBase64(randomBytes(32))}\n`.repeat(2)) },
    says: /^secret file \S+\/bad has 90 bytes that are no secret: /,
  },
  {
    args: [...command, "--secret", "%/bad", ...after],
    files: { bad: new Uint8Array(0) },
    says: /^secret file \S+\/bad has 0 bytes that are no secret: /,
  },
  {
    args: [...command, "--secret", "%/bad", ...after],
    files: { bad: randomBytes(10_000) },
    says: /^cannot read secret file \S+\/bad: it is too large$/,
  },
  {
    args: [...command, "--secret", "%", ...after],
    says: /^cannot read secret file \S+: it is a directory$/,
  },
  {
    args: [...command, "--secret", "-", ...after],
    says: /^secret .*has 0 bytes that are no secret: /,
  },
];
mistakes("secrets of serve", secretErrors(serve(), []));
mistakes("secrets of query", secretErrors(["query", "--key", KEY], ["h"]));

Deno.test("a secret in place of its file's name is not printed", async () => {
  const hex = [...randomBytes(32)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  for (const secret of [encodeBase64(randomBytes(32)), hex]) {
    const says = /^expected the name of a secret file, got what belongs into it; write that to a /;
    const err = await assertRefused(serve("--secret", secret), USAGE, says);
    assertEquals(err.includes(secret), false);
    await using scene = await Scene.open();
    const settings = `[[serve.group]]\nsecret-file = "${secret}"\n`;
    const config = await scene.file("wgsig.toml", settings);
    const again = await assertRefused(serve("--config", config), USAGE, says);
    assertEquals(again.includes(secret), false);
  }
});

Deno.test("a secret in place of another file is not printed", async () => {
  const hex = [...randomBytes(32)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  for (const secret of [encodeBase64(randomBytes(32)), hex, "abcdef="]) {
    await using scene = await Scene.open();
    const file = await scene.file("taken", `${secret}\n`);
    const args = ["--secret", scene.secretFile];
    const asSettings = await assertRefused(serve(...args, "--config", file), USAGE, /taken: Parse/);
    assertEquals(asSettings.includes(secret.slice(0, 6)), false, asSettings);
    if (secret.endsWith("=") && secret.length === 44) continue;
    for (const option of ["--allow", "--key"]) {
      const command = option === "--key" ? ["query", ...args, "h"] : serve(...args);
      const err = await assertRefused([...command, option, file], USAGE, /taken/);
      assertEquals(err.includes(secret.slice(0, 6)), false, err);
    }
  }
});

Deno.test("sync: what is no name of an interface is refused at once", async () => {
  await using scene = await Scene.open();
  for (const name of ["an-interface-with-a-long-name", "a/b", "all"]) {
    const args = ["sync", name, "--server", "127.0.0.1:9", "--secret", scene.secretFile];
    const says = /^".*" is no name of a network interface; expected one such as wg0$/;
    await assertRefused(args, USAGE, says);
  }
});

Deno.test("files that others can read are refused with the command that mends it", async () => {
  await using scene = await Scene.open();
  const wg = await wgsig(["keygen", "private"]);
  for (const mode of [0o644, 0o640, 0o604, 0o660, 0o601, 0o610, 0o602]) {
    const octal = `0${mode.toString(8)}`;
    const secret = await scene.file("open", encodeBase64(scene.secret), mode);
    const says = (what: string, path: string) =>
      new RegExp(
        `^${what} ${path} ${
          (mode & 0o44) === 0 ? "is not its owner's alone" : "can be read by others"
        } \\(mode ${octal}\\); mend it with: chmod 600 ${path}` +
          (what === "secret file" ? `, or .*: --secret - < ${path}$` : "$"),
      );
    await assertRefused(serve("--secret", secret), USAGE, says("secret file", secret));
    const key = await scene.file("key", wg.out, mode);
    await assertRefused(
      ["config", "--private-key", key, "--server", "h"],
      USAGE,
      says("private key file", key),
    );
  }
});

Deno.test("settings and allow-lists that others can change are refused by every command", async () => {
  await using scene = await Scene.open();
  const settings = await scene.file("wgsig.toml", "", 0o666);
  const args = ["--config", settings];
  const says = new RegExp(
    `^settings file ${settings} can be changed by others \\(mode 0666\\); ` +
      `mend it with: chmod go-w ${settings}$`,
  );
  for (const command of ["serve", "query", "sync", "config"]) {
    await assertRefused([command, ...args, ...command === "sync" ? ["wg0"] : []], USAGE, says);
  }
  const allow = await scene.file("allow", "", 0o664);
  const serve = ["serve", "--listen", "127.0.0.1:0", "--secret", scene.secretFile];
  await assertRefused(
    [...serve, "--allow", allow],
    USAGE,
    /^allow-list .* \(mode 0664\); mend it /,
  );
});

Deno.test("the group's secret is not taken for a private key", async () => {
  await using scene = await Scene.open();
  const settings = await scene.file(
    "wgsig.toml",
    '[sync.wg0]\nservers = ["h"]\nsecret-file = "secret"\nprivate-key-file = "secret"\n',
  );
  await assertRefused(
    ["sync", "--config", settings, "wg0"],
    USAGE,
    /^\S*secret is the group's secret: private-key-file must be another file$/,
  );
});

const settingsErrors: readonly (readonly [string, RegExp])[] = [
  ["[serve\n", /wgsig\.toml: .*line 1\b/],
  ["[serve]\n\n\nfoo bar\n", /wgsig\.toml: .*line 4\b/],
  ["[serve]\nlisten = \n", /wgsig\.toml: .*line [23]\b/],
  ["server = 1\n", /wgsig\.toml: unknown key "server" \(did you mean "serve"\?\)$/],
  ["[serve]\nlisen = []\n", /wgsig\.toml: unknown key "serve\.lisen" \(did you mean "listen"\?\)$/],
  [`[sync.wg0]\nprivate-key = "x"\n`, /unknown key "sync\.wg0\.private-key" .*private-key-file/],
  [
    `[serve]\nlisten = "x"\n`,
    /wgsig\.toml: serve\.listen: expected a list, such as \["x"\], got "x"$/,
  ],
  [`[serve]\nlisten = ["x"]\n`, /serve\.listen\[0\]: expected ADDRESS:PORT, got "x"$/],
  [`[serve]\nlisten = ["x:1"]\n`, /^cannot listen on x:1: "x" is no IP address; /],
  [`[serve]\nmax-age = true\n`, /serve\.max-age: expected a duration .*, got true$/],
  [`[serve]\nmax-peers = "9"\n`, /serve\.max-peers: expected a whole number .*, got "9"$/],
  [`[[serve.group]]\nid = "a"\n`, /serve\.group\[0\]\.id: expected a whole number .*, got "a"$/],
  [
    `[serve.group]\nid = 1\n`,
    /serve\.group: expected a list, got one table: write \[\[serve\.group\]\] in the place of \[serve\.group\]$/,
  ],
  [`[peer]\npublic-key = "x"\n`, /write \[\[peer\]\] in the place of \[peer\]$/],
  [
    `[serve.dns.zone]\nname = "a.b"\n`,
    /write \[\[serve\.dns\.zone\]\] in the place of \[serve\.dns\.zone\]$/,
  ],
  [`serve = 5\n`, /serve: expected a table, got 5$/],
  [
    `[sync]\nservers = []\n`,
    /sync\.servers: expected a table, got \[\]; .* into \[sync\.NAME\], such as \[sync\.wg0\]$/,
  ],
  [
    `[[sync]]\nservers = []\n`,
    /sync: expected a table, .* into \[sync\.NAME\], such as \[sync\.wg0\]$/,
  ],
  [
    `[[peer]]\npublic-key = "AAAA"\n`,
    /peer\[0\]\.public-key: expected a WireGuard public key .*AAA/,
  ],
  [`[[peer]]\nname = "a\\nb"\n`, /peer\[0\]\.name: expected a name on one line, got "a\\nb"$/],
  [
    `[[peer]]\nname = "bob"\nallowed-ips = "10.0.0.1"\n`,
    /peer\[0\] \(bob\)\.allowed-ips: expected a list, such as \["10\.0\.0\.1"\], got "10/,
  ],
  [
    `[[peer]]\npublic-key = "${KEY}"\nlease = [1]\n`,
    new RegExp(
      `peer\\[0\\] \\(${
        KEY.slice(0, 8).replace(/[+/]/g, "\\$&")
      }…\\)\\.lease\\[0\\]: expected an IP address`,
    ),
  ],
  [`[[peer]]\nallowed-ips = ["10/8"]\n`, /peer\[0\]\.allowed-ips\[0\]: expected an IP address /],
  [
    `[[serve.group]]\nid = 3\nsecret-file = "secret"\n`.repeat(2),
    /^group 3 is configured twice; give each group another id$/,
  ],
  [
    `[[serve.group]]\n[[serve.group]]\nsecret-file = "a"\nsecret-files = ["b"]\n`,
    /wgsig\.toml: serve\.group\[1\] has secret-file and secret-files; leave one of them out$/,
  ],
  [`[[serve.group]]\nsecret-files = []\n`, /^group 0 has no secret file; name one$/],
  [
    `[[serve.group]]\nsecret-files = ["secret", "secret"]\n`,
    /^group 0 names secret file \S+\/secret twice; name the new secret's and the old one's, or one /,
  ],
  [
    `[[serve.group]]\nsecret-files = ["secret", "./secret"]\n`,
    /^secret files \S+\/secret and \S+\/\.\/secret hold the same secret; name the new secret's and /,
  ],
  [
    `[[serve.group]]\nsecret-files = ["a", "b", "c"]\n`,
    /^group 0 has 3 secret files; name the new secret's and the old one's$/,
  ],
];
mistakes(
  "settings name the file, and the line or the key",
  settingsErrors.map(([text, says]) => ({
    args: ["serve", "--config", "%/wgsig.toml"],
    files: { "wgsig.toml": text },
    says,
  })),
);

mistakes("settings of clients", [
  {
    args: ["query", "--key", KEY, "--config", "%/wgsig.toml", "h"],
    files: { "wgsig.toml": `[[peer]]\nname = "a"\n` },
    says: /wgsig\.toml: peer\[0\] \(a\): public-key is missing$/,
  },
  {
    args: ["query", "--key", KEY, "--config", "%/wgsig.toml", "h"],
    files: { "wgsig.toml": `[[peer]]\nname = "a"\npublic-key = "${KEY}"\n`.repeat(2) },
    says: /wgsig\.toml: peer\[1\] \(a\): \S+ is there twice$/,
  },
  {
    args: ["query", "--config", "%/wgsig.toml"],
    files: { "wgsig.toml": `[sync.wg0]\nservers = ["a:b"]\n` },
    says:
      /wgsig\.toml: sync\.wg0\.servers\[0\]: expected HOST, HOST:PORT, dns:\/\/HOST\[:PORT\]\/ZONE or punch:\/\/HOST\[:PORT\], got "a:b"$/,
  },
]);

Deno.test("a settings file that is not there is named, wherever its name came from", async () => {
  await using scene = await Scene.open();
  const absent = `${scene.folder}/absent.toml`;
  const says = /^cannot read settings file \S+\/absent\.toml: no such file or directory$/;
  await assertRefused(serve("--config", absent), USAGE, says);
  await assertRefused(serve(), USAGE, says, { env: { WGSIG_CONFIG: absent } });
  await assertRefused(
    serve("--config", scene.folder),
    USAGE,
    /^cannot read settings file \S+: it is a directory$/,
  );
});

mistakes("allow-lists", [
  {
    args: serve("--secret", "%/secret", "--allow", "%/absent"),
    says: /^cannot read allow-list \S+\/absent: no such file or directory$/,
  },
  {
    args: serve("--secret", "%/secret", "--allow", "%/list"),
    files: { list: `# a list\n${KEY} alice\n\n${KEY.slice(1)} bob\n` },
    says:
      /^allow-list \S+\/list, line 4: expected a WireGuard public key \(44 characters of base64\)$/,
  },
]);

mistakes("addresses that this host doesn't have", [
  {
    args: ["serve", "--listen", "192.0.2.1:0", "--secret", "%/secret"],
    status: FAILED,
    says: /^cannot listen on 192\.0\.2\.1:0: no such address on this host$/,
  },
  {
    args: ["serve", "--listen", "[2001:db8::1]:0", "--secret", "%/secret"],
    status: FAILED,
    says: /^cannot listen on \[2001:db8::1\]:0: no such address on this host$/,
  },
]);

Deno.test("a port in use is named with what to do", async () => {
  await using scene = await Scene.open();
  const taken = scene.end();
  await assertRefused(
    ["serve", "--listen", taken.endpoint, "--secret", scene.secretFile],
    FAILED,
    new RegExp(
      `^cannot listen on ${taken.endpoint}: address already in use; ` +
        `end the program that uses port ${taken.port}, or choose another with --listen$`,
    ),
  );
});

Deno.test("without a command, the help goes to standard error", async () => {
  const { code, out, err } = await wgsig([]);
  assertEquals([code, out], [USAGE, ""]);
  const help = await wgsig(["--help"]);
  assertEquals([help.code, help.out, help.err], [0, err, ""]);
  for (const { name, help } of COMMANDS) {
    assertMatch(err, new RegExp(`^  ${name} +${help}$`, "m"));
  }
});

Deno.test("--help of each command lists every option", async () => {
  for (const { name, flags } of COMMANDS) {
    for (const flag of ["--help", "-h"]) {
      const { code, out, err } = await wgsig([name, flag]);
      assertEquals([code, err], [0, ""]);
      assertMatch(out, new RegExp(`^usage: wgsig ${name} `));
      for (const { name: option, value } of flags) {
        assertStringIncludes(out, `\n  --${option}${value === undefined ? "" : ` ${value}`} `);
      }
    }
  }
});

Deno.test("the commands and options that the issue names are there", async () => {
  const promised: Readonly<Record<string, string>> = {
    serve: "listen secret group allow encryption state max-peers max-age window log-format quiet " +
      "verbose",
    query: "secret key interface port no-register encryption group max-age timeout json dump",
    config: "server secret key port no-register encryption group max-age timeout private-key " +
      "address format",
    keygen: "raw output",
  };
  for (const [command, options] of Object.entries(promised)) {
    const { out } = await wgsig([command, "--help"]);
    for (const option of options.split(" ")) assertMatch(out, new RegExp(`^  --${option} `, "m"));
  }
});

Deno.test("--version names version, runtime and system", async () => {
  const manifest: { version: string } = JSON.parse(
    await Deno.readTextFile(new URL("../../deno.json", import.meta.url)),
  );
  for (const flag of ["--version", "-V", "version"]) {
    const { code, out, err } = await wgsig([flag]);
    assertEquals([code, err], [0, ""]);
    assertMatch(out, /^wgsig \d+\.\d+\.\d+ \(\w+ [\w.-]+, \w+-\w+\)\n$/);
    assertStringIncludes(out, ` ${manifest.version} (`);
  }
});

Deno.test("a reader that has gone away is no crash", async () => {
  const child = new Deno.Command(BINARY, {
    args: ["keygen", "public"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  // Only now it has something to print.
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(KEY));
  await writer.close();
  const err = await new Response(child.stderr).text();
  const { signal } = await child.status;
  assertEquals([err, signal], ["", null]);
});

Deno.test("a server whose log has no reader any more goes on", async () => {
  await using scene = await Scene.open();
  const { port, secretFile } = { port: await scene.freePort(), secretFile: scene.secretFile };
  const child = new Deno.Command(BINARY, {
    args: ["serve", "--listen", `127.0.0.1:${port}`, "--secret", secretFile, "--verbose"],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  try {
    const reader = child.stdout.getReader();
    let text = "";
    while (!/ready/.test(text)) {
      const { value } = await reader.read();
      assert(value !== undefined, "it ended");
      text += new TextDecoder().decode(value);
    }
    await reader.cancel();
    const peer = scene.peer();
    for (let i = 0; i < 5; i++) await peer.ask(port);
    child.kill("SIGUSR1");
    await peer.ask(port);
  } finally {
    child.kill("SIGTERM");
  }
  assertEquals(await new Response(child.stderr).text(), "");
  assertEquals((await child.status).code, 0);
});

Deno.test("what can't be written is no success", async () => {
  for (const command of ["keygen secret", "--help", "serve --help"]) {
    const { code, err } = await run(["sh", "-c", `"${BINARY}" ${command} > /dev/full`]);
    assertEquals(err, "wgsig: cannot write to standard output: no space left\n");
    assertEquals(code, 1);
  }
});

testWith(["root", "setpriv"], "who may not read a file is told who may", async () => {
  await using scene = await Scene.open();
  const settings = await scene.file("wgsig.toml", "[serve]\n");
  await Deno.chmod(settings, 0o600);
  const folder = settings.slice(0, settings.lastIndexOf("/"));
  await Deno.chmod(folder, 0o755);
  const other = ["setpriv", "--reuid", "65534", "--clear-groups", "env", "HOME=/", BINARY];
  for (const command of [["serve"], ["query", "a"], ["config", "wg0", "--import"]]) {
    const name = command.includes("--import") ? [settings] : ["--config", settings];
    const { code, err } = await run([...other, ...command, ...name]);
    assertEquals(code, 6, err);
    assertMatch(err, /^wgsig: cannot read .*: permission denied; run this as root\n$/);
  }
});
