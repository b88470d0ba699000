/**
 * Makes packages: `deno task package [--binary FILE] [deb|openwrt|library]`.
 *
 * Those for Debian and OpenWrt are made of a binary that was built before; without `--binary`, of
 * all that are in `dist`: a Debian package of each one for glibc, and packages for OpenWrt of each
 * router binary. The library is made of the sources. All are put into `dist`, and into
 * `dist/SHA256SUMS`.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { ROOT, say } from "../tools.ts";
import { writeChecksums } from "./checksums.ts";
import { buildDeb } from "./deb.ts";
import { buildLibrary } from "./library.ts";
import { buildApk, buildIpk } from "./openwrt.ts";
import { sourceDate } from "./release.ts";

const DIST = `${ROOT}/dist`;
const USAGE = "usage: deno task package [--binary FILE] [deb|openwrt|library]";

/** The binaries that packages are made of where none is named. */
async function binaries(kind: string): Promise<string[]> {
  const [folder, pattern] = kind === "deb"
    ? [DIST, /^wgsig-linux-(?:x64|arm64)$/]
    : [`${DIST}/router`, /^wgsig-(?:x86_64|aarch64|armhf|armel|mips|mipsel)$/];
  const files: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (pattern.test(name)) files.push(`${folder}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files.sort();
}

const options = parseArgs(Deno.args, {
  string: ["binary"],
  unknown: (arg) => {
    if (!arg.startsWith("-")) return true;
    say(`unknown argument ${arg}; ${USAGE}`);
    Deno.exit(6);
  },
});
const kinds = options._.length === 0 ? ["deb", "openwrt", "library"] : options._.map(String);
const given: unknown = options["binary"];
const date = await sourceDate();
for (const kind of kinds) {
  if (kind === "library") {
    const { folder, tarball } = await buildLibrary({ folder: DIST, date });
    say(`${folder}\n${tarball}`);
    continue;
  }
  if (kind !== "deb" && kind !== "openwrt") {
    say(`unknown package ${kind}; ${USAGE}`);
    Deno.exit(6);
  }
  const files = typeof given === "string" ? [given] : await binaries(kind);
  if (files.length === 0) {
    const task = kind === "deb" ? "build --all" : "build:router";
    say(`${kind}: there is no binary; make them with deno task ${task}, or name one with --binary`);
  }
  for (const binary of files) {
    if (kind === "deb") {
      say(await buildDeb({ binary, folder: DIST, date }));
      continue;
    }
    say(await buildIpk({ binary, folder: DIST, date }));
    const apk = await buildApk({ binary, folder: DIST, date });
    say(apk ?? "apk: there is no `apk mkpkg` (apk-tools 3) here, so no package for OpenWrt 25");
  }
}
await writeChecksums(DIST);
