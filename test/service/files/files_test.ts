import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  loadSettings,
  readAllowList,
  readPrivateKey,
  readPublicKey,
  readSecret as readAnySecret,
  settingsReader,
} from "../../../lib/service/files/files.ts";
import { EXIT, UserError } from "../../../lib/core/settings/user_error.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { hex } from "../../support/bytes.ts";
import { idOf } from "../../support/fake_random.ts";
import { type MemoryFile, MemoryHost } from "../../support/memory_host.ts";
import { test } from "../../testing.ts";

/** The registry's secret. */
const readSecret = (host: MemoryHost, path: string) => readAnySecret(host, path, "registry");

const SYSTEM = "/etc/wgsig/wgsig.toml";
const RAW = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
const KEY = formatKey(RAW);

/** A key's text as it comes out of editors, shells and pastes. */
const spaced = (text: string) => [
  text,
  ...["\n", "\r\n", "\n\n\n", "\r\n\r\n", "  ", " \t\n ", "\r"].map((end) => text + end),
  ` ${text} \r\n`,
  `\n${text}\n`,
  `\ufeff${text}\n\n`,
];

/** The message of the error that a user gets. */
async function complaint(run: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(run, UserError);
  assert(error instanceof UserError);
  assertEquals(error.status, EXIT.usage);
  assert(!error.message.includes("\n"), "more than a line");
  return error.message;
}

function withFile(path: string, file: MemoryFile): MemoryHost {
  return new MemoryHost({ files: { [path]: file } });
}

/** Settings that tell which file they are from. */
function marked(group: number): MemoryFile {
  return { content: `[sync.wg0]\ngroup = ${group}\n`, mode: 0o644 };
}

async function foundGroup(host: MemoryHost, named?: string): Promise<number | undefined> {
  const { settings } = await loadSettings(host, named);
  return settings.sync?.get("wg0")?.group;
}

test("settings are looked for in the order that the manual says", async () => {
  const files: Record<string, MemoryFile> = {
    "named.toml": marked(1),
    "/env.toml": marked(2),
    "/xdg/wgsig/wgsig.toml": marked(3),
    "/home/me/.config/wgsig/wgsig.toml": marked(4),
    [SYSTEM]: marked(5),
  };
  const env = { WGSIG_CONFIG: "/env.toml", XDG_CONFIG_HOME: "/xdg", HOME: "/home/me" };
  const { WGSIG_CONFIG: _, ...withoutConfig } = env;
  const { XDG_CONFIG_HOME: _xdg, ...withHome } = withoutConfig;
  assertEquals(await foundGroup(new MemoryHost({ files, env }), "named.toml"), 1);
  assertEquals(await foundGroup(new MemoryHost({ files, env })), 2);
  assertEquals(await foundGroup(new MemoryHost({ files, env: withoutConfig })), 3);
  assertEquals(await foundGroup(new MemoryHost({ files, env: withHome })), 4);
  assertEquals(await foundGroup(new MemoryHost({ files })), 5);
});

test("no other file is read than the first that there is", async () => {
  const host = new MemoryHost({
    files: { "/xdg/wgsig/wgsig.toml": marked(3), [SYSTEM]: marked(5) },
    env: { XDG_CONFIG_HOME: "/xdg", HOME: "/home/me" },
  });
  assertEquals((await loadSettings(host, undefined)).path, "/xdg/wgsig/wgsig.toml");
  assertEquals(host.reads, ["/xdg/wgsig/wgsig.toml"]);
});

test("what is not there is passed over, down to no settings at all", async () => {
  const host = new MemoryHost({ env: { HOME: "/home/me" } });
  assertEquals(await loadSettings(host, undefined), { settings: {}, path: undefined });
  assertEquals(host.reads, ["/home/me/.config/wgsig/wgsig.toml", SYSTEM]);
  const odd = new MemoryHost({
    env: { HOME: "/home/me" },
    files: { "/home/me/.config/wgsig/wgsig.toml": { fails: "ENOTDIR" }, [SYSTEM]: marked(5) },
  });
  assertEquals(await foundGroup(odd), 5);
});

test("variables that are empty are as good as not set", async () => {
  const files = { [SYSTEM]: marked(5), "/home/me/.config/wgsig/wgsig.toml": marked(4) };
  const empty = { WGSIG_CONFIG: "", XDG_CONFIG_HOME: "" };
  assertEquals(await foundGroup(new MemoryHost({ files, env: { ...empty, HOME: "" } })), 5);
  assertEquals(await foundGroup(new MemoryHost({ files, env: { ...empty, HOME: "/home/me" } })), 4);
});

test("settings that were named must be there", async () => {
  const files = { [SYSTEM]: marked(5) };
  const expected = "cannot read settings file /x.toml: no such file or directory";
  const host = new MemoryHost({ files });
  assertEquals(await complaint(() => loadSettings(host, "/x.toml")), expected);
  const byEnv = new MemoryHost({ files, env: { WGSIG_CONFIG: "/x.toml" } });
  assertEquals(await complaint(() => loadSettings(byEnv, undefined)), expected);
});

test("settings that can't be read end the search, whoever named them", async () => {
  const own = "/home/me/.config/wgsig/wgsig.toml";
  const codes: readonly (readonly [string, string])[] = [
    ["EACCES", "permission denied; run this as root"],
    ["EISDIR", "it is a directory"],
    ["EFBIG", "it is too large"],
    ["EIO", "the device has failed (input/output error)"],
  ];
  for (const [code, why] of codes) {
    const host = new MemoryHost({
      files: { [own]: { fails: code }, [SYSTEM]: marked(5) },
      env: { HOME: "/home/me" },
    });
    const message = await complaint(() => loadSettings(host, undefined));
    assertEquals(message, `cannot read settings file ${own}: ${why}`);
  }
});

test("what is wrong in settings is said with their path, on one line", async () => {
  const twice =
    "/s.toml: a table ([serve]) is there twice, or after one of its parts ([serve.dns], " +
    "[[serve.group]]): put it there once, before them";
  const wrong: readonly (readonly [string, string])[] = [
    ["[serve]\nlisen = []", '/s.toml: unknown key "serve.lisen" (did you mean "listen"?)'],
    ["[serve]\nstate = 5", "/s.toml: serve.state: expected a text, got 5"],
    ["\u{fffd}=1", '/s.toml: Parse error on line 1, column 0: Unexpected character: "\u{fffd}"'],
    ["[serve]\n\nstate = \n", "/s.toml: Parse error on line 4, column 0: Cannot parse value"],
    ['[serve.dns]\nttl = "1m"\n[serve]\nmax-peers = 7\n', twice],
    ["[serve]\nmax-peers = 7\n[serve]\nmax-answer = 7\n", twice],
    ["[[serve.group]]\nid = 7\n[serve]\nmax-peers = 7\n", twice],
  ];
  for (const [content, expected] of wrong) {
    const host = withFile("/s.toml", { content });
    assertEquals(await complaint(() => loadSettings(host, "/s.toml")), expected);
  }
});

test("a secret file that was taken for settings is not shown", async () => {
  for (const content of [KEY, `${KEY}\n`, `secret ${KEY}\n`]) {
    const host = withFile("/s", { content });
    const message = await complaint(() => loadSettings(host, "/s"));
    assert(!message.includes(KEY.slice(0, 20)), message);
  }
});

test("a secret is read in each form", async () => {
  const hexadecimal = hex(RAW);
  for (const content of [RAW, ...spaced(KEY), ...spaced(hexadecimal)]) {
    assertEquals(await readSecret(withFile("/s", { content }), "/s"), RAW);
  }
});

test("what is no secret is refused without being shown", async () => {
  const wrong: readonly (readonly [string, number])[] = [
    ["", 0],
    [KEY.slice(1), 43],
    [`${KEY}${KEY}`, 88],
    [`${KEY}\n${KEY}\n`, 90],
    [`secret = ${KEY}`, 53],
  ];
  for (const [content, size] of wrong) {
    assertEquals(
      await complaint(() => readSecret(withFile("/s", { content }), "/s")),
      `secret file /s has ${size} bytes that are no secret: ` +
        "expected 32 raw bytes, or their base64 or hex",
    );
  }
});

test("a secret file that is missing is said with what makes one, other faults without", async () => {
  assertEquals(
    await complaint(() => readSecret(new MemoryHost(), "/s")),
    "cannot read secret file /s: no such file or directory; " +
      "make one with: wgsig keygen secret --output /s",
  );
  assertEquals(
    await complaint(() => readAnySecret(new MemoryHost(), "/s", "peer")),
    "cannot read secret file /s: no such file or directory; " +
      "copy the group's: the file that the registry has",
  );
  assertEquals(
    await complaint(() => readSecret(withFile("/s", { fails: "EACCES" }), "/s")),
    "cannot read secret file /s: permission denied; run this as root",
  );
  assertEquals(
    await complaint(() => readSecret(withFile("/s", { content: new Uint8Array(4097) }), "/s")),
    "cannot read secret file /s: it is too large",
  );
});

test("files with secrets must be for their owner alone", async () => {
  const readers = [readSecret, readPrivateKey];
  const modes = [0o400, 0o600, 0o700, 0o640, 0o604, 0o620, 0o644, 0o601, 0o777, 0o060, 0];
  for (const read of readers) {
    for (const mode of modes) {
      const host = withFile("/s", { content: KEY, mode });
      if ((mode & 0o77) === 0) {
        assertEquals(await read(host, "/s"), RAW);
        continue;
      }
      const what = read === readSecret ? "secret file" : "private key file";
      const shown = `0${mode.toString(8).padStart(3, "0")}`;
      const elsewhere = ", or where that can't be done, add: --secret - < /s";
      assertEquals(
        await complaint(() => read(host, "/s")),
        `${what} /s ${
          (mode & 0o44) === 0 ? "is not its owner's alone" : "can be read by others"
        } (mode ${shown}); mend it with: chmod 600 /s` +
          (read === readSecret ? elsewhere : ""),
      );
    }
  }
});

test("files with secrets must belong to the user, or to root", async () => {
  for (
    const [owner, isTaken] of [[1000, true], [0, true], [65_534, false], [1001, false]] as const
  ) {
    const host = withFile("/s", { content: KEY, owner });
    if (isTaken) assertEquals(await readSecret(host, "/s"), RAW);
    else {
      assertEquals(
        await complaint(() => readSecret(host, "/s")),
        `secret file /s belongs to another user (${owner}), who can read and change it; ` +
          "mend it with: chown 1000 /s",
      );
    }
  }
});

test("in a user namespace, files may belong to whom the system can't name", async () => {
  const maps = [
    ["         0          0 4294967295\n", false],
    ["         0     100000      65536\n", true],
    ["         0       1000          1\n         1     100000      65536\n", true],
    ["         0          0          1\n         1          1 4294967294\n", false],
  ] as const;
  for (const [map, isTaken] of maps) {
    const files = {
      "/s": { content: KEY, owner: 65_534 },
      [SYSTEM]: { content: "", mode: 0o644, owner: 65_534 },
      "/proc/self/uid_map": { content: map, mode: 0o444, owner: 0 },
    };
    const host = new MemoryHost({ files });
    for (const read of [() => readSecret(host, "/s"), () => loadSettings(host, undefined)]) {
      if (isTaken) await read();
      else await complaint(read);
    }
  }
});

const TRUSTED = [
  ["settings file", "", (host: MemoryHost) => loadSettings(host, "/f")],
  ["allow-list", "", (host: MemoryHost) => readAllowList(host, "/f")],
  ["public key file", KEY, (host: MemoryHost) => readPublicKey(host, "/f")],
] as const;

for (const [what, content, read] of TRUSTED) {
  test(`a ${what} that others can change is refused`, async () => {
    for (const mode of [0o666, 0o664, 0o646, 0o602, 0o620]) {
      assertEquals(
        await complaint(() => read(withFile("/f", { content, mode }))),
        `${what} /f can be changed by others (mode 0${mode.toString(8)}); ` +
          "mend it with: chmod go-w /f",
      );
    }
    for (const owner of [1001, 65_534]) {
      assertEquals(
        await complaint(() => read(withFile("/f", { content, mode: 0o644, owner }))),
        `${what} /f belongs to another user (${owner}), who can change it; ` +
          "mend it with: chown 1000 /f",
      );
    }
  });

  test(`a ${what} that others can only read is taken, and one without a mode`, async () => {
    for (const mode of [0o644, 0o600, 0o400, 0o755, undefined]) {
      for (const owner of [0, 1000]) await read(withFile("/f", { content, mode, owner }));
    }
    const files = { "/f": { content, mode: 0o666 } };
    await read(new MemoryHost({ files, target: "win32-x64" }));
  });
}

test("settings of a user in a home folder are refused in the same way, not passed over", async () => {
  const files = {
    "/home/me/.config/wgsig/wgsig.toml": { ...marked(1), mode: 0o666 },
    [SYSTEM]: marked(2),
  };
  await complaint(() => foundGroup(new MemoryHost({ files, env: { HOME: "/home/me" } })).then());
});

test("what systemd hands to a service is taken with the mode that it has", async () => {
  const files = { "/run/c/s": { content: KEY, mode: 0o440, owner: 1001 } };
  const host = new MemoryHost({ files, env: { CREDENTIALS_DIRECTORY: "/run/c" } });
  assertEquals(await readSecret(host, "/run/c/s"), RAW);
  const others = ["/run/c2", "", "/run/c/s/../"];
  for (const folder of others) {
    const elsewhere = new MemoryHost({ files, env: { CREDENTIALS_DIRECTORY: folder } });
    assert(
      (await complaint(() => readSecret(elsewhere, "/run/c/s"))).includes(
        "(mode 0440)",
      ),
    );
  }
  const around = new MemoryHost({
    files: { "/run/c/../s": { content: KEY, mode: 0o440 } },
    env: { CREDENTIALS_DIRECTORY: "/run/c" },
  });
  assert(
    (await complaint(() => readSecret(around, "/run/c/../s"))).includes("(mode 0440)"),
  );
});

test("what has no mode, and Windows, are not asked for one", async () => {
  const pipe = withFile("/dev/fd/3", { content: KEY, mode: undefined });
  assertEquals(await readSecret(pipe, "/dev/fd/3"), RAW);
  const files = { "C:/s": { content: KEY, mode: 0o666 } };
  assertEquals(await readSecret(new MemoryHost({ files, target: "win32-x64" }), "C:/s"), RAW);
});

test("a dash is standard input", async () => {
  const host = new MemoryHost({ input: `${KEY}\n` });
  assertEquals(await readSecret(host, "-"), RAW);
  assertEquals(await readPrivateKey(host, "-"), RAW);
  assertEquals(host.reads, []);
  assertEquals(
    await complaint(() => readSecret(new MemoryHost({ input: new Uint8Array(5000) }), "-")),
    "cannot read secret file from standard input: it is too large",
  );
});

test("a secret in place of its file's name is refused without being shown", async () => {
  const host = new MemoryHost();
  const readers = [readSecret, readPrivateKey];
  for (const secret of [KEY, hex(RAW), hex(RAW).toUpperCase(), `/etc/wgsig/${hex(RAW)}`]) {
    for (const read of readers) {
      const message = await complaint(() => read(host, secret));
      assert(!message.includes(secret.slice(-20)), message);
      assert(message.startsWith("expected the name of a "), message);
    }
  }
  assertEquals(host.reads, []);
});

test("a private key is one line of base64, and nothing else is shown of its file", async () => {
  for (const content of spaced(KEY)) {
    assertEquals(await readPrivateKey(withFile("/k", { content }), "/k"), RAW);
  }
  for (const content of ["", RAW, `${KEY}\n${KEY}\n`, `PrivateKey = ${KEY}`]) {
    assertEquals(
      await complaint(() => readPrivateKey(withFile("/k", { content }), "/k")),
      "private key file /k: expected one WireGuard key (44 characters of base64)",
    );
  }
});

test("a private key that is missing is said with what makes one of its kind", async () => {
  const missing = "no such file or directory; make one with: wgsig keygen";
  assertEquals(
    await complaint(() => readPrivateKey(new MemoryHost(), "/k")),
    `cannot read private key file /k: ${missing} private --output /k`,
  );
  assertEquals(
    await complaint(() => readPrivateKey(new MemoryHost(), "/k", "preshared key file", "psk")),
    `cannot read preshared key file /k: ${missing} psk --output /k`,
  );
});

test("a public key is given as it is, or as a file that anybody may read", async () => {
  const host = withFile("/k.pub", { content: `${KEY}\n`, mode: 0o644 });
  assertEquals(await readPublicKey(host, KEY), RAW);
  assertEquals(host.reads, []);
  for (const content of spaced(KEY)) {
    assertEquals(await readPublicKey(withFile("/k.pub", { content, mode: 0o644 }), "/k.pub"), RAW);
  }
  assertEquals(
    await complaint(() => readPublicKey(host, KEY.slice(1))),
    `cannot read public key file ${KEY.slice(1)}: no such file or directory; ` +
      "give a public key (44 characters of base64) or a file with one",
  );
  assertEquals(
    await complaint(() => readPublicKey(withFile("/k.pub", { content: "x" }), "/k.pub")),
    "public key file /k.pub: expected one WireGuard key (44 characters of base64)",
  );
  assertEquals(
    await complaint(() =>
      readPublicKey(withFile("/k.pub", { content: `${KEY}\n${KEY}\n` }), "/k.pub")
    ),
    "public key file /k.pub: expected one WireGuard key (44 characters of base64)",
  );
});

test("settings that are read again have to be there still", async () => {
  const own = "/home/me/.config/wgsig/wgsig.toml";
  const env = { HOME: "/home/me" };
  const host = new MemoryHost({ files: { [SYSTEM]: marked(1) }, env });
  const read = settingsReader(host, undefined);
  assertEquals((await read()).path, SYSTEM);
  await host.writeFile(own, new TextEncoder().encode("[serve]\n"), { mode: 0o644 });
  assertEquals((await read()).path, own, "one that is looked for earlier is taken");
  await host.removeFile(own);
  for (let i = 0; i < 2; i++) {
    assertEquals(
      await complaint(read),
      `cannot read settings file ${own}: no such file or directory`,
    );
  }
  const without = new MemoryHost({ env });
  const readAgain = settingsReader(without, undefined);
  assertEquals((await readAgain()).path, undefined);
  await without.writeFile(own, new Uint8Array(), { mode: 0o644 });
  assertEquals((await readAgain()).path, own);
});

test("an allow-list has a key a line, with comments and empty lines", async () => {
  const keys = [1, 2, 3, 4, 5].map(idOf);
  const [a, b, c, d, e] = keys.map(formatKey);
  const content = `# the group
${a}

  ${b}   laptop of b
${c}# no space
\t${d}\tx\r
   # only a comment
${e}`;
  // As it is, as editors of Windows save it, and with newlines at its end.
  for (const saved of [content, `\ufeff${content.replaceAll("\n", "\r\n")}`, `${content} \n\n\n`]) {
    const host = withFile("/allow", { content: saved, mode: 0o644 });
    assertEquals((await readAllowList(host, "/allow")).map(hex), keys.map(hex));
  }
});

test("an empty allow-list lets nobody in", async () => {
  for (const content of ["", "\n", "# nobody\n", " \r\n\t"]) {
    assertEquals(await readAllowList(withFile("/allow", { content }), "/allow"), []);
  }
});

test("a line of an allow-list that is no key is named, not shown", async () => {
  for (const line of [KEY.slice(1), `PublicKey=${KEY}`, `${KEY}x`, "?"]) {
    const host = withFile("/allow", { content: `# one\n${KEY}\n${line}\n${KEY}\n` });
    assertEquals(
      await complaint(() => readAllowList(host, "/allow")),
      "allow-list /allow, line 3: expected a WireGuard public key (44 characters of base64)",
    );
  }
});

test("an allow-list that is missing is an error: it must not let everybody in", async () => {
  assertEquals(
    await complaint(() => readAllowList(new MemoryHost(), "/allow")),
    "cannot read allow-list /allow: no such file or directory",
  );
});
