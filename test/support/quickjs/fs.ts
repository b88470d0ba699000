/**
 * What tests use of `node:fs` and `node:fs/promises`, on QuickJS: through programs.
 *
 * @module
 */

import { quickjsHost } from "../../../lib/host/quickjs/quickjs.ts";
import { native } from "../../../lib/host/quickjs/native.ts";

const host = quickjsHost();
const MOST_DESCRIPTORS = 1024;
const MODES: Readonly<Record<string, number>> = { "regular file": 0o100000, directory: 0o40000 };

async function call(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await host.run(argv);
  if (code !== 0) throw Object.assign(new Error(err), { code: "EFAILED" });
  return out;
}

/** The numbers of this process's files, whatever is asked for. */
export function readdirSync(_path: string): string[] {
  return Array.from({ length: MOST_DESCRIPTORS }, (_, fd) => fd)
    .filter((fd) => native.status(fd) >= 0).map(String);
}

export async function chmod(path: string, mode: number): Promise<void> {
  await call("chmod", mode.toString(8), path);
}

export async function link(from: string, to: string): Promise<void> {
  await call("ln", from, to);
}

export async function symlink(target: string, path: string): Promise<void> {
  await call("ln", "-s", target, path);
}

export async function mkdir(path: string): Promise<void> {
  await call("mkdir", path);
}

export async function mkdtemp(start: string): Promise<string> {
  return (await call("mktemp", "-d", `${start}XXXXXX`)).trim();
}

export async function readdir(path: string): Promise<string[]> {
  return (await call("ls", "-A", path)).split("\n").filter((name) => name !== "");
}

export async function rm(path: string): Promise<void> {
  await call("rm", "-r", path);
}

export async function readFile(path: string, _encoding?: string): Promise<string> {
  return new TextDecoder().decode((await host.readFile(path, Infinity)).bytes);
}

export async function writeFile(
  path: string,
  content: string | Uint8Array,
  { mode = 0o666 }: { mode?: number } = {},
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  await host.run([
    "sh",
    "-c",
    'rm -f "$1" && : > "$1" && chmod "$2" "$1"',
    "sh",
    path,
    `0${mode.toString(8)}`,
  ]);
  await host.appendFile(path, bytes);
}

async function statOf(...argv: readonly string[]) {
  const [mode = "", inode = "", size = "", kind = ""] =
    (await call("stat", ...argv, "-c", "%a|%i|%s|%F")).trim().split("|");
  return {
    mode: Number.parseInt(mode, 8) |
      (MODES[kind.replace("empty ", "").replace("regular ", "regular ")] ?? 0),
    ino: Number(inode),
    size: Number(size),
    isFile: () => kind.includes("regular"),
    isSymbolicLink: () => kind === "symbolic link",
    isDirectory: () => kind === "directory",
  };
}

export function stat(path: string) {
  return statOf("-L", path);
}

export function lstat(path: string) {
  return statOf(path);
}

/** Of `node:os`. */
export function tmpdir(): string {
  return host.env("TMPDIR") ?? "/tmp";
}
