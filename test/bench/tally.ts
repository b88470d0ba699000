/**
 * What a load counts, and the CPU time of the process that it asks.
 *
 * @module
 */

import type { Host } from "../../lib/host/host.ts";
import type { Figures } from "./job.ts";

/** Clock ticks a second in /proc (USER_HZ, the same on all Linux systems). */
const TICKS = 100;
const MAX_STAT = 4096;
const MICRO = 1e6;
/** µs in a millisecond. */
const MILLI = 1000;
const POLL_MS = 2;

/** Answers of a load, counted from {@linkcode Tally.measure} on. */
export class Tally {
  /** Answers that were none, whenever they came. */
  wrong = 0;
  /** Size of the last answer. */
  size = 0;
  #answered = 0;
  #lost = 0;
  #measuring = false;
  readonly #times: number[] = [];

  /** Counts an answer that took so many milliseconds. */
  answered(ms: number, size: number): void {
    this.size = size;
    if (!this.#measuring) return;
    this.#answered++;
    this.#times.push(ms);
  }

  /**
   * Counts a request without an answer that was waited for so many milliseconds.
   *
   * @param count How many datagrams did not come.
   */
  lost(ms: number, count = 1): void {
    if (!this.#measuring) return;
    this.#lost += count;
    this.#times.push(ms);
  }

  /** How many answers were counted. */
  get count(): number {
    return this.#answered;
  }

  /** Counts for some seconds. */
  measure(host: Host, pid: number, seconds: number): Promise<Figures> {
    return this.#measure(host, pid, wait(host, seconds * MILLI));
  }

  /** Counts until `isOver` says so, give or take some milliseconds. */
  measureUntil(host: Host, pid: number, isOver: () => boolean): Promise<Figures> {
    const over = async () => {
      while (!isOver()) await wait(host, POLL_MS);
    };
    return this.#measure(host, pid, over());
  }

  async #measure(host: Host, pid: number, over: Promise<void>): Promise<Figures> {
    const cpuBefore = await cpuSeconds(host, pid);
    const start = performance.now();
    this.#measuring = true;
    await over;
    this.#measuring = false;
    const elapsed = (performance.now() - start) / MILLI;
    const cpu = await cpuSeconds(host, pid) - cpuBefore;
    this.#times.sort((a, b) => a - b);
    const at = (share: number) =>
      (this.#times[Math.floor(this.#times.length * share)] ?? Infinity) * MILLI;
    return {
      rate: this.#answered / elapsed,
      cpu: cpu / Math.max(1, this.#answered) * MICRO,
      busy: cpu / elapsed,
      p50: at(0.5),
      p99: at(0.99),
      lost: this.#lost,
      size: this.size,
    };
  }
}

/** Waits for some milliseconds. */
export function wait(host: Host, ms: number): Promise<void> {
  return new Promise((done) => void host.after(ms / MILLI, done));
}

/** CPU time that a process has had, in user and in kernel mode, all of its threads. */
async function cpuSeconds(host: Host, pid: number): Promise<number> {
  const { bytes } = await host.readFile(`/proc/${pid}/stat`, MAX_STAT);
  const fields = new TextDecoder().decode(bytes).split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
