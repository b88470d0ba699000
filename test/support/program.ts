/**
 * Starts the built program, as a user would, and looks at what it prints.
 *
 * @module
 */

import { has } from "../../scripts/tools.ts";

const DECODER = new TextDecoder();

/** The binary under test: `$WGSIG_BINARY`, else what `deno task build` made. */
export const BINARY: string = Deno.env.get("WGSIG_BINARY") ??
  new URL("../../dist/wgsig", import.meta.url).pathname;

/** The binary for routers with this processor, as `deno task build:router` makes it. */
export const ROUTER_BINARY: string = new URL(
  `../../dist/router/wgsig-${Deno.build.arch}`,
  import.meta.url,
).pathname;

/**
 * Runs scripts on QuickJS, and ends where the C code of the host does what it must not
 * (AddressSanitizer, UndefinedBehaviorSanitizer): `deno task build:router --sanitize` makes it.
 */
export const SANITIZED_QUICKJS: string =
  new URL("../../dist/router/runner-sanitized", import.meta.url).pathname;

/** The same as {@linkcode ROUTER_BINARY} with a clock that tests can move. */
export const MOVABLE_CLOCK_BINARY: string =
  new URL("../../dist/router/wgsig-movable-clock", import.meta.url).pathname;

/** What a finished program left. */
export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Options for a program that is run. */
export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

/** Runs any program to its end. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { code, stdout, stderr } = await runBytes(argv, options);
  return { code, out: DECODER.decode(stdout), err: DECODER.decode(stderr) };
}

/** The same with the bytes that it printed. */
export async function runBytes(
  [program = "", ...args]: readonly string[],
  options: RunOptions = {},
): Promise<Deno.CommandOutput> {
  const child = new Deno.Command(program, {
    args,
    env: options.env ?? {},
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (options.input !== undefined) {
    const writer = child.stdin.getWriter();
    const { input } = options;
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  }
  return await child.output();
}

/** Runs the program under test to its end. */
export function wgsig(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return run([BINARY, ...args], options);
}

/** A program that goes on until it is told to end. */
export class Running {
  readonly #child: Deno.ChildProcess;
  readonly #done: Promise<unknown>;
  #out = "";
  #err = "";
  #changed: () => void = () => {};

  constructor(argv: readonly string[], options: RunOptions = {}) {
    const [program = "", ...args] = argv;
    this.#child = new Deno.Command(program, {
      args,
      env: options.env ?? {},
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#done = Promise.all([
      this.#read(this.#child.stdout, (text) => this.#out += text),
      this.#read(this.#child.stderr, (text) => this.#err += text),
    ]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  async #read(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      add(decoder.decode(chunk, { stream: true }));
      this.#changed();
    }
    this.#changed();
  }

  /**
   * Waits until standard output matches, and returns the match; fails after `seconds`.
   *
   * @param from How much of the output, from its beginning, is passed over.
   */
  async printed(pattern: RegExp, seconds = 10, from = 0): Promise<RegExpExecArray> {
    const found = () => pattern.exec(this.#out.slice(from));
    let ended = false;
    void this.#done.then(() => {
      ended = true;
      this.#changed();
    });
    const until = performance.now() + seconds * 1000;
    for (;;) {
      const match = found();
      if (match !== null) return match;
      if (ended || performance.now() > until) {
        throw new Error(`${pattern} was not printed; out: ${this.#out} err: ${this.#err}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Sends a signal. */
  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** Waits for the end. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#done;
    return code;
  }

  /** Ends it and waits; returns the exit status. */
  async stop(name: Deno.Signal = "SIGTERM"): Promise<number> {
    try {
      this.signal(name);
    } catch {
      // It has ended already.
    }
    return await this.ended();
  }
}

/** Starts `wgsig serve` on a free port of 127.0.0.1, and waits until it answers. */
export async function startServer(
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ server: Running; port: number }> {
  const server = new Running([BINARY, "serve", "--listen", "127.0.0.1:0", ...args], options);
  try {
    const [, port] = await server.printed(/listening address=127\.0\.0\.1:(\d+)[^]*ready/);
    return { server, port: Number(port) };
  } catch (error) {
    await server.stop("SIGKILL");
    throw error;
  }
}

/** Memory that a process has at the moment, in kB. */
export async function memoryOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

/** A folder that is removed after the test. */
export async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "wgsig-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether this process may make network namespaces, and interfaces in them. */
function canMakeNetworks(): boolean {
  try {
    const unshare = new Deno.Command("unshare", { args: ["--net", "--mount", "true"] });
    return unshare.outputSync().success && Deno.statSync("/dev/net/tun").isCharDevice === true;
  } catch {
    return false;
  }
}

/** Whether there is such a file. */
export function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function isMet(need: string): boolean {
  if (need === "root") return Deno.uid() === 0;
  if (need === "network namespaces") return canMakeNetworks();
  if (need === "the sanitized QuickJS") return isFile(SANITIZED_QUICKJS);
  if (need === "the router binary") return isFile(ROUTER_BINARY);
  if (need === MOVABLE_CLOCK) return isFile(MOVABLE_CLOCK_BINARY);
  return has(need);
}

/** Whether {@linkcode BINARY} is one for routers: a program that asks for no dynamic linker. */
export function isRouterBinary(): boolean {
  if (!isFile(BINARY)) return false;
  using file = Deno.openSync(BINARY);
  const start = new Uint8Array(4096);
  file.readSync(start);
  return !new TextDecoder("latin1").decode(start).includes("/ld-");
}

const MOVABLE_CLOCK = "the router binary with a clock that moves";
/** What only `deno task test --all` builds. */
const OF_ALL: readonly string[] = ["the router binary", "the sanitized QuickJS", MOVABLE_CLOCK];
/** What no package of Debian brings: `cargo install boringtun-cli`. */
const FOREIGN = "boringtun-cli";

function isExpected(missing: string): boolean {
  return missing === FOREIGN ||
    (OF_ALL.includes(missing) && Deno.env.get("WGSIG_ALL") !== "1");
}

/**
 * Declares a test that needs programs, `root`, `network namespaces`, `the router binary`,
 * `the sanitized QuickJS`, or `the router binary with a clock that moves`. Where they are missing it
 * is left out and named at the end of `deno task test`; in CI it fails, unless it is one of those
 * that run with `--all` alone, or that need boringtun.
 */
export function testWith(
  needs: readonly string[],
  name: string,
  body: () => Promise<void>,
): void {
  const missing = needs.filter((need) => !isMet(need));
  if (missing.length === 0) return Deno.test(name, body);
  if (Deno.env.get("CI") === "true" && !missing.every(isExpected)) {
    return Deno.test(name, () => {
      throw new Error(`missing: ${missing.join(", ")}`);
    });
  }
  const log = Deno.env.get("WGSIG_SKIPPED");
  if (log !== undefined) {
    Deno.writeTextFileSync(log, `${name} (missing: ${missing.join(", ")})\n`, { append: true });
  }
  Deno.test({ name, ignore: true, fn: body });
}

/** Whether there is such a process that has not ended. */
export async function isRunning(pid: string): Promise<boolean> {
  const { out } = await run(["ps", "-o", "stat=", "-p", pid]);
  return out.trim() !== "" && !out.startsWith("Z");
}
