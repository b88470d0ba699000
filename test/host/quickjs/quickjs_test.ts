/**
 * The host on QuickJS: what the other hosts are tested for, in a program with sanitizers.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { ROOT } from "../../../scripts/tools.ts";
import { hex } from "../../support/bytes.ts";
import { SMALL_ORDER } from "../../support/points.ts";
import { isRunning, testWith, withFolder } from "../../support/program.ts";
import { runQuickjsScript, runQuickjsTests } from "../../support/quickjs/run.ts";
import { BATCH_SCENARIOS, SCENARIOS as UDP_SCENARIOS } from "../batch_scenarios.ts";
import { CRYPTO_SCENARIOS } from "../crypto_scenarios.ts";
import { MARKED_NETWORK, RELAYED } from "../linux/raw_exchange.ts";
import { CONVERSATION, conversationErrors, RAW_NETWORK } from "../linux/raw_udp_exchange.ts";
import { OWN_LINK, SCENARIOS as TCP_SCENARIOS } from "../tcp_scenarios.ts";

const NEEDS = ["the sanitized QuickJS"];
/** Sanitizers are slow; elsewhere, properties are tried more often. */
const FEWER_RUNS = 'import fc from "fast-check";\nfc.configureGlobal({ numRuns: 25 });\n';
/** Points of small order, the ends of the range, and numbers of p and more, which count modulo p. */
const ODD_POINTS = [
  ...SMALL_ORDER.map(hex),
  // p + 9, 2^255 - 1, and with the highest bit, which doesn't count
  `f6${"ff".repeat(30)}7f`,
  `${"ff".repeat(31)}7f`,
  `09${"00".repeat(30)}80`,
  "ff".repeat(32),
];

/** Runs tests, all of which must pass; returns how many there were. */
async function passes(
  files: readonly string[],
  more = "",
  replaced: Readonly<Record<string, string>> = {},
): Promise<number> {
  let passed = 0;
  await withFolder(async (folder) => {
    const { code, out, err } = await runQuickjsTests(folder, files, more, replaced);
    assertEquals([code, err], [0, ""], out);
    assertMatch(out, /^\d+ passed, 0 failed\n$/);
    passed = Number.parseInt(out);
  });
  return passed;
}

/** Declares a test for each of some scenarios. */
function scenarios(file: string, names: string, given: string): string {
  return `import { ${names} } from "${ROOT}/test/host/${file}";
    import { quickjsHost } from "${ROOT}/lib/host/quickjs/quickjs.ts";
    import { test } from "${ROOT}/test/testing.ts";
    const host = quickjsHost();
    for (const each of [${names}]) {
      for (const [name, run] of Object.entries(each)) test(name, () => run(${given}));
    }`;
}

/** Runs a script that has the `host`, and returns what it printed. */
async function printed(
  script: string,
  options: Parameters<typeof runQuickjsScript>[2] = {},
): Promise<string> {
  let text = "";
  await withFolder(async (folder) => {
    const { code, out, err } = await runQuickjsScript(folder, script, options);
    assertEquals([code, err], [0, ""], out);
    text = out;
  });
  return text;
}

testWith(NEEDS, "files and programs are the same on QuickJS", async () => {
  const count = await passes([`${ROOT}/test/host/node/node_test.ts`], "", {
    [`file://${ROOT}/test/support/common_host.ts`]: `${ROOT}/test/support/quickjs/common_host.ts`,
  });
  assert(count > 20, `${count}`);
});

testWith(NEEDS, "TCP is the same on QuickJS", async () => {
  const more = scenarios("tcp_scenarios.ts", "SCENARIOS", "host");
  assertEquals(await passes([], more), Object.keys(TCP_SCENARIOS).length);
});

testWith(NEEDS, "UDP is the same on QuickJS", async () => {
  const more = scenarios("batch_scenarios.ts", "SCENARIOS, BATCH_SCENARIOS", "host, host");
  const all = { ...UDP_SCENARIOS, ...BATCH_SCENARIOS };
  assertEquals(await passes([], more), Object.keys(all).length);
});

testWith(NEEDS, "the primitives in C make the same bytes", async () => {
  const more = scenarios("crypto_scenarios.ts", "CRYPTO_SCENARIOS", "host.primitives");
  assertEquals(await passes([], more), Object.keys(CRYPTO_SCENARIOS).length);
});

testWith(NEEDS, "public keys and digests in C are @noble's", async () => {
  const inputs = [
    ...ODD_POINTS.map((hex) => decodeHex(hex)),
    ...Array.from({ length: 40 }, () => crypto.getRandomValues(new Uint8Array(32))),
  ];
  const points = ODD_POINTS.length + 5;
  const sizes = Array.from({ length: 200 }, (_, size) => size);
  const script = `
    import { x25519 } from "${ROOT}/lib/host/quickjs/x25519.ts";
    import { sha256 } from "${ROOT}/lib/host/quickjs/sha2.ts";
    import { native } from "${ROOT}/lib/host/quickjs/native.ts";
    import { decodeHex, encodeHex } from "@std/encoding/hex";
    const keys = ${JSON.stringify(inputs.map((bytes) => encodeHex(bytes)))}.map(decodeHex);
    const shared = new Uint8Array(32);
    const lines = keys.map((key) => encodeHex(x25519.getPublicKey(key)));
    for (const key of keys) {
      for (const point of keys.slice(0, ${points})) {
        native.x25519(key, point, shared);
        lines.push(encodeHex(shared));
      }
    }
    for (const size of ${JSON.stringify(sizes)}) {
      lines.push(encodeHex(sha256(new Uint8Array(size).fill(size))));
    }
    host.out.write(JSON.stringify(lines));`;
  const multiplied = (key: Uint8Array, point: Uint8Array): string => {
    try {
      return encodeHex(x25519.scalarMult(key, point));
    } catch {
      // A point of small order: noble refuses, RFC 7748 has zeros.
      return "0".repeat(64);
    }
  };
  const wanted = [
    ...inputs.map((key) => encodeHex(x25519.getPublicKey(key))),
    ...inputs.flatMap((key) => inputs.slice(0, points).map((point) => multiplied(key, point))),
    ...sizes.map((size) => encodeHex(sha256(new Uint8Array(size).fill(size)))),
  ];
  assertEquals<unknown>(JSON.parse(await printed(script)), wanted);
});

testWith(NEEDS, "wgsig 2 is the same with the primitives in C", async () => {
  const files = ["keys", "datagram", "question", "roster", "vectors"];
  const count = await passes(
    files.map((name) => `${ROOT}/test/wire/wgsig2/${name}_test.ts`),
    FEWER_RUNS,
    {
      [`file://${ROOT}/lib/wire/crypto/portable.ts`]: `${ROOT}/test/support/quickjs/portable.ts`,
    },
  );
  assert(count > 150, `${count} tests`);
});

testWith(NEEDS, "messages sealed in C are @noble's, and only those open", async () => {
  const sizes = [0, 1, 15, 16, 17, 63, 64, 65, 100, 600];
  const messages = sizes.flatMap((size) =>
    [0, 16, 56].map((header) =>
      [32, 24, header, size].map((length) =>
        encodeHex(crypto.getRandomValues(new Uint8Array(length)))
      )
    )
  );
  const script = `
    import { native } from "${ROOT}/lib/host/quickjs/native.ts";
    import { decodeHex, encodeHex } from "@std/encoding/hex";
    const lines = ${JSON.stringify(messages)}.map((message, i) => {
      const [key, nonce, header, bytes] = message.map(decodeHex);
      // Everything stands in one buffer: the nonce, the header, the bytes, and room for the tag.
      const place = new Uint8Array(7 + nonce.length + header.length + bytes.length + 16);
      place.set(nonce, 7);
      place.set(header, 31);
      const at = 31 + header.length;
      place.set(bytes, at);
      const sealed = [key, place, 7, place, 31, header.length, place, at, bytes.length];
      native.aeadSeal(...sealed);
      const kept = place.slice();
      const same = (other) => other.every((byte, i) => byte === place[i]);
      const wrong = [];
      for (let i = 7; i < place.length; i += i % 5 + 1) {
        place[i] ^= 1 << i % 8;
        const before = place.slice();
        if (native.aeadOpen(...sealed) || !same(before)) wrong.push(i);
        place.set(kept);
      }
      const opened = native.aeadOpen(...sealed);
      return [encodeHex(kept.subarray(at)), opened, encodeHex(place.subarray(at, -16)), wrong];
    });
    host.out.write(JSON.stringify(lines));`;
  const wanted = messages.map(([key, nonce, header, bytes]) => {
    const cipher = xchacha20poly1305(decodeHex(key!), decodeHex(nonce!), decodeHex(header!));
    return [encodeHex(cipher.encrypt(decodeHex(bytes!))), true, bytes, []];
  });
  assertEquals<unknown>(JSON.parse(await printed(script)), wanted);
});

testWith(NEEDS, "text is UTF-8 as everywhere", async () => {
  const pieces = [
    ...[[], [0x61], [0xc3, 0xa9], [0xc3], [0xe2, 0x82, 0xac], [0xe2, 0x82], [0xe2, 0x28, 0xa1]],
    ...[[0xf0, 0x9f, 0x98, 0x80], [0xf0, 0x9f, 0x98], [0xf0, 0x80, 0x80, 0x80], [0xc0, 0xaf]],
    ...[[0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff], [0x80, 0xbf], [0xef, 0xbb, 0xbf]],
    ...[[0xe0, 0x80, 0xaf], [0xf8, 0x88, 0x80, 0x80, 0x80], [0], [0x7f], [0xef, 0xbf, 0xbf]],
  ];
  const all = pieces.flatMap((one) => pieces.map((other) => [...one, ...other]));
  const texts = ["", "né", "\u{1f600}", "a\ud800b", "\udc00", "\ud800\ud800\udc00", "\0"];
  const script = `
    const all = ${JSON.stringify(all)}.map((bytes) => {
      const text = new TextDecoder().decode(Uint8Array.from(bytes));
      return Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
    });
    const texts = ${JSON.stringify(texts)}.map((text) => [...new TextEncoder().encode(text)]);
    host.out.write(JSON.stringify([all, texts]));`;
  const codes = (text: string) => Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  assertEquals<unknown>(JSON.parse(await printed(script)), [
    all.map((bytes) => codes(new TextDecoder().decode(Uint8Array.from(bytes)))),
    texts.map((text) => [...new TextEncoder().encode(text)]),
  ]);
});

testWith(NEEDS, "C touches nothing outside of the arrays that it is given", async () => {
  const script = `
    import { native } from "${ROOT}/lib/host/quickjs/native.ts";
    const left = new Set(["exit", "setLoop", "runJobs", "wait", "kill", "reap", "spawn", "unlink", "write"]);
    const pathFirst = new Set(["open", "mkdir", "rename"]);
    // All others begin with a file's number: not of this process's own files.
    const anyFirst = new Set([
      "env", "errorName", "random", "encode", "decode", "interfaceIndex", "localAddresses", "udpOpen",
      "connectedOpen", "rawOpen", "tcpListen", "tcpConnect", "sha256", "hmacKey", "hmac", "chacha20", "x25519",
      "aeadSeal", "aeadOpen",
    ]);
    const odd = [
      undefined, null, -1, 0, 1, 7, 8, 31, 32, 33, 64, 65, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, NaN, Infinity,
      "", "x", {}, [], [new Uint8Array(3)], new Uint8Array(0), new Uint8Array(18), new Uint8Array(16),
      new Uint8Array(new ArrayBuffer(40), 8, 32), new Int32Array(8), new Int32Array(64),
      new Int32Array(0), new Uint8Array(131072), new Float64Array(9), new DataView(new ArrayBuffer(9)),
    ];
    let seed = 1;
    const draw = (most) => (seed = (seed * 48271) % 0x7fffffff) % most;
    let refused = 0;
    for (const name of Object.getOwnPropertyNames(native)) {
      const call = native[name];
      if (typeof call !== "function" || left.has(name)) continue;
      for (let i = 0; i < 200; i++) {
        const values = Array.from({ length: draw(11) }, () => odd[draw(odd.length)]);
        if (pathFirst.has(name)) values[0] = "/nowhere/" + i;
        else if (!anyFirst.has(name)) values[0] = 100 + draw(9);
        try {
          call(...values);
        } catch {
          refused++;
        }
      }
    }
    host.out.write(refused > 1000 ? "done" : String(refused));`;
  assertEquals(await printed(script), "done");
});

testWith(NEEDS, "on QuickJS nothing that a program left keeps the process", async () => {
  const start = performance.now();
  const out = await printed(`
    const gone = await host.run(["/nowhere/wg"], { timeout: 30 }).catch(({ code }) => code);
    const late = await host.run(["sh", "-c", "sleep 30 & wait"], { timeout: 0.1 });
    host.out.write(gone + " " + late.code);`);
  assertEquals(out, "ENOENT 124");
  assert(performance.now() - start < 20_000, "it waited");
});

testWith(NEEDS, "on QuickJS what is stopped is stopped with what it has started", async () => {
  const out = await printed(`
    const argv = ["sh", "-c", "sleep 300 & echo $!; wait"];
    const late = await host.run(argv, { timeout: 1 });
    const stop = new Promise((resolve) => host.after(1, resolve));
    const stopped = await host.run(argv, { timeout: 300, stop });
    for (const { code, out } of [late, stopped]) host.out.write(code + " " + out);`);
  const stopped = [...out.matchAll(/^124 (\d+)$/gm)].map(([, pid]) => pid!);
  assertEquals(stopped.length, 2, out);
  for (const pid of stopped) assertEquals(await isRunning(pid), false, `${pid} runs`);
});

testWith(
  NEEDS,
  "on QuickJS standard input, the command line and the environment are read",
  async () => {
    const script = `
    const texts = [];
    for (const limit of [4, 5]) texts.push(new TextDecoder().decode(await host.readInput(limit)));
    host.out.write(JSON.stringify({ texts, args: host.args, env: host.env("VARIABLE") }));`;
    const options = { input: "four", args: ["one", "two"], env: { VARIABLE: "yes" } };
    assertEquals<unknown>(JSON.parse(await printed(script, options)), {
      texts: ["four", "four"],
      args: ["one", "two"],
      env: "yes",
    });
    const tooLarge = "host.out.write(await host.readInput(3).catch(({ code }) => code));";
    assertEquals(await printed(tooLarge, { input: "four" }), "EFBIG");
  },
);

const RAW =
  `import { exchange, marked, refusal, unsplit } from "${ROOT}/test/host/linux/raw_exchange.ts";\n`;

for (const [address, elsewhere] of [["127.0.0.1", "127.0.0.2"], ["::1", undefined]] as const) {
  testWith(
    ["root", ...NEEDS],
    `on QuickJS a raw socket on ${address} speaks from a port that another owns`,
    async () => {
      const given = JSON.stringify([address, elsewhere]).slice(1, -1).replace("null", "undefined");
      const out = await printed(
        `${RAW}host.out.write(JSON.stringify(await exchange(host, ${given})));`,
      );
      assertEquals<unknown>(JSON.parse(out), {
        server: ["question from owner"],
        raw: ["answer from server", " from server"],
        owner: [
          "noise from stranger",
          ...(elsewhere === undefined ? [] : ["far noise from server"]),
          "answer from server",
          " from server",
          "too late from server",
        ],
        errors: [],
        closed: [],
      });
    },
  );
}

const RAW_UDP =
  `import { converse, rawRefusals } from "${ROOT}/test/host/linux/raw_udp_exchange.ts";\n`;

for (const address of ["127.0.0.1", "::1"]) {
  testWith(
    ["root", ...NEEDS],
    `what a relay forwards to ${address} is not heard on QuickJS, and pages are`,
    async () => {
      const script = `import { relayed } from "${ROOT}/test/host/linux/raw_exchange.ts";
        host.out.write(JSON.stringify(await relayed(host, "${address}")));`;
      assertEquals<unknown>(JSON.parse(await printed(script)), RELAYED);
    },
  );

  testWith(
    ["network namespaces", "ip", "nft", ...NEEDS],
    `a raw socket on ${address} speaks with anybody from WireGuard's port on QuickJS`,
    async () => {
      const script = `${RAW_UDP}
        host.out.write(JSON.stringify(await converse(host, "${address}")));`;
      assertEquals<unknown>(JSON.parse(await printed(script, { before: RAW_NETWORK })), {
        ...CONVERSATION,
        errors: conversationErrors(address),
      });
    },
  );
}

testWith(
  ["network namespaces", "ip", "nft", "setpriv", ...NEEDS],
  "raw sockets that are not permitted are EPERM on QuickJS",
  async () => {
    const script = `${RAW_UDP}host.out.write(await rawRefusals(host));`;
    const before = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
    assertEquals(await printed(script), "none,none");
    assertEquals(await printed(script, { before }), "EPERM,EPERM");
  },
);

testWith(NEEDS, "what is not raw comes as the kernel has it on QuickJS", async () => {
  const script = `${RAW}const all = [];
    for (const address of ["127.0.0.1", "::1"]) all.push(...await unsplit(host, address));
    host.out.write(JSON.stringify(all));`;
  assertEquals(await printed(script), "[556,556,1112,556,556,1112]");
});

testWith(
  ["root", "unshare", "ip", "setpriv", ...NEEDS],
  "datagrams have a mark on QuickJS",
  async () => {
    const script = `${RAW}host.out.write((await marked(host)).join());`;
    assertEquals(await printed(script, { before: MARKED_NETWORK }), "sent,ENETUNREACH");
    const some = "-net_admin,-net_raw";
    const without = ["setpriv", `--bounding-set=${some}`, `--inh-caps=${some}`];
    assertEquals(await printed(script, { before: [...MARKED_NETWORK, ...without] }), "sent,EPERM");
  },
);

testWith(["root", "setpriv", ...NEEDS], "without CAP_NET_RAW it is EPERM on QuickJS", async () => {
  const script = `${RAW}host.out.write(await refusal(host));`;
  const before = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
  assertEquals(await printed(script), "none");
  assertEquals(await printed(script, { before }), "EPERM");
});

testWith(
  ["network namespaces", "ip", ...NEEDS],
  "TCP on QuickJS over a link-local address with its scope, from a given port",
  async () => {
    const script = `import { overLink } from "${ROOT}/test/host/tcp_scenarios.ts";
      await overLink(host, "near", "192.0.2.2");
      host.out.write("done");`;
    assertEquals(await printed(script, { before: OWN_LINK }), "done");
  },
);
