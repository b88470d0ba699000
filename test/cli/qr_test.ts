/** QR codes as a camera sees them on a terminal: drawn as an image, and read by zbarimg. */

import { assert, assertEquals } from "@std/assert";
import { drawQr } from "../../cli/qr.ts";
import { run, testWith } from "../support/program.ts";

/** What it takes to draw a terminal: light pixels as 255. */
interface Terminal {
  readonly text: number;
  readonly ground: number;
}
const DARK: Terminal = { text: 229, ground: 25 };
const LIGHT: Terminal = { text: 25, ground: 253 };
/** The colours that are asked for, of the 256. */
const COLOURS: Readonly<Record<string, number>> = { "231": 255, "16": 0 };
/** Pixels of a module. */
const SCALE = 4;
/** Characters of the terminal around what is shown. */
const MARGIN = 2;

const LINK = `wgsig://vps-with-a-long-name.example.com:12233/${"Ab3_".repeat(17)}`;
const KEY = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
const WG_CONF = `[Interface]
PrivateKey = ${KEY}
Address = 10.115.42.3/24, fd12:3456:789a::3/64

[Peer]
PublicKey = ${KEY}
AllowedIPs = 10.115.42.0/24, fd12:3456:789a::/64, 192.168.178.0/24
Endpoint = [2001:db8:1234:5678:9abc:def0:1234:5678]:51820
PersistentKeepalive = 25
`;

/** What is shown, as an image in the PGM format of netpbm. */
function photograph(shown: string, { text, ground }: Terminal): Uint8Array {
  const rows: number[][] = [];
  for (const line of shown.trimEnd().split("\n")) {
    let [front, back] = [text, ground];
    const [above, below]: [number[], number[]] = [[], []];
    // deno-lint-ignore no-control-regex -- terminals are told of colours so
    for (const [, colours, character = ""] of line.matchAll(/\x1b\[([\d;]*)m|(.)/gu)) {
      if (colours === "0") [front, back] = [text, ground];
      else if (colours !== undefined) {
        const [, fore = "", aft = ""] = /^38;5;(\d+);48;5;(\d+)$/.exec(colours) ?? [];
        [front, back] = [COLOURS[fore] ?? NaN, COLOURS[aft] ?? NaN];
      } else {
        assert("█▀▄ ".includes(character), JSON.stringify(character));
        above.push("█▀".includes(character) ? front : back);
        below.push("█▄".includes(character) ? front : back);
      }
    }
    rows.push(above, below);
  }
  const around = Array<number>(MARGIN).fill(ground);
  const width = rows[0]!.length + 2 * MARGIN;
  const empty = Array.from({ length: MARGIN }, () => Array<number>(width).fill(ground));
  const all = [...empty, ...rows.map((row) => [...around, ...row, ...around]), ...empty];
  const pixels = all.flatMap((row) => {
    assertEquals(row.length, width);
    const wide = row.flatMap((pixel) => Array<number>(SCALE).fill(pixel));
    return Array.from({ length: SCALE }, () => wide).flat();
  });
  const head = new TextEncoder().encode(`P5 ${width * SCALE} ${all.length * SCALE} 255\n`);
  return Uint8Array.from([...head, ...pixels]);
}

async function scanned(image: Uint8Array): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".pgm" });
  try {
    await Deno.writeFile(file, image);
    const argv = ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", file];
    const { out } = await run(argv);
    return out;
  } finally {
    await Deno.remove(file);
  }
}

testWith(["zbarimg"], "QR codes are read from terminals, dark and light ones", async () => {
  for (const text of [LINK, WG_CONF]) {
    const coloured = drawQr(text, true) ?? "";
    const plain = drawQr(text, false) ?? "";
    assertEquals(plain.includes("\x1b"), false);
    for (const line of plain.trimEnd().split("\n")) assert(line.length <= 80, `${line.length}`);
    // With colours it is the same on both; without, text is lighter than what is behind it.
    for (const image of [photograph(coloured, DARK), photograph(coloured, LIGHT)]) {
      assertEquals((await scanned(image)).trim(), text.trim());
    }
    assertEquals((await scanned(photograph(plain, DARK))).trim(), text.trim());
    // The test could see that something is wrong.
    const damaged = plain.replaceAll("▀", "▄");
    assertEquals(await scanned(photograph(damaged, DARK)), "");
  }
});

Deno.test("a QR code that a terminal has no columns for isn't drawn", () => {
  const longest = Array.from({ length: 600 }, (_, i) => i)
    .filter((size) => drawQr("x".repeat(size), false) !== undefined).at(-1);
  // Version 14 at the lowest level has 458 bytes (ISO/IEC 18004, table 7), and 73 modules.
  assertEquals(longest, 458);
  assertEquals(drawQr("x".repeat(10_000), true), undefined);
  assert(drawQr("x", true)?.startsWith("\x1b[38;5;231;48;5;16m██"));
});
