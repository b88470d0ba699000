/**
 * Builds `dist/router/wgsig-TARGET`: static binaries of the program on QuickJS, for routers; and
 * `dist/router/LICENSES`, of what is linked into them.
 *
 * `deno task build:router` makes the one of this machine's processor; `--target NAME` (also several
 * times) that of another, `--all` all of them. `--sanitize` makes `wgsig-sanitized` and
 * `runner-sanitized` for the tests of the native module, `--movable-clock` makes
 * `wgsig-movable-clock` for the tests of wrong clocks. `--list` prints what is missing here, as
 * names of Debian's packages, and makes nothing.
 *
 * The same sources and compilers give the same bytes. What takes long is kept in
 * `~/.cache/wgsig-router`.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { writeChecksums } from "./package/checksums.ts";
import { sanitizedBinary, staticBinary } from "./router/binary.ts";
import { bundleForEngine, bytecodeFile } from "./router/bytecode.ts";
import { sha256 } from "./router/cache.ts";
import { together } from "./router/commands.ts";
import { elfFacts } from "./router/elf.ts";
import { licenses } from "./router/sources.ts";
import { ownRouterTarget, ROUTER_TARGETS, type RouterTarget } from "./router/targets.ts";
import { missingPackages } from "./router/toolchain.ts";
import { ROOT, say } from "./tools.ts";

const DIST = `${ROOT}/dist/router`;
/** What a binary may take of a router's flash, in bytes. */
const LIMIT = 1_500_000;

function fail(message: string, status: number): never {
  say(message);
  Deno.exit(status);
}

function chosenTargets(names: readonly string[], all: boolean): readonly RouterTarget[] {
  if (all) return ROUTER_TARGETS;
  if (names.length === 0) {
    const own = ownRouterTarget();
    return own === undefined ? fail("name a target: --target NAME, or --all", 6) : [own];
  }
  const known = ROUTER_TARGETS.map(({ name }) => name).join(", ");
  return names.map((name) =>
    ROUTER_TARGETS.find((each) => each.name === name) ??
      fail(`there is no target ${name}; there are ${known}`, 6)
  );
}

async function report(file: string): Promise<void> {
  const bytes = await Deno.readFile(file);
  const size = (bytes.length / 1e6).toFixed(2);
  say(`${await sha256(bytes)}  ${file.slice(ROOT.length + 1)}  (${size} MB)`);
  const { needsLoader, executableStack } = elfFacts(bytes);
  if (needsLoader) throw new Error(`${file} is not static`);
  if (executableStack) throw new Error(`${file} has an executable stack`);
  if (bytes.length > LIMIT) {
    throw new Error(`${file} has ${bytes.length} bytes, more than the ${LIMIT} that it may have`);
  }
}

const options = parseArgs(Deno.args, {
  boolean: ["all", "list", "movable-clock", "sanitize"],
  string: ["target"],
  collect: ["target"],
  unknown: (arg) =>
    fail(
      `unknown argument ${arg}; usage: deno task build:router [--target NAME] [--all] ` +
        "[--sanitize] [--movable-clock] [--list]",
      6,
    ),
});
const sanitize = options["sanitize"] === true;
const given: unknown = options["target"];
const names = Array.isArray(given) ? given.map(String) : [];
const clockMoves = options["movable-clock"] === true;
const targets = (sanitize || clockMoves) && names.length === 0 && options["all"] !== true
  ? []
  : chosenTargets(names, options["all"] === true);
const missing = missingPackages(clockMoves ? [...targets, ...chosenTargets([], false)] : targets);
if (options["list"] === true) fail(missing.join(" "), 0);
if (missing.length > 0) fail(`Missing here: apt-get install ${missing.join(" ")}`, 1);

await Deno.mkdir(`${DIST}/build`, { recursive: true });
const bytecode = `${DIST}/build/wgsig.c`;
await bytecodeFile(
  await bundleForEngine(`${ROOT}/cli/main_quickjs.ts`, `${DIST}/build/bundle`),
  bytecode,
);
// The engine is one large file: while one processor compiles it, another can do the next target.
await together(targets, async (target) => {
  const folder = `${DIST}/build/${target.name}`;
  await Deno.mkdir(folder, { recursive: true });
  await staticBinary(target, bytecode, `${DIST}/wgsig-${target.name}`, folder);
});
for (const { name } of targets) await report(`${DIST}/wgsig-${name}`);
if (targets.length > 0) {
  await Deno.writeTextFile(`${DIST}/LICENSES`, await licenses());
  await writeChecksums(`${ROOT}/dist`);
}
if (clockMoves) {
  const [own] = chosenTargets([], false);
  const folder = `${DIST}/build/movable-clock`;
  await Deno.mkdir(folder, { recursive: true });
  if (own !== undefined) {
    await staticBinary(own, bytecode, `${DIST}/wgsig-movable-clock`, folder, true);
    say("made dist/router/wgsig-movable-clock");
  }
}
if (sanitize) {
  for (const name of ["wgsig-sanitized", "runner-sanitized"]) {
    const folder = `${DIST}/build/${name}`;
    await Deno.mkdir(folder, { recursive: true });
    await sanitizedBinary(
      name.startsWith("wgsig") ? bytecode : undefined,
      `${DIST}/${name}`,
      folder,
    );
    say(`made dist/router/${name}`);
  }
}
