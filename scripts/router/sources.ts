/**
 * The C sources that router binaries are made of: as Debian keeps them, each pinned by its SHA-256.
 *
 * They come from the mirror that this system's apt is set up with, through apt's own downloader. It
 * doesn't matter of which release the system is: the mirror keeps the files of all.
 *
 * @module
 */

import { has, say } from "../tools.ts";
import { cached, cacheFolder, sha256 } from "./cache.ts";
import { runQuietly } from "./commands.ts";

/** Sources of a program. */
export interface Source {
  readonly name: string;
  readonly version: string;
  /** The file that holds them, and its folder on a mirror. */
  readonly file: string;
  readonly pool: string;
  /** The file's digest. */
  readonly sha256: string;
  /** The part of it that is needed, as patterns of `tar`. */
  readonly parts: readonly string[];
  /** The folder that is in it. */
  readonly folder: string;
  /** The variable that names an unpacked folder instead. */
  readonly variable: string;
  /** The digest of the C files in that folder, as {@linkcode sourceDigest} makes it. */
  readonly contents: string;
  /** The only part of the folder whose files count for it. */
  readonly below?: string;
}

/** The JavaScript engine. */
export const QUICKJS: Source = {
  name: "quickjs",
  version: "2025-04-26",
  file: "quickjs_2025.04.26.orig.tar.xz",
  pool: "pool/main/q/quickjs",
  sha256: "ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe",
  parts: ["*.c", "*.h", "*/VERSION", "*/LICENSE"],
  folder: "quickjs-2025.04.26",
  variable: "QUICKJS_SRC",
  contents: "21ea290f7aab85144ddbd0961c9288fc62de7c816a741ca2973807e589102b34",
};

/** The cryptographic primitives. */
export const BEARSSL: Source = {
  name: "bearssl",
  version: "0.6",
  file: "bearssl_0.6+dfsg.1.orig.tar.xz",
  pool: "pool/main/b/bearssl",
  sha256: "102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004",
  parts: ["*/inc/*", "*/src/*", "*/LICENSE.txt"],
  folder: "bearssl-0.6",
  variable: "BEARSSL_SRC",
  contents: "617d709e49c5e9d0feb75cf608779d3a4536d79786814d83fb03c9ed25246c4f",
};

/** What unpacks the bytecode. */
export const ZLIB: Source = {
  name: "zlib",
  version: "1.3.1",
  file: "zlib_1.3.dfsg+really1.3.1.orig.tar.gz",
  pool: "pool/main/z/zlib",
  sha256: "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb",
  parts: ["*.c", "*.h", "*/LICENSE"],
  folder: "zlib-1.3.1",
  variable: "ZLIB_SRC",
  contents: "348953090c84393c755febd8005160d5f1dcf4bfb58327252d02b153a582989b",
};

/** The C library. */
export const MUSL: Source = {
  name: "musl",
  version: "1.2.5",
  file: "musl_1.2.5.orig.tar.gz",
  pool: "pool/main/m/musl",
  sha256: "a9a118bbe84d8764da0ea0d28b3ab3fae8477fc7e4085d90102b8596fc7c75e4",
  parts: [],
  folder: "musl-1.2.5",
  variable: "MUSL_SRC",
  contents: "4f69875ae0e4310c269d3d62d326500c9962237904746c4c21488879166001fd",
};

/** Of the GNU C library only soft-fp, the arithmetic that libgcc has where it is built for it. */
export const GLIBC: Source = {
  name: "glibc",
  version: "2.36",
  file: "glibc_2.36.orig.tar.xz",
  pool: "pool/main/g/glibc",
  sha256: "a543c02070d46ccaf866957efd13f10c924daa74c86a90a0254db09a92a708ee",
  parts: [
    "glibc-2.36/soft-fp/*",
    "glibc-2.36/stdlib/longlong.h",
    "glibc-2.36/sysdeps/mips/mips32/sfp-machine.h",
  ],
  folder: "glibc-2.36",
  variable: "GLIBC_SRC",
  contents: "19cc1d2a00c25e79e8dcbefcba0b9b598b377390b9931f9eae0aa6443c4aa1aa",
  below: "soft-fp/",
};

/**
 * The folder of a source: the one that its variable names, else the pinned file, unpacked.
 *
 * @throws {Error} It can't be had, or isn't what it should be. The message says what to do.
 */
export async function sourceFolder(source: Source): Promise<string> {
  const given = Deno.env.get(source.variable);
  if (given !== undefined && given !== "") return await checkedFolder(source, given);
  const unpacked = await cached(source.name, [source.sha256, source.parts], async (folder) => {
    const file = await sourceFile(source);
    const parts = source.parts.length === 0 ? [] : ["--wildcards", ...source.parts];
    await runQuietly({ argv: ["tar", "-xf", file, ...parts], cwd: folder });
  });
  return `${unpacked}/${source.folder}`;
}

const LICENSED = [
  [QUICKJS, "LICENSE"],
  [MUSL, "COPYRIGHT"],
  [BEARSSL, "LICENSE.txt"],
  [ZLIB, "LICENSE"],
] as const;

/** The licenses of what is linked into every binary, each under the name of whose it is. */
export async function licenses(): Promise<string> {
  const texts = LICENSED.map(async ([source, file]) => {
    const text = await Deno.readTextFile(`${await sourceFolder(source)}/${file}`);
    return `${source.name} ${source.version}\n\n${text.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(72)}\n\n`);
}

/**
 * What names a source for the cache: its checksum, or where its variable names a folder, a digest of
 * the names and digests of the C files in it.
 */
export async function sourceDigest(source: Source): Promise<string> {
  const given = Deno.env.get(source.variable) ?? "";
  return given === "" ? source.sha256 : await folderDigest(source, given);
}

async function folderDigest({ below = "" }: Source, folder: string): Promise<string> {
  const names: string[] = [];
  await listFiles(folder, below, names);
  const lines = names.sort().map(async (name) =>
    `${await sha256(await Deno.readFile(`${folder}/${name}`))}  ${name}\n`
  );
  return await sha256((await Promise.all(lines)).join(""));
}

async function listFiles(folder: string, below: string, names: string[]): Promise<void> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(`${folder}/${below}`)) {
    if (isDirectory) await listFiles(folder, `${below}${name}/`, names);
    else if (isFile && /\.[chsS]$|^VERSION$/.test(name)) names.push(`${below}${name}`);
  }
}

async function checkedFolder(source: Source, folder: string): Promise<string> {
  const path = await Deno.realPath(folder);
  const { name, version, variable, contents } = source;
  if (await folderDigest(source, path) !== contents) {
    throw new Error(`${variable}: ${folder} is not the source of ${name} ${version}, unchanged`);
  }
  return path;
}

async function sourceFile(source: Source): Promise<string> {
  const path = `${cacheFolder()}/${source.file}`;
  if (await isGood(source, path)) return path;
  const reasons: string[] = [];
  for (const mirror of await mirrors()) {
    say(`Fetching ${source.file}`);
    const part = `${path}.${crypto.randomUUID()}`;
    try {
      await runQuietly({
        argv: [
          APT_HELPER,
          "-qq",
          "-o",
          "APT::Sandbox::User=root",
          "download-file",
          `${mirror}${source.pool}/${source.file}`,
          part,
          `SHA256:${source.sha256}`,
        ],
        cwd: cacheFolder(),
      });
      if (!await isGood(source, part)) throw new Error("its checksum is another");
      await Deno.rename(part, path);
      return path;
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    } finally {
      await Deno.remove(part).catch(() => {});
    }
  }
  throw new Error(
    [
      ...reasons,
      `${source.file} could not be had from this system's Debian mirror. It is the source of ` +
      `${source.name} ${source.version}, SHA-256 ${source.sha256}. Put the file into ` +
      `${cacheFolder()}, or set ${source.variable} to the folder that it unpacks to.`,
    ].join("\n"),
  );
}

async function isGood(source: Source, path: string): Promise<boolean> {
  const bytes = await Deno.readFile(path).catch(() => undefined);
  return bytes !== undefined && await sha256(bytes) === source.sha256;
}

const APT_HELPER = "/usr/lib/apt/apt-helper";

/** The addresses of Debian's archive that apt is set up with, each with a slash at its end. */
async function mirrors(): Promise<string[]> {
  if (!has("apt-get")) return [];
  const format = "$(ORIGIN)|$(LABEL)|$(REPO_URI)";
  const text = await runQuietly({
    argv: ["apt-get", "indextargets", "--format", format],
    cwd: "/",
  });
  const found = text.split("\n").filter((line) => line.startsWith("Debian|Debian|"));
  return [...new Set(found.map((line) => line.slice("Debian|Debian|".length)))];
}
