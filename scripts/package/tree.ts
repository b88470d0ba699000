/**
 * The files of a package, in a folder, with nothing in them that differs from build to build.
 *
 * @module
 */

import { run } from "../tools.ts";

/** A file of a package: its text, or the file that it is a copy of. */
export interface PackedFile {
  readonly mode: number;
  readonly text?: string;
  readonly copyOf?: string;
  /** Whether it is compressed with gzip; its name ends in `.gz` then. */
  readonly gzip?: boolean;
}

/** Files by their absolute path on the target. */
export type PackedFiles = Readonly<Record<string, PackedFile>>;

/** A text that anybody may read. */
export function plain(text: string): PackedFile {
  return { mode: 0o644, text };
}

/** A script. */
export function script(copyOf: string): PackedFile {
  return { mode: 0o755, copyOf };
}

/** Writes files below a folder, all with this time (Unix seconds). */
export async function writeTree(folder: string, files: PackedFiles, date: number): Promise<void> {
  for (const [path, { mode, text, copyOf, gzip = false }] of Object.entries(files)) {
    const file = `${folder}${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true, mode: 0o755 });
    if (copyOf !== undefined) await Deno.copyFile(copyOf, file);
    else if (text === undefined) throw new TypeError(`Cannot write ${path}: it has no content`);
    else if (gzip) await Deno.writeFile(file, await gzipped(text));
    else await Deno.writeTextFile(file, text);
    await Deno.chmod(file, mode);
  }
  // Folders were made with the umask of whoever builds.
  await run(["find", folder, "-type", "d", "-exec", "chmod", "0755", "{}", "+"]);
  await run(["find", folder, "-exec", "touch", "-h", "-d", `@${date}`, "{}", "+"]);
}

/** gzip's header holds no name and no time. */
async function gzipped(text: string): Promise<Uint8Array> {
  const gzip = new Deno.Command("gzip", {
    args: ["-9n"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = gzip.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  return (await gzip.output()).stdout;
}

/** Installed size in kB, as Debian's and OpenWrt's control files have it. */
export async function installedSize(folder: string): Promise<number> {
  let size = 0;
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) size += 1 + await installedSize(path);
    if (isFile) size += Math.ceil((await Deno.stat(path)).size / 1024);
  }
  return size;
}

/** A compressed tar that is the same whoever makes it, and when (Unix seconds). */
export async function archive(
  folder: string,
  members: readonly string[],
  file: string,
  date: number,
): Promise<void> {
  const same = ["--sort=name", "--format=gnu", "--numeric-owner", "--owner=0", "--group=0"];
  const tar = `${file}.tar`;
  await run(["tar", ...same, `--mtime=@${date}`, "-C", folder, "-cf", tar, ...members]);
  await run(["gzip", "-9nf", tar]);
  await Deno.rename(`${tar}.gz`, file);
}
