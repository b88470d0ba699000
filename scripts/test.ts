/**
 * Builds the binary and runs all tests: on Deno, the pure ones on Bun as well.
 *
 * The last line is `N passed, N failed`. As root on Debian, the packages that the tests need are
 * installed first; elsewhere what could not run is named at the end.
 *
 * @module
 */

import { ROUTER_TARGETS } from "./router/targets.ts";
import { missingPackages } from "./router/toolchain.ts";
import { bundle, bunProgram, DENO, has, ownTarget, ROOT, run, say, status } from "./tools.ts";

/** Debian's packages, and a program of each. */
const PACKAGES: readonly (readonly [string, string])[] = [
  ["bind9-dnsutils", "dig"],
  ["bind9-host", "host"],
  ["conntrack", "conntrack"],
  ["dnsmasq-base", "dnsmasq"],
  ["faketime", "faketime"],
  ["iproute2", "ip"],
  ["iputils-ping", "ping"],
  ["knot-dnsutils", "kdig"],
  ["knot-resolver", "kresd"],
  ["ldnsutils", "drill"],
  ["nftables", "nft"],
  ["pdns-recursor", "pdns_recursor"],
  ["unbound", "unbound"],
  ["util-linux", "setpriv"],
  ["wireguard-go", "wireguard-go"],
  ["wireguard-tools", "wg"],
];
/** The same for the tests of routers and packages. */
const PACKAGES_OF_ALL: typeof PACKAGES = [
  ["busybox", "busybox"],
  ["fish", "fish"],
  ["g++", "g++"],
  ["lintian", "lintian"],
  ["make", "make"],
  ["man-db", "man"],
  ["mandoc", "mandoc"],
  ["mmdebstrap", "mmdebstrap"],
  ["musl-tools", "musl-gcc"],
  ["qemu-user-static", "qemu-mips-static"],
  ["shellcheck", "shellcheck"],
  ["systemd", "systemd-analyze"],
  ["systemd-container", "systemd-nspawn"],
  ["zsh", "zsh"],
];
/** Tests of router binaries and packages: building these takes long, so they run with `--all`. */
const LONG = ["test/router", "test/package", "test/host/quickjs_test.ts"];
/** Characters of what is said once more at the end. */
const MOST_ERRORS = 6000;
const ALL = Deno.args.includes("--all");
/** Tests that use no runtime's API, so that they run everywhere. */
const PURE = ["test/wire", "test/core"];

interface Count {
  passed: number;
  failed: number;
  /** What a runner says of the tests that failed. */
  readonly errors: string;
}

async function installPackages(): Promise<void> {
  const missing = [
    ...[...PACKAGES, ...(ALL ? PACKAGES_OF_ALL : [])]
      .filter(([, program]) => !has(program)).map(([name]) => name),
    ...(ALL ? missingPackages(ROUTER_TARGETS) : []),
  ];
  if (missing.length === 0) return;
  if (Deno.uid() !== 0 || !has("apt-get")) {
    say(`The tests also need ${missing.join(", ")}: install them to run all tests.`);
    return;
  }
  say(`Installing what the tests need: ${missing.join(", ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...missing];
  if (await status(["apt-get", "update", "-qq"], { env }) !== 0) {
    say("apt-get update failed; trying to install with the lists that there are");
  }
  if (await status(install, { env }) !== 0) say(`could not install ${missing.join(", ")}`);
}

/** Builds the router binaries that can be built here, and the programs that find errors in C. */
async function buildRouters(): Promise<void> {
  const possible = ROUTER_TARGETS.filter((target) => missingPackages([target]).length === 0);
  if (possible.length === 0) return;
  const targets = possible.flatMap(({ name }) => ["--target", name]);
  await run([
    DENO,
    "run",
    "--allow-all",
    `${ROOT}/scripts/build_router.ts`,
    "--sanitize",
    ...targets,
  ]);
}

/** Runs a test runner, shows what it prints, and counts by its closing lines. */
async function runner(
  name: string,
  argv: readonly string[],
  passed: RegExp,
  failed: RegExp,
): Promise<Count> {
  const [program = "", ...args] = argv;
  const child = new Deno.Command(program, {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const decoder = new TextDecoder();
  const texts = await Promise.all([child.stdout, child.stderr].map(async (stream) => {
    let text = "";
    for await (const chunk of stream) {
      Deno.stdout.writeSync(chunk);
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
  say(`${name}: ${result.passed} passed, ${result.failed} failed`);
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

function testDeno(skipped: string): Promise<Count> {
  const sanitizers = ["--sanitize-ops", "--sanitize-resources"];
  Deno.env.set("WGSIG_SKIPPED", skipped);
  if (ALL) Deno.env.set("WGSIG_ALL", "1");
  // Deno heeds --ignore only where no files are named.
  const isWanted = (file: string) => ALL || !LONG.some((path) => file.startsWith(path));
  const files = testFiles("test").filter(isWanted);
  return runner(
    "Deno",
    [DENO, "test", "--allow-all", "--doc", ...sanitizers, "mod.ts", ...files],
    /(\d+) passed/,
    /passed[^|]*\|\s*(\d+) failed/,
  );
}

/** Bun doesn't read the import map, so its tests are bundled into one file. */
async function testBun(folder: string): Promise<Count> {
  const files = PURE.flatMap(testFiles);
  const entry = `${ROOT}/dist/all_tests.ts`;
  await Deno.writeTextFile(entry, files.map((file) => `import "${ROOT}/${file}";\n`).join(""));
  await bundle(entry, `${folder}/all.test.js`, "--external", "bun:test");
  await Deno.remove(entry);
  const bun = await bunProgram(ownTarget());
  return await runner(
    "Bun",
    [bun, "test", `${folder}/all.test.js`],
    /(\d+) pass\b/,
    /(\d+) fail\b/,
  );
}

await installPackages();
await run([DENO, "run", "--allow-all", `${ROOT}/scripts/build.ts`]);
if (ALL) await buildRouters();
const folder = await Deno.makeTempDir();
const skipped = `${folder}/skipped`;
await Deno.writeTextFile(skipped, "");
const counts = [await testDeno(skipped), await testBun(folder)];
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
