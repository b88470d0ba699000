/**
 * A Debian package: program, units, manual page, completions. The same sources and the same program
 * make the same bytes.
 *
 * Sources: deb(5), deb-control(5), deb-conffiles(5); Debian Policy, chapters 5, 6 and 10.
 *
 * @module
 */

import { shareFiles } from "../man.ts";
import { ROOT, run } from "../tools.ts";
import { readProgram } from "./elf.ts";
import { RELEASE, wrapped } from "./release.ts";
import { installedSize, type PackedFiles, plain, script, writeTree } from "./tree.ts";

/** The oldest C library that Bun's binaries run with. */
const OLDEST_LIBC = "2.17";
const HERE = `${ROOT}/scripts/package`;
const CONFFILES = ["/etc/wgsig/wgsig.toml"];
const LINE = 76;
const SCRIPTS = ["postinst", "prerm", "postrm"];

/** How a package is made. */
export interface DebOptions {
  /** The program. */
  readonly binary: string;
  /** Where the package is put. */
  readonly folder: string;
  /** Unix seconds: the time of everything in it. */
  readonly date: number;
  /** How hard gzip works, 1 to 9. (xz saves a quarter, and takes ten times as long.) */
  readonly level?: number;
}

/** Makes `wgsig_VERSION_ARCH.deb`, and returns its path. */
export async function buildDeb(
  { binary, folder, date, level = 9 }: DebOptions,
): Promise<string> {
  const { architecture, loader } = readProgram(await Deno.readFile(binary));
  const tree = await Deno.makeTempDir();
  try {
    await writeTree(tree, await packedFiles(binary, date), date);
    const control = controlFile(architecture, loader !== undefined, await installedSize(tree));
    const scripts = SCRIPTS.map((name) => [`/DEBIAN/${name}`, script(`${HERE}/debian/${name}`)]);
    const sums = await checksums(tree);
    await writeTree(tree, {
      "/DEBIAN/control": plain(control),
      "/DEBIAN/conffiles": plain(CONFFILES.map((path) => `${path}\n`).join("")),
      "/DEBIAN/md5sums": plain(sums),
      ...Object.fromEntries(scripts),
    }, date);
    const file = `${folder}/${RELEASE.name}_${RELEASE.version}_${architecture}.deb`;
    const argv = ["dpkg-deb", "--root-owner-group", "-Zgzip", `-z${level}`, "--threads-max=1"];
    await run([...argv, "--build", tree, file], { env: { SOURCE_DATE_EPOCH: String(date) } });
    return file;
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

function controlFile(architecture: string, needsLibc: boolean, size: number): string {
  return [
    `Package: ${RELEASE.name}`,
    `Version: ${RELEASE.version}`,
    `Architecture: ${architecture}`,
    `Maintainer: ${RELEASE.maintainer}`,
    `Installed-Size: ${size}`,
    ...(needsLibc ? [`Depends: libc6 (>= ${OLDEST_LIBC})`] : []),
    "Recommends: iproute2, wireguard-tools",
    "Section: net",
    "Priority: optional",
    `Description: ${RELEASE.summary}`,
    ...wrapped(RELEASE.description, LINE).map((line) => ` ${line}`),
    "",
  ].join("\n");
}

async function packedFiles(binary: string, date: number): Promise<PackedFiles> {
  const share = shareFiles(date);
  const doc = `/usr/share/doc/${RELEASE.name}`;
  const units = ["wgsig-serve.service", "wgsig-sync@.service"].map((
    name,
  ) => [`/usr/lib/systemd/system/${name}`, { mode: 0o644, copyOf: `${HERE}/systemd/${name}` }]);
  return {
    "/usr/bin/wgsig": script(binary),
    "/usr/lib/wgsig/serve-settings": script(`${HERE}/systemd/serve-settings`),
    ...Object.fromEntries(units),
    "/etc/wgsig/wgsig.toml": { mode: 0o644, copyOf: `${HERE}/debian/wgsig.toml` },
    "/usr/share/man/man1/wgsig.1.gz": { ...plain(share["man/man1/wgsig.1"]!), gzip: true },
    "/usr/share/bash-completion/completions/wgsig": plain(
      share["bash-completion/completions/wgsig"]!,
    ),
    "/usr/share/zsh/vendor-completions/_wgsig": plain(share["zsh/site-functions/_wgsig"]!),
    "/usr/share/fish/vendor_completions.d/wgsig.fish": plain(
      share["fish/vendor_completions.d/wgsig.fish"]!,
    ),
    "/usr/share/lintian/overrides/wgsig": {
      mode: 0o644,
      copyOf: `${HERE}/debian/lintian-overrides`,
    },
    [`${doc}/changelog.gz`]: { ...plain(await changelog(date)), gzip: true },
    [`${doc}/copyright`]: plain(await copyright()),
  };
}

/** The newest version of CHANGELOG.md, as deb-changelog(5) has it: headings become `[ … ]`. */
async function changelog(date: number): Promise<string> {
  const text = await Deno.readTextFile(`${ROOT}/CHANGELOG.md`);
  const [, newest = ""] = text.split(/^## .*$/m);
  const items = newest.trim().replaceAll("`", "").split(/\n+(?=- |### )/).flatMap((item) => {
    if (item.startsWith("### ")) return ["", `  [ ${item.slice(4)} ]`];
    return wrapped(item.replace(/^- /, ""), LINE - 4).map((line, i) =>
      `${i === 0 ? "  * " : "    "}${line}`
    );
  });
  const day = new Date(date * 1000).toUTCString().replace("GMT", "+0000");
  return [
    `${RELEASE.name} (${RELEASE.version}) unstable; urgency=medium`,
    ...items[0] === "" ? [] : [""],
    ...items,
    "",
    ` -- ${RELEASE.maintainer}  ${day}`,
    "",
  ].join("\n");
}

/** The license in the form of https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ */
async function copyright(): Promise<string> {
  const license = await Deno.readTextFile(`${ROOT}/LICENSE`);
  const [, holder = "", body = ""] = /^Copyright \(c\) (.+)\n([^]*)$/m.exec(license) ?? [];
  const indented = body.trim().split("\n").map((line) => line === "" ? " ." : ` ${line}`);
  return [
    await Deno.readTextFile(`${HERE}/debian/copyright-head`),
    "Files: *",
    `Copyright: ${holder}`,
    "License: Expat",
    ...indented,
    "",
  ].join("\n");
}

/** What `dpkg --verify` compares. */
async function checksums(tree: string): Promise<string> {
  const { code, stdout } = await new Deno.Command("sh", {
    args: ["-c", "find . -type f ! -path './etc/*' -printf '%P\\0' | sort -z | xargs -0 md5sum"],
    cwd: tree,
    env: { LC_ALL: "C" },
  }).output();
  if (code !== 0) throw new Error("md5sum failed");
  return new TextDecoder().decode(stdout);
}
