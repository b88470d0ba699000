/**
 * How an interface's endpoint gets registered, although WireGuard owns its port.
 *
 * @module
 */

import type { ServerName } from "../ask/server_name.ts";
import type { QueryResult } from "../query/query_result.ts";
import type { Answers, AskWay } from "./actions.ts";
import { JITTER } from "./rhythm.ts";
import { StuckMapping } from "./stuck_mapping.ts";

/**
 * `raw` socket, `borrow` the port, the first of them that is permitted (`auto`); `tunnel` leaves it
 * to a registry that sees the endpoint through its own WireGuard interface; `none` only asks.
 */
export type RegisterMode = "auto" | "raw" | "borrow" | "tunnel" | "none";

/** A mode that was chosen. */
export type SettledMode = Exclude<RegisterMode, "auto">;

/** Chooses the way, and how often it is taken. */
export class Registration {
  #mode: RegisterMode;
  #hasRegistry: boolean;
  /** So long what was registered counts as new where registering disturbs, in seconds. */
  #lasts: number;
  #settled: SettledMode = "none";
  #registeredAt = -Infinity;
  readonly #mapping: StuckMapping = new StuckMapping();
  /** Whether the port may be moved: once, until it has been answered. */
  #mayMove = true;

  /**
   * @param mode As the settings say.
   * @param hasRegistry Whether there is a registry among the servers: name servers register nothing.
   * @param lasts So long a registration lasts where it takes WireGuard's port away for a moment.
   */
  constructor(mode: RegisterMode, hasRegistry: boolean, lasts: number) {
    this.#mode = mode;
    this.#hasRegistry = hasRegistry;
    this.#lasts = lasts;
  }

  /**
   * Replaces what the constructor was told.
   *
   * @returns Whether the way may be another one now: then it has to {@linkcode begin} anew.
   */
  configure(mode: RegisterMode, hasRegistry: boolean, lasts: number): boolean {
    const isOther = mode !== this.#mode || hasRegistry !== this.#hasRegistry;
    this.#mode = mode;
    this.#hasRegistry = hasRegistry;
    this.#lasts = lasts;
    return isOther;
  }

  /**
   * Begins anew, with another interface.
   *
   * @returns The way to {@linkcode settle}, and why; undefined where raw sockets are to be tried.
   */
  begin(): { readonly mode: SettledMode; readonly why: string } | undefined {
    this.#registeredAt = -Infinity;
    this.#mapping.forget();
    if (!this.#hasRegistry) return { mode: "none", why: "no registry is among the servers" };
    if (this.#mode === "auto") return undefined;
    return { mode: this.#mode, why: "as the settings say" };
  }

  /** The way that was chosen. */
  get settled(): SettledMode {
    return this.#settled;
  }

  /** Chooses a way. */
  settle(mode: SettledMode): void {
    this.#settled = mode;
  }

  /**
   * How to ask now.
   *
   * @param port WireGuard's.
   * @param mayBorrow Whether the port may be borrowed if that is the way.
   */
  way(port: number, mayBorrow: boolean, mono: number): AskWay {
    const mode = this.#settled;
    if (mode === "none" || mode === "tunnel" || port === 0) return "unregistered";
    if (this.#mapping.isQuiet(mono)) return "unregistered";
    if (mode === "raw") return mode;
    const isNew = mono - this.#registeredAt < this.#lasts;
    return isNew || !mayBorrow ? "unregistered" : mode;
  }

  /** Whether to ask through another port at the same time, where the way registers. */
  asksBeside(mono: number): boolean {
    return this.#mapping.asksBeside(mono);
  }

  /**
   * Takes in the answers to a question.
   *
   * @param askedAt When it was asked.
   * @returns Whether they show that a NAT keeps an old mapping for the port.
   */
  took({ answer, beside }: Answers, askedAt: number, mono: number): boolean {
    if (!answer.registered) return false;
    this.#registeredAt = askedAt;
    const isAnswered = isHeard(answer);
    if (isAnswered) this.#mayMove = true;
    return this.#mapping.took(isAnswered, beside && isHeard(beside), mono);
  }

  /** Whether a NAT keeps an old mapping for the port. */
  get isStuck(): boolean {
    return this.#mapping.isStuck;
  }

  /** Whether moving the port may help: not where that has just been in vain. It counts as moved. */
  takeMove(): boolean {
    const mayMove = this.#mayMove;
    this.#mayMove = false;
    return mayMove;
  }
}

/** The way, whether a registry is asked, and how long a registration lasts, in seconds. */
export function registrationOf(
  { servers, register, interval }: {
    readonly servers: readonly Pick<ServerName, "scheme">[];
    readonly register: RegisterMode;
    readonly interval: number;
  },
): [RegisterMode, boolean, number] {
  const hasRegistry = servers.some(({ scheme }) => scheme !== "dns");
  return [register, hasRegistry, interval * (1 - 2 * JITTER)];
}

/** The answer that tells more: that to WireGuard's port, unless only another port has got one. */
export function betterOf({ answer, beside }: Answers): QueryResult {
  return beside !== undefined && !isHeard(answer) && isHeard(beside) ? beside : answer;
}

/** Whether a registry has answered. */
function isHeard({ servers }: QueryResult): boolean {
  return servers.some(({ received = 0 }) => received > 0);
}
