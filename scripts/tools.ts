/**
 * What the project's scripts share.
 *
 * @module
 */

import process from "node:process";

/** The folder of the project. */
export const ROOT: string = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
/** The Deno that runs this. */
export const DENO: string = Deno.execPath();
/** The version of Bun that binaries are made of; deno.json and deno.lock pin it. */
export const BUN_VERSION = "1.4.5";
/** Where `deno task build` puts the binary for this machine. */
export const BINARY: string = `${ROOT}/dist/wgsig`;

/** Systems that Bun's binaries can be had for, and what Bun and npm call them. */
export const BUN_TARGETS: readonly BunTarget[] = [
  { name: "linux-x64", bun: "bun-linux-x64", npm: "bun-linux-x64" },
  { name: "linux-arm64", bun: "bun-linux-arm64", npm: "bun-linux-aarch64" },
  { name: "linux-x64-musl", bun: "bun-linux-x64-musl", npm: "bun-linux-x64-musl" },
  { name: "linux-arm64-musl", bun: "bun-linux-arm64-musl", npm: "bun-linux-aarch64-musl" },
];

/** A system that a binary is made for. */
export interface BunTarget {
  readonly name: string;
  readonly bun: string;
  readonly npm: string;
}

/** Prints a line. */
export function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Runs a program with this terminal, and throws if it fails. */
export async function run(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<void> {
  const code = await status(argv, options);
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit status ${code}`);
}

/** Runs a program with this terminal, and returns its exit status. */
export async function status(
  [program = "", ...args]: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<number> {
  const child = new Deno.Command(program, {
    args,
    cwd: options.cwd ?? ROOT,
    ...(options.env === undefined ? {} : { env: options.env }),
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  return (await child.status).code;
}

/** Runs a program and returns what it printed; throws if it fails. */
export async function output([program = "", ...args]: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd: ROOT }).output();
  if (code !== 0) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout);
}

/** Whether a program is on the path. */
export function has(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

/** The target that runs on this machine. */
export function ownTarget(): BunTarget {
  const musl = isMusl();
  const name = `${process.platform}-${process.arch}${musl ? "-musl" : ""}`;
  const target = BUN_TARGETS.find((each) => each.name === name);
  if (target === undefined) throw new Error(`there is no target for ${name}`);
  return target;
}

function isMusl(): boolean {
  for (const arch of ["x86_64", "aarch64"]) {
    try {
      Deno.statSync(`/lib/ld-musl-${arch}.so.1`);
      return !glibcIsThere();
    } catch {
      // The next.
    }
  }
  return false;
}

function glibcIsThere(): boolean {
  return ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"].some((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/**
 * Bun's program for a target, from the npm registry, checked against deno.lock: to run it here, or
 * to make binaries of it.
 */
export function bunProgram({ npm }: BunTarget): Promise<string> {
  return npmFile(`@oven/${npm}`, BUN_VERSION, "bin/bun");
}

/**
 * A file of an npm package.
 *
 * @param flags Of `deno cache`: the lock that the package is checked against, where it isn't deno.lock.
 */
export async function npmFile(
  name: string,
  version: string,
  file: string,
  flags: readonly string[] = [],
): Promise<string> {
  await run([DENO, "cache", "--quiet", ...flags, `npm:${name}@${version}`]);
  const { npmCache }: { npmCache?: unknown } = JSON.parse(await output([DENO, "info", "--json"]));
  if (typeof npmCache !== "string") throw new TypeError("deno info doesn't name its npm cache");
  for await (const registry of Deno.readDir(npmCache)) {
    const path = `${npmCache}/${registry.name}/${name}/${version}/${file}`;
    try {
      if ((await Deno.stat(path)).isFile) return path;
    } catch {
      // Another registry's folder.
    }
  }
  throw new Error(`the npm package ${name} holds no ${file}`);
}

/** Bundles an entry point and all it imports into one file: Bun reads no import map. */
export async function bundle(
  entry: string,
  file: string,
  ...options: readonly string[]
): Promise<void> {
  await run([
    DENO,
    "bundle",
    "--quiet",
    "--external",
    "bun:ffi",
    ...options,
    "--output",
    file,
    entry,
  ]);
}

/** Bundles into a folder: what an entry point imports only where it needs that is a file of its own. */
export async function bundleInParts(
  entry: string,
  folder: string,
  ...options: readonly string[]
): Promise<void> {
  await run([DENO, "bundle", "--quiet", "--code-splitting", ...options, "--outdir", folder, entry]);
}

/** Reads the log of `wgsig serve --listen 127.0.0.1:0` until it answers, and returns its port. */
export async function portOf(server: Deno.ChildProcess): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const reader = server.stdout.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the registry did not start: ${text}`);
    text += decoder.decode(value, { stream: true });
    const port = /address=127\.0\.0\.1:(\d+)[^]* ready /.exec(text)?.[1];
    if (port === undefined) continue;
    reader.releaseLock();
    return port;
  }
}
