/**
 * Keeps a port mapped at one gateway: by PCP, else by NAT-PMP, else by UPnP; renewed at half of its
 * time, asked for anew at once where the gateway has forgotten it, and again and again where it isn't
 * to be had.
 *
 * @module
 */

import type { RandomSource } from "../net/random.ts";
import type { Gateway } from "./gateways.ts";
import { NatPmpMapper } from "./nat_pmp.ts";
import { PcpMapper } from "./pcp.ts";
import { formatHostPort } from "../net/host_port.ts";
import {
  doStep,
  type MapOutcome,
  type PortMapNews,
  type PortMapProtocol,
  type PortMapSteps,
  type ProtocolMapper,
} from "./step.ts";
import { UpnpMapper } from "./upnp.ts";

/** Seconds until it is tried again where nothing came of it, doubled each time up to the second. */
const FIRST_RETRY = 60;
const LAST_RETRY = 3600;
/** The shortest time between two renewals, in seconds. */
const MIN_RENEWAL = 30;

/** A mapping that the gateway has. */
interface Held {
  readonly mapper: ProtocolMapper;
  readonly endpoint: string;
  readonly lifetime: number;
}

type Mapped = Extract<MapOutcome, { readonly kind: "mapped" }>;

/** What becomes of a port at a gateway. */
export class GatewayMapping {
  readonly #clock = { mono: 0 };
  readonly #mappers: readonly ProtocolMapper[];
  /** Whether somebody has wanted it looked at during the last sleep. */
  #isWoken = false;

  /** @param port The own UDP port. @param mono The monotonic clock. */
  constructor(gateway: Gateway, port: number, random: RandomSource, mono: number) {
    this.#clock.mono = mono;
    const clock = this.#clock;
    this.#mappers = gateway.family === 6 ? [new PcpMapper(gateway, port, clock, random)] : [
      new PcpMapper(gateway, port, clock, random),
      new NatPmpMapper(gateway, port, clock),
      new UpnpMapper(gateway, port, clock, random),
    ];
  }

  /** Keeps it mapped, for good. */
  *keep(): PortMapSteps<never> {
    let retry = FIRST_RETRY;
    for (;;) {
      const held = yield* this.#find();
      if (held !== undefined) {
        retry = FIRST_RETRY;
        yield* this.#hold(held);
        yield* this.#tell({ kind: "lost" });
        continue;
      }
      yield* this.#sleep(this.#clock.mono + retry);
      retry = Math.min(2 * retry, LAST_RETRY);
    }
  }

  /** Maps it, and tells what came of it. */
  *once(): PortMapSteps<void> {
    yield* this.#find();
  }

  /** Gives back what there may be. */
  *release(): PortMapSteps<void> {
    for (const mapper of this.#mappers) yield* mapper.release();
  }

  /** Asks by one protocol after the other, until one of them maps it. */
  *#find(): PortMapSteps<Held | undefined> {
    const said: string[] = [];
    let isAnswered = false;
    for (const mapper of this.#mappers) {
      const outcome = yield* mapper.map();
      if (outcome.kind === "mapped") return yield* this.#heldBy(mapper, outcome);
      // What it calls its address by another protocol is the same one.
      if (outcome.kind === "double-nat") {
        yield* this.#tell({ kind: "double-nat", address: outcome.address, via: mapper.via });
        return undefined;
      }
      isAnswered ||= outcome.kind === "refused";
      said.push(`${mapper.via}: ${outcome.why}`);
    }
    yield* this.#tell({ kind: "not-mapped", isAnswered, why: said.join("; ") });
    return undefined;
  }

  *#heldBy(mapper: ProtocolMapper, { endpoint, lifetime }: Mapped): PortMapSteps<Held> {
    const mapping = { endpoint, via: mapper.via };
    yield* this.#tell({ kind: "mapped", mapping, seconds: lifetime });
    return { mapper, endpoint: formatHostPort(endpoint), lifetime };
  }

  /** Keeps a mapping as long as the gateway lets it. */
  *#hold(held: Held): PortMapSteps<void> {
    const clock = this.#clock;
    const { mapper } = held;
    let { endpoint, lifetime } = held;
    let endsAt = clock.mono + lifetime;
    let renewAt = clock.mono + Math.max(lifetime / 2, MIN_RENEWAL);
    for (;;) {
      yield* this.#sleep(Math.min(renewAt, clock.mono + mapper.checkEvery));
      const isDue = clock.mono >= renewAt || this.#isWoken;
      const isKept = isDue || (yield* mapper.check());
      if (isKept && !isDue) continue;
      const outcome = yield* mapper.map();
      // Who has it looked at doubts it: then silence is an answer.
      if (outcome.kind === "silent" && isKept && !this.#isWoken) {
        // It has its time still; that of one that stays is not known.
        if (endsAt - clock.mono < MIN_RENEWAL) return;
        const left = Math.min(endsAt - clock.mono, LAST_RETRY);
        renewAt = clock.mono + Math.max(left / 2, MIN_RENEWAL);
        continue;
      }
      if (outcome.kind !== "mapped") return yield* this.#tellWhy(mapper.via, outcome);
      ({ lifetime } = outcome);
      endsAt = clock.mono + lifetime;
      renewAt = clock.mono + Math.max(lifetime / 2, MIN_RENEWAL);
      if (formatHostPort(outcome.endpoint) === endpoint) continue;
      ({ endpoint } = yield* this.#heldBy(mapper, outcome));
    }
  }

  /** Why a mapping is lost is told with what is tried next; but not that of two NATs. */
  *#tellWhy(via: PortMapProtocol, outcome: MapOutcome): PortMapSteps<void> {
    if (outcome.kind === "double-nat") {
      yield* this.#tell({ kind: "double-nat", address: outcome.address, via });
    }
  }

  *#sleep(until: number): PortMapSteps<void> {
    const { isWoken = false } = yield* doStep(this.#clock, { kind: "sleep", until });
    this.#isWoken = isWoken;
  }

  *#tell(news: PortMapNews): PortMapSteps<void> {
    yield* doStep(this.#clock, { kind: "tell", news });
  }
}
