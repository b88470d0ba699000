/**
 * Builds `dist/wgsig` for this machine, or with `--all` every target that can be had, and writes
 * `dist/SHA256SUMS`.
 *
 * The sources are bundled first (that resolves the import map, which Bun doesn't read), and the
 * bundle is then put into a binary. The same sources give the same bundle and the same binary.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { encodeHex } from "@std/encoding/hex";
import { writeChecksums } from "./package/checksums.ts";
import {
  BINARY,
  BUN_TARGETS,
  bundle,
  bunProgram,
  type BunTarget,
  DENO,
  ownTarget,
  ROOT,
  run,
  say,
} from "./tools.ts";

const DIST = `${ROOT}/dist`;
const BUNDLE = `${DIST}/wgsig.js`;
/** What `deno compile` makes binaries for, and where its users would expect them. */
const DENO_TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

/** Makes a binary of the bundle. It reads no file of the folder that it is started in. */
async function compile(target: BunTarget, file: string): Promise<void> {
  const [builder, base] = [await bunProgram(ownTarget()), await bunProgram(target)];
  // Bun writes the binary's name into it: the same name makes the same bytes.
  const made = `${DIST}/${target.name}/wgsig`;
  await Deno.mkdir(`${DIST}/${target.name}`, { recursive: true });
  await run([
    builder,
    "build",
    "--compile",
    "--bytecode",
    "--format=esm",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    `--target=${target.bun}`,
    `--compile-executable-path=${base}`,
    `--outfile=${made}`,
    BUNDLE,
  ], { env: { NODE_ENV: "production" } });
  await Deno.rename(made, file);
  await Deno.remove(`${DIST}/${target.name}`, { recursive: true });
  await report(file);
}

async function report(file: string): Promise<void> {
  const bytes = await Deno.readFile(file);
  const digest = encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  say(`${digest}  ${file.slice(ROOT.length + 1)}  (${(bytes.length / 1e6).toFixed(1)} MB)`);
}

/** `deno compile` downloads its base from Deno's host, or takes the one in $DENORT_BIN. */
async function compileWithDeno(): Promise<void> {
  const given = Deno.env.get("DENORT_BIN");
  const targets = given === undefined ? DENO_TARGETS : [Deno.build.target];
  for (const target of targets) {
    const file = `${DIST}/wgsig-deno-${target}${target.includes("windows") ? ".exe" : ""}`;
    const { code, stderr } = await new Deno.Command(DENO, {
      args: [
        "compile",
        "--quiet",
        "--allow-all",
        "--unstable-net",
        ...(given === undefined ? ["--target", target] : []),
        "--output",
        file,
        `${ROOT}/cli/main_deno.ts`,
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    if (code === 0) {
      await report(file);
      continue;
    }
    const why = new TextDecoder().decode(stderr);
    if (!why.includes("denort")) throw new Error(why);
    say(
      `deno compile: no binary for ${target}: its base (denort) could not be downloaded. ` +
        `Provide it: DENORT_BIN=/path/to/denort deno task build --all`,
    );
    if (given === undefined) {
      say("deno compile: the other targets need the same download and are left out");
      return;
    }
  }
}

const options = parseArgs(Deno.args, {
  boolean: ["all"],
  unknown: (arg) => {
    say(`unknown argument ${arg}; usage: deno task build [--all]`);
    Deno.exit(6);
  },
});
await Deno.mkdir(DIST, { recursive: true });
await bundle(`${ROOT}/cli/main_bun.ts`, BUNDLE, "--minify");
await report(BUNDLE);
await compile(ownTarget(), BINARY);
if (options["all"] === true) {
  for (const target of BUN_TARGETS) await compile(target, `${DIST}/wgsig-${target.name}`);
  await compileWithDeno();
  await writeChecksums(DIST);
}
