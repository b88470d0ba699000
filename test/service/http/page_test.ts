/** The page as a text: its policy, its types, and its words. test/e2e/page_test.ts has it in a browser. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import fc from "fast-check";
import { makePage } from "../../../lib/service/http/page.ts";
import { pieces, scaleEnd } from "../../../lib/service/http/page/plot.js";
import {
  duration,
  figure,
  listed,
  nameOf,
  roundTrip,
  size,
} from "../../../lib/service/http/page/words.js";
import { DENO, ROOT } from "../../../scripts/tools.ts";
import { run, withFolder } from "../../support/program.ts";

/** Of the whole page, in bytes: a router that asks for it over a slow line waits no longer than for that. */
const MOST_BYTES = 80_000;
/** How a browser sees the script: its own types, and none of Deno's. */
const IN_BROWSER = {
  compilerOptions: {
    allowJs: true,
    checkJs: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noUnusedLocals: true,
    lib: ["dom", "dom.iterable", "esnext"],
  },
  lock: false,
};

async function hashOf(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${encodeBase64(new Uint8Array(bytes))}'`;
}

/** What is between two texts. */
function between(text: string, begin: string, end: string): string {
  const from = text.indexOf(begin) + begin.length;
  return text.slice(from, text.indexOf(end, from));
}

Deno.test("page: its policy allows its own script and style, and nothing else", async () => {
  const { text, policy } = makePage();
  const script = between(text, '<script type="module">', "</script>");
  const style = between(text, "<style>", "</style>");
  assertEquals(policy.split("; "), [
    "default-src 'none'",
    `script-src ${await hashOf(script)}`,
    `style-src ${await hashOf(style)}`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ]);
  assert(script.length > 10_000 && style.length > 2000, "the parts are there");
  assertEquals(text.match(/<script/g)?.length, 1);
  assertEquals(/\sstyle=|\son\w+=|javascript:/.test(text), false, "nothing that it would forbid");
});

Deno.test("page: it has nothing from elsewhere, and is small", () => {
  const { text } = makePage();
  const addresses = [...text.matchAll(/\b(?:https?|wss?):\/\/[^'"\s)]*/g)].map(([found]) => found);
  assertEquals([...new Set(addresses)], ["http://www.w3.org/2000/svg"], "the name of SVG alone");
  assertEquals(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/.test(text), false);
  assert(new TextEncoder().encode(text).length < MOST_BYTES);
  assertMatch(text, /<noscript>[^]*needs JavaScript[^]*<\/noscript>/);
});

Deno.test("page: its script has the types of a browser and of the reports", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(IN_BROWSER));
    const check = [DENO, "check", "--quiet", "--config", `${folder}/deno.json`];
    const env = { NO_COLOR: "1" };
    const parts = await run([...check, `${ROOT}/lib/service/http/page/page.js`], { env });
    assertEquals([parts.code, parts.err], [0, ""]);
    // As one text, nothing is there twice but names of types, and nothing is missing.
    const script = between(makePage().text, '<script type="module">', "</script>");
    const seen = new Set<string>();
    const once = script.split("\n").filter((line) =>
      !line.startsWith("/** @typedef {import") || (!seen.has(line) && seen.add(line))
    );
    const whole = once.join("\n").replaceAll("../../../core/status/", `${ROOT}/lib/core/status/`)
      .replaceAll(/import\("\.\/\w+\.js"\)\./g, "");
    await Deno.writeTextFile(`${folder}/whole.js`, whole);
    const one = await run([...check, `${folder}/whole.js`], { env });
    assertEquals([one.code, one.err], [0, ""]);
  });
});

Deno.test("page: figures as people read them", () => {
  assertEquals([0, 0.0825, 0.001, 1, 12.34, 99.96, 123.4, 51_234, 1e6].map(figure), [
    "0",
    "0.0825",
    "<0.01",
    "1",
    "12.3",
    "100",
    "123",
    "51\u202f234",
    "1\u202f000\u202f000",
  ]);
  assertEquals([0, 1023, 1024, 150_000, 1e15].map(size), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "146 KiB",
    "909 TiB",
  ]);
  assertEquals([0, 119, 120, 7200, 200_000].map(duration), ["0 s", "119 s", "2 min", "2 h", "2 d"]);
  assertEquals([null, 0.0042, 0.123].map(roundTrip), ["–", "4.2 ms", "123 ms"]);
  assertEquals(listed(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
  assertEquals(listed(["a", "b"]), "a, b");
  assertEquals(nameOf({ name: "\u202eevil\u0007", publicKey: "K" }), "\ufffdevil\ufffd");
  assertEquals(nameOf({ name: null, publicKey: "abcdefghijklmnop" }), "abcdefghijkl…");
});

Deno.test("page: a scale holds what it shows, and not much more", () => {
  const most = fc.double({ min: 1e-6, max: 1e15, noNaN: true });
  fc.assert(fc.property(most, fc.constantFrom(10, 1024), (most, base) => {
    const end = scaleEnd(most, base);
    assert(end >= most, `${end} is less than ${most}`);
    assert(end <= Math.max(2.5 * most, most < 10 ? 2 : 0), `${end} is much more than ${most}`);
  }));
  assertEquals([0, 1, 5, 7, 11, 130].map((most) => scaleEnd(most)), [1, 1, 5, 8, 12, 150]);
  assertEquals([900, 1024, 150_000].map((most) => scaleEnd(most, 1024)), [
    1000,
    1024,
    150 * 1024,
  ]);
});

Deno.test("page: a line has a gap where nothing was noted", () => {
  fc.assert(fc.property(fc.array(fc.option(fc.nat(99))), (samples) => {
    const all = pieces(samples);
    const back: (number | null)[] = samples.map(() => null);
    for (const piece of all) for (const [i, value] of piece) back[i] = value;
    assertEquals(back, samples);
    for (const piece of all) {
      for (const [n, [i]] of piece.entries()) assertEquals(i, piece[0]![0] + n);
    }
    // Pieces are as long as they can be.
    for (const [n, piece] of all.entries()) {
      const next = all[n + 1]?.[0]?.[0] ?? Infinity;
      assert(next > piece.at(-1)![0] + 1);
    }
  }));
});
