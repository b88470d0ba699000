/**
 * The bytecode as it stands in a binary: the same each time it is built, and whole or not run at all.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { inflateSync } from "node:zlib";
import { staticBinary } from "../../scripts/router/binary.ts";
import { bytecodeFile, packed } from "../../scripts/router/bytecode.ts";
import { sha256 } from "../../scripts/router/cache.ts";
import { ownRouterTarget } from "../../scripts/router/targets.ts";
import { ROUTER_BINARY, run, SANITIZED_QUICKJS, testWith, withFolder } from "../support/program.ts";
import { needsOf } from "./router_binary.ts";

const DAMAGED = "wgsig: this file is damaged: the program in it can't be unpacked\n";
/** How a stream of this level begins, in the zlib format. */
const [METHOD, LEVEL] = [0x78, 0xda];
/** No other stream in a binary is as large; there are smaller parts. */
const SMALLEST = 20_000;
/** A port of 127.0.0.1 that is in use. */
const TAKEN = "127.0.0.1:TAKEN";
/** A file with a group's secret. */
const SECRET = "SECRET";
/** Each part of the program that is large is needed by one of these; what comes of it if it is whole. */
const COMMANDS = [
  [["--version"], 0],
  [["serve", "--listen", "nowhere:1"], 6],
  [["serve", "--listen", "127.0.0.1:0", "--secret", SECRET, "--state", "/proc/none/state"], 1],
  [["sync", "wg0"], 6],
  [["doctor", "all"], 6],
  [["config", "--import", "/nowhere"], 6],
  [["join", "no link"], 6],
  [["sync", "wg0", "--server", "dns://127.0.0.1/a.example", "--status", TAKEN], 1],
  [["serve", "--listen", "127.0.0.1:0", "--secret", SECRET, "--dns", TAKEN, "--zone", "a.b"], 1],
] as const;
const BINARIES = [
  [ROUTER_BINARY, "the router binary", 12],
  [SANITIZED_QUICKJS.replace("runner-", "wgsig-"), "the sanitized QuickJS", 4],
] as const;

interface Part {
  /** Where it begins. */
  readonly at: number;
  /** What it is unpacked. */
  readonly bytecode: Uint8Array<ArrayBuffer>;
}

/** The packed parts of the program. */
function partsIn(binary: Uint8Array): Part[] {
  const parts: Part[] = [];
  for (let at = binary.indexOf(METHOD); at >= 0; at = binary.indexOf(METHOD, at + 1)) {
    if (binary[at + 1] !== LEVEL) continue;
    try {
      const bytecode = Uint8Array.from(inflateSync(binary.subarray(at)));
      if (bytecode.length > SMALLEST) parts.push({ at, bytecode });
    } catch {
      // Two bytes that happen to stand there.
    }
  }
  return parts;
}

/**
 * The first byte from a place on that makes a difference when it is inverted: a stream can say the
 * same in two ways, as with another distance to the same bytes. One in thousands is so.
 */
function damagedAt(bundle: Uint8Array, bytecode: Uint8Array, place: number): number {
  const changed = bundle.slice();
  changed[place]! ^= 0xff;
  try {
    const same = inflateSync(changed).equals(bytecode);
    return same ? damagedAt(bundle, bytecode, place + 1) : place;
  } catch {
    return place;
  }
}

for (const [file, need, count] of BINARIES) {
  testWith(
    [need],
    `${file.slice(file.lastIndexOf("/") + 1)}: damage ends it`,
    () =>
      withFolder(async (folder) => {
        const binary = await Deno.readFile(file);
        using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
        assert(taken.addr.transport === "tcp");
        const address = `127.0.0.1:${taken.addr.port}`;
        const secret = `${folder}/secret`;
        await Deno.writeFile(secret, new Uint8Array(32).fill(7), { mode: 0o600 });
        const runChanged = async (
          args: readonly string[],
          change: (bytes: Uint8Array<ArrayBuffer>) => void,
        ) => {
          const changed = binary.slice();
          change(changed);
          await Deno.writeFile(`${folder}/wgsig`, changed, { mode: 0o700 });
          const given = args.map((arg) => arg === TAKEN ? address : arg === SECRET ? secret : arg);
          return await run([`${folder}/wgsig`, ...given], { env: { WGSIG_CONFIG: "/dev/null" } });
        };
        for (const [args, code] of COMMANDS) {
          assertEquals((await runChanged(args, () => {})).code, code, args.join(" "));
        }
        const parts = partsIn(binary);
        assert(parts.length >= COMMANDS.length, `${parts.length}`);
        for (const { at, bytecode } of parts) {
          const bundle = Uint8Array.from(packed(bytecode));
          assertEquals(binary.subarray(at, at + bundle.length), bundle);
          let needs: readonly string[] | undefined;
          for (const [args, code] of COMMANDS) {
            const result = await runChanged(args, (bytes) => bytes[at]! ^= 0xff);
            if (result.code === code && result.err !== DAMAGED) continue;
            needs = args;
            break;
          }
          assert(needs !== undefined, `nothing needs the part at ${at}`);
          const last = bundle.length - 1;
          for (let i = 0; i < count; i++) {
            const place = damagedAt(bundle, bytecode, Math.round(i * last / (count - 1)));
            const result = await runChanged(needs, (bytes) => bytes[at + place]! ^= 0xff);
            assertEquals(result, { code: 1, out: "", err: DAMAGED }, `byte ${place} of ${last}`);
          }
          // Whole streams: too short, of the right size with something behind it, too long.
          for (const more of [-1, 0, 1]) {
            const other = packed(new Uint8Array(bytecode.length + more));
            const result = await runChanged(needs, (bytes) => bytes.set(other, at));
            assertEquals(result, { code: 1, out: "", err: DAMAGED }, `${more} more`);
          }
        }
      }),
  );
}

const own = ownRouterTarget();
if (own !== undefined) {
  testWith(
    needsOf(own),
    "two builds are the same, wherever they are made",
    () =>
      withFolder(async (folder) => {
        const digests = [];
        for (const name of ["one", "another/below"]) {
          const place = `${folder}/${name}`;
          await Deno.mkdir(place, { recursive: true });
          await Deno.writeTextFile(`${place}/script.js`, "globalThis.made = [1.5, /a+/u, 'text'];");
          await bytecodeFile([`${place}/script.js`], `${place}/script.c`);
          await staticBinary(own, `${place}/script.c`, `${place}/script`, place);
          digests.push(await sha256(await Deno.readFile(`${place}/script`)));
        }
        assertEquals(digests[0], digests[1]);
      }),
  );
}
