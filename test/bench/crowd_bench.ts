/**
 * The built server with a crowd of peers, a million if wanted, of which each has proved its key: how
 * long it takes to start with them, what memory they take, what a question costs beside one with ten
 * peers, what goes to the disk, how soon a move is pushed, and how long anybody has to wait.
 *
 * With `--registry` it asks registries that are there already, and all of the crowd asks them in turn.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { encodeBase64 } from "@std/encoding/base64";
import { encodeHex } from "@std/encoding/hex";
import { bundle, bunProgram, output, ownTarget, ROOT, say } from "../../scripts/tools.ts";
import { BINARY, Running } from "../support/program.ts";
import { ahead, LOAD_CORE, pinned, SERVER_CORE } from "./cores.ts";
import type { CrowdJob, ProbeJob, SeedJob } from "./crowd.ts";
import { type CrowdFigures, type ProbeFigures, quantiles } from "./crowd_figures.ts";

const PEERS = 20_000;
/** Seconds between two questions of a peer, */
const INTERVAL = 60;
/** but there are so many a second at least: what a few cost is what the runtime compiles meanwhile. */
const LEAST_RATE = 4000;
const NAME_WIDTH = 52;
/** Milliseconds until what a start needed is gone. */
const SETTLE = 3000;
/** Seconds in which a server has to be there. */
const START_PATIENCE = 120;
/** What is wanted of a million. */
const MOST_MEGABYTES = 700;
const MOST_START = 5000;
const MOST_PAUSE = 50;
const MOST_RATIO = 1.5;

interface Options {
  readonly peers: number;
  readonly first: number;
  readonly rate: number;
  readonly moving: number;
  readonly seconds: number;
  readonly warmUp: number;
  readonly subscribers: number;
  readonly joins: number;
  readonly registries: readonly string[];
  readonly pids: readonly number[];
  readonly secret: string | undefined;
  readonly key: string | undefined;
}

/** Runs it. @param args Of the command line. */
export async function benchCrowd(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/crowd.js`;
    await bundle(`${ROOT}/test/bench/crowd_load.ts`, file);
    const bench = new CrowdBench(folder, [await bunProgram(ownTarget()), file]);
    if (options.registries.length > 0) await bench.askOthers(options);
    else await bench.compare(options);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What options are where they are left out; of the first protocol are a tenth of the others. */
const USUAL: Readonly<Record<string, number>> = {
  peers: PEERS,
  first: NaN,
  rate: NaN,
  moving: 0.05,
  seconds: 20,
  "warm-up": 1200,
  subscribers: 1000,
  joins: 100,
};

function readOptions(args: readonly string[]): Options {
  const lists = ["registry", "pid"];
  const given = parseArgs([...args], {
    string: [...Object.keys(USUAL), ...lists, "secret", "key"],
    collect: lists,
    unknown(arg: string) {
      throw new Error(`${arg} is no option of this part: see docs/scale.md`);
    },
  });
  const text = (name: string) => [given[name] ?? []].flat().map(String);
  const number = (name: string) => Number(text(name)[0] ?? USUAL[name]);
  const peers = number("peers");
  const first = Number.isNaN(number("first")) ? Math.floor(peers / 10) : number("first");
  return {
    peers,
    first,
    rate: number("rate") || Math.max(LEAST_RATE, (peers + first) / INTERVAL),
    moving: number("moving"),
    seconds: number("seconds"),
    warmUp: number("warm-up"),
    subscribers: number("subscribers"),
    joins: number("joins"),
    registries: text("registry"),
    pids: text("pid").map(Number),
    secret: text("secret")[0],
    key: text("key")[0],
  };
}

/** A server that was started, with what it was started from. */
interface Served {
  readonly running: Running;
  readonly address: string;
  /** Milliseconds until it answered. */
  readonly took: number;
}

class CrowdBench {
  readonly #folder: string;
  readonly #load: readonly string[];
  readonly #secret: string;
  readonly #key: string;

  constructor(folder: string, load: readonly string[]) {
    this.#folder = folder;
    this.#load = load;
    this.#secret = `${folder}/secret`;
    this.#key = `${folder}/key`;
  }

  async askOthers(options: Options): Promise<void> {
    const { registries, secret = this.#secret, key = this.#key, pids } = options;
    const probe = this.#probe({ registry: registries[0]!, secret });
    try {
      await this.#play({ ...options, secret, key, pids }, probe);
    } finally {
      await probe.stop("SIGKILL");
    }
  }

  async compare(options: Options): Promise<void> {
    await Deno.writeTextFile(this.#secret, encodeHex(randomBytes()), { mode: 0o600 });
    await Deno.writeTextFile(this.#key, encodeBase64(randomBytes()), { mode: 0o600 });
    const few = await this.#measure({
      ...options,
      peers: 10,
      first: 1,
      moving: 0,
      joins: 0,
      subscribers: 0,
    });
    const many = await this.#measure(options);
    const ratio = many / few;
    say(
      `\na quiet question costs ${ratio.toFixed(2)} times that with ten peers ` +
        `(${verdict(ratio, MOST_RATIO)})`,
    );
  }

  /** @returns µs of CPU of a quiet question. */
  async #measure(options: Options): Promise<number> {
    const { peers, first } = options;
    say(`\n${peers} proved peers, and ${first} of the first protocol`);
    const state = `${this.#folder}/state${peers}`;
    const seed: SeedJob = { peers, first, secret: this.#secret, key: this.#key, state };
    await output([...this.#load, "seed", JSON.stringify(seed)]);
    const { size } = await Deno.stat(state);
    row("state file, MB", size / 1e6);
    let quiet = 0;
    const served = await this.#serve(state, options);
    const { running: { pid }, address } = served;
    try {
      row("start until the first answer, ms", served.took, MOST_START);
      row("most memory until then, MB", await this.#memory(pid, "VmHWM"));
      await pause(SETTLE);
      row("memory then, MB", await this.#memory(pid, "VmRSS"), MOST_MEGABYTES);
      const probe = this.#probe({ registry: address, secret: this.#secret });
      try {
        const job = { ...options, registries: [address], pids: [pid], secret: this.#secret };
        quiet = await this.#play({ ...job, key: this.#key }, probe);
      } finally {
        await probe.stop("SIGKILL");
      }
      row("memory at the end, MB", await this.#memory(pid, "VmRSS"), MOST_MEGABYTES);
      row("most memory, MB", await this.#memory(pid, "VmHWM"));
    } finally {
      const began = performance.now();
      await served.running.stop();
      row("end until all is written, ms", performance.now() - began);
    }
    const again = await this.#serve(state, options);
    row("another start, from what it has written, ms", again.took, MOST_START);
    row("most memory until then, MB", await this.#memory(again.running.pid, "VmHWM"));
    await again.running.stop();
    return quiet;
  }

  async #serve(state: string, { peers, first }: Options): Promise<Served> {
    const config = `${this.#folder}/wgsig.toml`;
    await Deno.writeTextFile(config, "[serve]\nanswer-budget = 0\n");
    const began = performance.now();
    const running = new Running(pinned(
      SERVER_CORE,
      ahead([
        ...[BINARY, "serve", "--config", config, "--secret", this.#secret, "--key", this.#key],
        ...["--state", state, "--listen", "127.0.0.1:0", "--max-answer", "10"],
        ...["--max-peers", String(Math.max(100_000, 2 * (peers + first)))],
      ]),
    ));
    try {
      const [, port] = await running.printed(
        / listening address=127\.0\.0\.1:(\d+)[^]* ready /,
        START_PATIENCE,
      );
      return { running, address: `127.0.0.1:${port}`, took: performance.now() - began };
    } catch (error) {
      await running.stop("SIGKILL");
      throw error;
    }
  }

  #probe(job: ProbeJob): Probe {
    return new Probe(
      pinned(LOAD_CORE, ahead([...this.#load, "probe", JSON.stringify(job)])),
    );
  }

  /** @returns µs of CPU of a quiet question. */
  async #play(job: CrowdJob, probe: Probe): Promise<number> {
    const playing = new Running(
      pinned(LOAD_CORE, ahead([...this.#load, "play", JSON.stringify(job)])),
    );
    let quiet = 0;
    let seen = 0;
    let hasEnded = false;
    void playing.ended().then(() => hasEnded = true);
    let written = await this.#written(job.pids);
    let waits = probe.begin();
    try {
      while (!hasEnded || seen < lines(playing.out).length) {
        await pause(50);
        for (; seen < lines(playing.out).length; seen++) {
          const figures: CrowdFigures = JSON.parse(lines(playing.out)[seen]!);
          const now = await this.#written(job.pids);
          const cost = this.#tell(figures, probe.since(waits), now - written);
          if (figures.part === "quiet") quiet = cost;
          written = now;
          waits = probe.begin();
        }
      }
      if (playing.err !== "") throw new Error(playing.err);
    } finally {
      await playing.stop("SIGKILL");
    }
    return quiet;
  }

  /** Prints what a part came to. @returns µs of CPU of a question. */
  #tell(figures: CrowdFigures, waits: readonly number[], written: number): number {
    const { part, seconds, asked, answered, lost, busy, retries, bytes, cpu } = figures;
    say(`  ${part}: ${seconds.toFixed(1)} s`);
    if (part === "known") {
      row("  peers that have proved their keys anew", figures.known);
      row("  times that somebody was told to ask later", busy);
    } else {
      const used = cpu.reduce((sum, each) => sum + each, 0);
      row("  questions a second", asked / seconds);
      row("  lost, or told to ask again", lost + busy + retries);
      row("  µs of CPU a question", used * 1e6 / Math.max(1, answered));
      row("  bytes both ways a question", bytes / Math.max(1, asked));
      row("  KB written to the state a minute", written / 1000 * 60 / seconds);
      say(`${"    answers, ms".padEnd(NAME_WIDTH)}${spread(figures.answers)}`);
      if (figures.pushes[0]! > 0) {
        say(`${"    pushes after a move, ms".padEnd(NAME_WIDTH)}${spread(figures.pushes)}`);
      }
    }
    say(`${"    a probe every 5 ms waits, ms".padEnd(NAME_WIDTH)}${spread(waits)}`);
    const p999 = waits[3]!;
    if (part !== "known") row("  p99.9 of that", p999, MOST_PAUSE);
    return cpu.reduce((sum, each) => sum + each, 0) * 1e6 / Math.max(1, answered);
  }

  /** Bytes that a server has had written. */
  async #written(pids: readonly number[]): Promise<number> {
    let sum = 0;
    for (const pid of pids) {
      const text = await Deno.readTextFile(`/proc/${pid}/io`);
      sum += Number(/^wchar: (\d+)$/m.exec(text)?.[1]);
    }
    return sum;
  }

  async #memory(pid: number, what: "VmRSS" | "VmHWM"): Promise<number> {
    const text = await Deno.readTextFile(`/proc/${pid}/status`);
    return Number(new RegExp(`^${what}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) * 1024 / 1e6;
  }
}

/** What a probe has found. */
class Probe extends Running {
  /** From where on the next figures are. */
  begin(): number {
    return lines(this.out).length;
  }

  /** How long it has waited since then. */
  since(begin: number): number[] {
    const all: number[] = [];
    for (const line of lines(this.out).slice(begin)) {
      const { took, lost }: ProbeFigures = JSON.parse(line);
      all.push(...took);
      // What was lost has waited for longer than anything.
      for (let i = 0; i < lost; i++) all.push(10_000);
    }
    return quantiles(all);
  }
}

function lines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}

function spread([count, p50, p99, p999, most]: readonly number[]): string {
  const ms = (value: number | undefined) => (value ?? NaN).toFixed(2).padStart(9);
  return `p50${ms(p50)}  p99${ms(p99)}  p99.9${ms(p999)}  most${ms(most)}  of ${count}`;
}

function row(name: string, value: number, most?: number): void {
  const digits = value >= 1000 ? 0 : value >= 100 ? 1 : 2;
  const wanted = most === undefined ? "" : `  (${verdict(value, most)})`;
  say(`${`  ${name}`.padEnd(NAME_WIDTH)}${value.toFixed(digits).padStart(12)}${wanted}`);
}

function verdict(value: number, most: number): string {
  return `${value <= most ? "as wanted" : "NOT AS WANTED"}: at most ${most}`;
}

function randomBytes(): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  // As a private key has them.
  bytes[0]! &= 248;
  bytes[31] = bytes[31]! & 127 | 64;
  return bytes;
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
