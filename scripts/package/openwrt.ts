/**
 * Packages for OpenWrt: ipk for opkg (up to OpenWrt 24.10), and apk from 25.12 on.
 *
 * A router binary needs no library and runs on any device of its processor's kind, so the packages
 * are for all architectures as OpenWrt counts them, and look for themselves whether the program
 * runs.
 *
 * Sources: OpenWrt's scripts/ipkg-build and include/package-pack.mk for what is in a package;
 * apk-mkpkg(8), apk-package(5).
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { has, ROOT, run } from "../tools.ts";
import { readProgram } from "./elf.ts";
import { RELEASE, wrapped } from "./release.ts";
import { archive, installedSize, type PackedFiles, plain, script, writeTree } from "./tree.ts";

const FILES = `${ROOT}/scripts/package/openwrt/files`;
const VERSION = `${RELEASE.version}-r1`;
const DEPENDS = "wireguard-tools";
const CONFFILES = ["/etc/config/wgsig"];
/** What a new firmware takes over, besides the conffiles. */
const KEPT = ["/etc/wgsig/"];
const LINE = 76;
/** What Debian and the router binaries call the same processor. */
const TARGETS: Readonly<Record<string, string>> = { amd64: "x86_64", arm64: "aarch64" };

/** How a package is made. */
export interface OpenWrtOptions {
  /** The program. */
  readonly binary: string;
  /** Where the package is put. */
  readonly folder: string;
  /** Unix seconds: the time of everything in it. */
  readonly date: number;
}

/** Makes `wgsig_VERSION_TARGET.ipk`, and returns its path. */
export async function buildIpk({ binary, folder, date }: OpenWrtOptions): Promise<string> {
  const target = await targetOf(binary);
  const work = await Deno.makeTempDir();
  try {
    await writeTree(`${work}/data`, packedFiles(binary), date);
    await writeTree(`${work}/control`, {
      "/control": plain(controlFile(await installedSize(`${work}/data`))),
      "/conffiles": plain(lines(CONFFILES)),
      "/postinst": { mode: 0o755, text: afterInstall(target, 'default_postinst "$0" "$@"') },
      "/prerm": { mode: 0o755, text: beforeRemoval('default_prerm "$0" "$@"') },
    }, date);
    await Deno.mkdir(`${work}/ipk`);
    await archive(`${work}/data`, ["."], `${work}/ipk/data.tar.gz`, date);
    await archive(`${work}/control`, ["."], `${work}/ipk/control.tar.gz`, date);
    await Deno.writeTextFile(`${work}/ipk/debian-binary`, "2.0\n");
    const file = `${folder}/${RELEASE.name}_${VERSION}_${target}.ipk`;
    const members = ["./debian-binary", "./data.tar.gz", "./control.tar.gz"];
    await archive(`${work}/ipk`, members, file, date);
    return file;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/**
 * Makes `wgsig-VERSION_TARGET.apk` with `apk mkpkg` of apk-tools 3, and returns its path, or
 * undefined where there is no such program.
 */
export async function buildApk(
  { binary, folder, date }: OpenWrtOptions,
): Promise<string | undefined> {
  if (!has("apk")) return undefined;
  const target = await targetOf(binary);
  const work = await Deno.makeTempDir();
  try {
    const files = packedFiles(binary);
    await writeTree(`${work}/data`, {
      ...files,
      ...await packageLists(files),
    }, date);
    const after = afterInstall(target, "default_postinst", "add_group_and_user");
    await writeTree(`${work}/scripts`, {
      "/post-install": { mode: 0o755, text: after },
      "/post-upgrade": { mode: 0o755, text: after.replace("\n", "\nexport PKG_UPGRADE=1\n") },
      "/pre-deinstall": { mode: 0o755, text: beforeRemoval("default_prerm") },
    }, date);
    const file = `${folder}/${RELEASE.name}-${VERSION}_${target}.apk`;
    const info = {
      name: RELEASE.name,
      version: VERSION,
      description: RELEASE.summary,
      arch: "noarch",
      license: RELEASE.license,
      depends: DEPENDS,
    };
    const scripts = ["post-install", "post-upgrade", "pre-deinstall"];
    await run([
      ...["apk", "mkpkg"],
      ...Object.entries(info).flatMap(([key, value]) => ["--info", `${key}:${value}`]),
      ...scripts.flatMap((name) => ["--script", `${name}:${work}/scripts/${name}`]),
      ...["--files", `${work}/data`, "--output", file],
    ], { env: { SOURCE_DATE_EPOCH: String(date) } });
    return file;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function targetOf(binary: string): Promise<string> {
  const { architecture, loader } = readProgram(await Deno.readFile(binary));
  if (loader !== undefined) {
    throw new TypeError(`Cannot package ${binary}: it needs ${loader}; a router binary needs none`);
  }
  return TARGETS[architecture] ?? architecture;
}

function packedFiles(binary: string): PackedFiles {
  return {
    "/usr/bin/wgsig": script(binary),
    "/etc/init.d/wgsig": script(`${FILES}/wgsig.init`),
    // Keys may stand in it, one day.
    "/etc/config/wgsig": { mode: 0o600, copyOf: `${FILES}/wgsig.config` },
    "/etc/hotplug.d/iface/90-wgsig": { mode: 0o644, copyOf: `${FILES}/wgsig.hotplug` },
    "/lib/upgrade/keep.d/wgsig": plain(lines(KEPT)),
  };
}

/** What OpenWrt's own scripts read of an apk package: its files, and its conffiles as they came. */
async function packageLists(files: PackedFiles): Promise<PackedFiles> {
  const sums: string[] = [];
  for (const path of CONFFILES) {
    const bytes = await Deno.readFile(files[path]!.copyOf!);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    sums.push(`${path} ${encodeHex(digest)}`);
  }
  const folder = `/lib/apk/packages/${RELEASE.name}`;
  return {
    [`${folder}.list`]: plain(lines(Object.keys(files).sort())),
    [`${folder}.conffiles`]: plain(lines(CONFFILES)),
    [`${folder}.conffiles_static`]: plain(lines(sums)),
  };
}

function controlFile(size: number): string {
  return lines([
    `Package: ${RELEASE.name}`,
    `Version: ${VERSION}`,
    `Depends: ${DEPENDS}`,
    `License: ${RELEASE.license}`,
    "Section: net",
    "Architecture: all",
    `Installed-Size: ${size * 1024}`,
    `Maintainer: ${RELEASE.maintainer}`,
    `Description: ${RELEASE.summary}`,
    ...wrapped(RELEASE.description, LINE).map((line) => ` ${line}`),
  ]);
}

/** A script that leaves the usual to OpenWrt's: it enables and starts what is in /etc/init.d. */
function afterInstall(target: string, ...calls: readonly string[]): string {
  return lines([
    "#!/bin/sh",
    '[ "${IPKG_NO_SCRIPT}" = 1 ] && exit 0',
    'if [ -z "${IPKG_INSTROOT}" ] && ! /usr/bin/wgsig --version > /dev/null 2>&1; then',
    `\techo "wgsig: this package is for ${target}, and does not run on this device" >&2`,
    "\texit 1",
    "fi",
    ...usual(),
    ...calls,
  ]);
}

function beforeRemoval(call: string): string {
  return lines(["#!/bin/sh", ...usual(), call]);
}

function usual(): string[] {
  return [
    '[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0',
    '. "${IPKG_INSTROOT}/lib/functions.sh"',
    'export root="${IPKG_INSTROOT}"',
    `export pkgname="${RELEASE.name}"`,
  ];
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}
