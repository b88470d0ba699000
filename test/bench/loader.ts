/**
 * Starts the load.
 *
 * @module
 */

import { output } from "../../scripts/tools.ts";
import { Running } from "../support/program.ts";
import { LOAD_CORE, pinned, yielding } from "./cores.ts";
import { type Figures, type Job, jobArguments, type Kind, readFigures } from "./job.ts";
import type { Target } from "./targets.ts";

/** Over TCP; over UDP it asks as fast as it can. */
const FLOOD_CONNECTIONS = 8;

/** How a load asks. */
export type Demand = Pick<Job, "kind" | "clients" | "pause">;

/** Runs loads. */
export class Loader {
  readonly #argv: readonly string[];
  readonly #seconds: number;

  /**
   * @param bun The program of Bun.
   * @param file The bundle of load.ts.
   * @param seconds How long one load is measured.
   */
  constructor(bun: string, file: string, seconds: number) {
    this.#argv = [bun, file];
    this.#seconds = seconds;
  }

  /** Runs a load and returns what it found. Throws if an answer was wrong. */
  async run(target: Target, demand: Demand, seconds: number = this.#seconds): Promise<Figures> {
    const { running, ports, bareSizes } = target;
    const { kind } = demand;
    const job = { ...demand, port: ports[kind], pid: running.pid, bareSize: bareSizes[kind] };
    const args = jobArguments({ ...job, seconds });
    return readFigures(await output(pinned(LOAD_CORE, [...this.#argv, ...args])));
  }

  /** Runs a load during a flood. */
  async runDuring(target: Target, demand: Demand, kind: Kind): Promise<Figures> {
    const args = jobArguments({
      kind,
      port: target.ports[kind],
      pid: 0,
      seconds: 0,
      clients: FLOOD_CONNECTIONS,
      pause: 0,
      bareSize: target.bareSizes[kind],
    });
    const flood = new Running(pinned(LOAD_CORE, yielding([...this.#argv, ...args])));
    try {
      return await this.run(target, demand);
    } finally {
      await flood.stop("SIGKILL");
    }
  }
}
