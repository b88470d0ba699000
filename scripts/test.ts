/**
 * Builds the binary and runs all tests: on Deno, the pure ones on Bun as well. With `--all`, router
 * binaries and packages are built and tested as well, and what tests the binary runs once more with
 * that of a router.
 *
 * The last line is `N passed, N failed`. As root on Debian, the packages that the tests need are
 * installed first, and named; elsewhere what could not run is named at the end.
 *
 * @module
 */

import { ownRouterTarget, ROUTER_TARGETS } from "./router/targets.ts";
import { isFile, ROUTER_BINARY } from "../test/support/program.ts";
import { missingPackages } from "./router/toolchain.ts";
import { installPackages } from "./test_packages.ts";
import { bundle, bunProgram, DENO, ownTarget, ROOT, run, say } from "./tools.ts";

/** Tests of router binaries and packages: building these takes long, so they run with `--all`. */
const LONG = ["test/router", "test/package", "test/host/quickjs/quickjs_test.ts"];
/** Characters of what is said once more at the end. */
const MOST_ERRORS = 6000;
const ALL = Deno.args.includes("--all");
/** Tests with hosts and routers of their own. They mostly wait, and so have a lane of their own. */
const LAB = "test/lab";
/**
 * Of these, what is the same with any binary (the lab itself, and what takes minutes to come), or needs
 * a store.
 */
const LAB_ONCE = ["site", "keepalive", "unreachable", "lease_shared"].map((name) =>
  `${LAB}/${name}_test.ts`
);
/** Of these, what takes two minutes in which next to nothing happens: a lane beside all others. */
const LAB_SLOW = ["keepalive", "soak"].map((name) => `${LAB}/${name}_test.ts`);
/** Tests of the binary on loopback. */
const E2E = "test/e2e";
/**
 * Of these, what needs a store, which the binaries for routers don't reach (`shared_test` has that), and
 * what needs signed zones, which they don't serve (`keygen_zone_test` has that).
 */
const E2E_ONCE = [
  ...["faults", "garbage", "kill", "peers", "rolling"].map((name) => `shared_${name}`),
  ...["dnssec", "dnssec_caches", "dnssec_chain", "dnssec_kinds", "dns_keys"],
].map((name) => `${E2E}/${name}_test.ts`);
/** Tests that use no runtime's API, so that they run everywhere. */
const PURE = ["test/wire", "test/core"];

interface Count {
  passed: number;
  failed: number;
  /** What a runner says of the tests that failed. */
  readonly errors: string;
}

/** Builds the router binaries that can be built here, and the programs that find errors in C. */
async function buildRouters(): Promise<void> {
  const possible = ROUTER_TARGETS.filter((target) => missingPackages([target]).length === 0);
  if (possible.length === 0) return;
  const targets = possible.flatMap(({ name }) => ["--target", name]);
  const own = ownRouterTarget();
  await run([
    DENO,
    "run",
    "--allow-all",
    `${ROOT}/scripts/build_router.ts`,
    "--sanitize",
    ...(own !== undefined && possible.includes(own) ? ["--movable-clock"] : []),
    ...targets,
  ]);
}

interface Runner {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What it says at its end of those that passed, and failed. */
  readonly passed: RegExp;
  readonly failed: RegExp;
}

/**
 * Runs a test runner, shows what it prints, and counts by its closing lines.
 *
 * @param show Takes what it prints, as it comes.
 */
async function runner(
  { name, argv, env = {}, passed, failed }: Runner,
  show: (bytes: Uint8Array) => void,
): Promise<Count> {
  const [program = "", ...args] = argv;
  const child = new Deno.Command(program, {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const decoder = new TextDecoder();
  const texts = await Promise.all([child.stdout, child.stderr].map(async (stream) => {
    let text = "";
    for await (const chunk of stream) {
      show(chunk);
      text += decoder.decode(chunk, { stream: true });
    }
    return text;
  }));
  const { code } = await child.status;
  const text = texts.join("\n");
  const count = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
  const errors = /^ ERRORS \n+([^]*)^ FAILURES /m.exec(text)?.[1] ?? "";
  const result = { passed: count(passed), failed: count(failed), errors };
  // A runner that fails without naming a test (a type error, say), or that ran none, has failed.
  if ((code !== 0 && result.failed === 0) || result.passed + result.failed === 0) result.failed++;
  show(new TextEncoder().encode(`${name}: ${result.passed} passed, ${result.failed} failed\n`));
  return result;
}

/** The test files in a folder and its folders, by their paths from the root, in order. */
function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(`${ROOT}/${folder}`)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return testFiles(path);
    return name.endsWith("_test.ts") ? [path] : [];
  }).sort();
}

/** Runs tests on Deno. */
function denoRunner(name: string, files: readonly string[], env: Runner["env"] = {}): Runner {
  const flags = ["--allow-all", "--sanitize-ops", "--sanitize-resources"];
  const argv = [DENO, "test", ...flags, ...files];
  return { name, argv, env, passed: /(\d+) passed/, failed: /passed[^|]*\|\s*(\d+) failed/ };
}

/** Bun doesn't read the import map, so its tests are bundled into one file. */
async function bunRunner(folder: string): Promise<Runner> {
  const files = PURE.flatMap(testFiles);
  const entry = `${ROOT}/dist/all_tests.ts`;
  await Deno.writeTextFile(entry, files.map((file) => `import "${ROOT}/${file}";\n`).join(""));
  await bundle(entry, `${folder}/all.test.js`, "--external", "bun:test");
  await Deno.remove(entry);
  // How long a test takes says nothing: Bun's own limit of 5 s is too near where much else runs.
  const argv = [await bunProgram(ownTarget()), "test", "--timeout=120000", `${folder}/all.test.js`];
  return { name: "Bun", argv, passed: /(\d+) pass\b/, failed: /(\d+) fail\b/ };
}

/** Runs one after the other; all lanes but the first show what they print at their end. */
async function runLane(runners: readonly Runner[], isShownLater: boolean): Promise<Count[]> {
  const counts: Count[] = [];
  const later: Uint8Array[] = [];
  const show = (bytes: Uint8Array) =>
    void (isShownLater ? later.push(bytes.slice()) : Deno.stdout.writeSync(bytes));
  for (const each of runners) counts.push(await runner(each, show));
  for (const bytes of later) Deno.stdout.writeSync(bytes);
  return counts;
}

await installPackages(ALL);
await run([DENO, "run", "--allow-all", `${ROOT}/scripts/build.ts`]);
if (ALL) await buildRouters();
const folder = await Deno.makeTempDir();
const skipped = `${folder}/skipped`;
await Deno.writeTextFile(skipped, "");
const env = { WGSIG_SKIPPED: skipped, WGSIG_ALL: ALL ? "1" : "" };
const files = testFiles("test")
  .filter((file) => ALL || !LONG.some((path) => file.startsWith(path)));
const isLab = (file: string) => file.startsWith(LAB);
// Deno heeds --ignore only where no files are named.
const main = denoRunner("Deno", files.filter((file) => !isLab(file)), env);
const isSlow = (file: string) => LAB_SLOW.includes(file);
const lab = files.filter(isLab);
const lanes = [
  [main, await bunRunner(folder)],
  [denoRunner("Deno, lab", lab.filter((file) => !isSlow(file)), env)],
  [denoRunner("Deno, slow lab", lab.filter(isSlow), env)],
];
if (ALL && isFile(ROUTER_BINARY)) {
  const router = { ...env, WGSIG_BINARY: ROUTER_BINARY };
  const e2e = files.filter((file) => file.startsWith(E2E) && !E2E_ONCE.includes(file));
  lanes[0]!.push(denoRunner("router binary", e2e, router));
  const twice = lab.filter((file) => !LAB_ONCE.includes(file));
  const slow = twice.filter(isSlow);
  lanes[1]!.push(denoRunner("router binary, lab", twice.filter((file) => !isSlow(file)), router));
  lanes[2]!.push(denoRunner("router binary, slow lab", slow, router));
}
const counts = (await Promise.all(lanes.map((lane, i) => runLane(lane, i > 0)))).flat();
if (!ALL) say(`Not run: ${LONG.join(", ")}; deno task test --all runs them as well.`);
const left = (await Deno.readTextFile(skipped)).trim();
await Deno.remove(folder, { recursive: true });
if (left !== "") say(`\nNot run, because something is missing here:\n${left}\n`);
for (const { errors } of counts) {
  if (errors !== "") say(`\nWhat failed, once more:\n${errors.slice(0, MOST_ERRORS)}`);
}
const total = (key: "passed" | "failed") => counts.reduce((sum, count) => sum + count[key], 0);
say(`${total("passed")} passed, ${total("failed")} failed`);
Deno.exit(total("failed") === 0 ? 0 : 1);
