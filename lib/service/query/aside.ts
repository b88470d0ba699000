/**
 * Servers that are no registries, asked again and again: one that is dead costs its time once, while
 * others answer. Registries do the same for themselves.
 *
 * @module
 */

import { Standing } from "../../core/ask/standing.ts";
import type { ServerOutcome, ServerStatus } from "../../core/query/query_result.ts";
import type { Clock } from "../../host/clock.ts";
import type { ServerReply } from "../ask/server_reply.ts";

/** All of the time was waited for what didn't come. */
const OF_NO_USE: ReadonlySet<ServerStatus> = new Set(["no-answer", "not-authenticated"]);

/** How one is asked. */
export interface AskedAside {
  /** Asks it. It doesn't fail. @param isBrief Whether it is of no use, most likely, and others wait. */
  ask(isBrief: boolean): Promise<ServerReply>;
  /** Whether that may go on while others are asked. */
  readonly mayGoOn: boolean;
}

interface Known {
  readonly standing: Standing;
  reply: ServerReply | undefined;
  running: Promise<ServerReply> | undefined;
}

/** Remembers how it stands with them. */
export class ServersAside {
  readonly #clock: Pick<Clock, "now">;
  readonly #known = new Map<string, Known>();
  #answering: ReadonlySet<string> = new Set();

  /** Knows none. */
  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Whether one of them answers. */
  get answers(): boolean {
    return [...this.#known.keys()].some((name) => this.#answering.has(name));
  }

  /** Takes in what became of all servers. */
  take(outcomes: readonly ServerOutcome[]): void {
    const ok = outcomes.filter(({ status }) => status === "ok");
    this.#answering = new Set(ok.map(({ server }) => server));
    const names = new Set(outcomes.map(({ server }) => server));
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
  }

  /** Asks one, if its turn has come. @returns What it has said, or had. */
  async ask(name: string, { ask, mayGoOn }: AskedAside): Promise<ServerReply> {
    let known = this.#known.get(name);
    if (known === undefined) {
      known = { standing: new Standing(), reply: undefined, running: undefined };
      this.#known.set(name, known);
    }
    const othersAnswer = [...this.#answering].some((each) => each !== name);
    const { standing, reply, running } = known;
    if (running !== undefined) return othersAnswer && reply !== undefined ? reply : await running;
    const how = standing.begin(othersAnswer, this.#clock.now());
    if (how === "not" && reply !== undefined) return reply;
    const asking = this.#run(known, () => ask(how !== "in-full"));
    if (how !== "aside" || reply === undefined || !mayGoOn) return await asking;
    known.running = asking;
    return reply;
  }

  async #run(known: Known, ask: () => Promise<ServerReply>): Promise<ServerReply> {
    const reply = await ask();
    const { status } = reply.outcome;
    const became = OF_NO_USE.has(status) ? "nothing" : "answered";
    known.standing.finish(became, this.#clock.now());
    known.reply = reply;
    known.running = undefined;
    return reply;
  }
}
