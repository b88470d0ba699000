/**
 * Keeps WireGuard's port mapped at the gateways of this host: looks now and then which they are, and
 * gives back what they have mapped when the end comes.
 *
 * @module
 */

import { GatewayMapping } from "../../core/portmap/gateway_mapping.ts";
import { type Gateway, isSameGateway } from "../../core/portmap/gateways.ts";
import type { PortMapNews, PortMapping } from "../../core/portmap/step.ts";
import { formatHostPort } from "../../core/net/host_port.ts";
import type { Clock } from "../../host/clock.ts";
import type { Files } from "../../host/files.ts";
import type { LocalAddresses } from "../../host/names.ts";
import type { Random } from "../../host/random.ts";
import type { TcpConnecting } from "../../host/tcp.ts";
import type { Udp } from "../../host/udp.ts";
import { inWords } from "../log/in_words.ts";
import type { SyncReport } from "../log/sync_report.ts";
import { readGateways } from "./gateways.ts";
import { StepRunner } from "./step_runner.ts";

/** What of a host is needed to map ports. */
export type PortMapHost = Clock & Random & Files & LocalAddresses & Udp & TcpConnecting;

/** Seconds between two looks at the routes. */
const LOOK_EVERY = 15;
/** Seconds that the end waits for what is given back. */
const END = 2;

/** A port at a gateway. */
interface Kept {
  readonly gateway: Gateway;
  readonly port: number;
  readonly mark: number;
  readonly mapping: GatewayMapping;
  readonly runner: StepRunner;
  /** Ends with it, whatever comes. */
  running: Promise<void>;
  mapped: PortMapping | undefined;
}

/** Maps a port. Nothing that it does fails: what goes wrong is told. */
export class PortMapper {
  readonly #host: PortMapHost;
  readonly #report: Pick<SyncReport, "event" | "once" | "forget">;
  readonly #onMappings: (mappings: readonly PortMapping[]) => void;
  readonly #kept = new Set<Kept>();
  /** What is being given back. */
  readonly #leaving = new Set<Promise<void>>();
  #wanted: { readonly port: number; readonly mark: number } | undefined;
  #running: Promise<void> | undefined;
  #wake: () => void = () => {};
  #isEnded = false;

  /**
   * Does nothing until a port is wanted.
   *
   * @param onMappings Gets all endpoints at which the port is mapped, of each gateway one, whenever
   *   these are others.
   */
  constructor(
    host: PortMapHost,
    report: Pick<SyncReport, "event" | "once" | "forget">,
    onMappings: (mappings: readonly PortMapping[]) => void,
  ) {
    this.#host = host;
    this.#report = report;
    this.#onMappings = onMappings;
  }

  /**
   * Says which UDP port is to be mapped, undefined for none: then what is mapped is given back.
   *
   * @param mark WireGuard's, so that no tunnel takes what is sent to the gateway; 0 is none.
   */
  want(port: number | undefined, mark = 0): void {
    if (this.#isEnded) return;
    if (this.#wanted?.port === port && (port === undefined || this.#wanted?.mark === mark)) return;
    this.#wanted = port === undefined || port === 0 ? undefined : { port, mark };
    this.#running ??= this.#run();
    this.#wake();
  }

  /** Looks at once whether everything is as it was: somebody has reason to doubt it. */
  look(): void {
    for (const { runner } of this.#kept) runner.wake();
    this.#wake();
  }

  /** Gives back what is mapped, within 2 s. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#wanted = undefined;
    this.#wake();
    for (const kept of this.#kept) this.#leave(kept);
    let cancel = () => {};
    const late = new Promise<void>((done) => cancel = this.#host.after(END, done));
    await Promise.race([late, Promise.all([this.#running, ...this.#leaving])]);
    cancel();
  }

  async #run(): Promise<void> {
    while (!this.#isEnded) {
      let isWoken = false;
      this.#wake = () => void (isWoken = true);
      const gateways = this.#wanted === undefined ? [] : await readGateways(this.#host);
      if (this.#isEnded) return;
      this.#compare(gateways);
      if (isWoken) continue;
      await new Promise<void>((done) => {
        const cancel = this.#wanted === undefined ? () => {} : this.#host.after(LOOK_EVERY, done);
        this.#wake = () => {
          cancel();
          done();
        };
      });
    }
  }

  /** Leaves those that are not wanted so any more, and begins with those that are new. */
  #compare(gateways: readonly Gateway[]): void {
    const wanted = this.#wanted;
    const isKept = (kept: Kept, gateway: Gateway) =>
      kept.port === wanted?.port && kept.mark === wanted.mark &&
      isSameGateway(kept.gateway, gateway);
    for (const kept of this.#kept) {
      if (!gateways.some((gateway) => isKept(kept, gateway))) this.#leave(kept);
    }
    if (wanted === undefined) return;
    for (const gateway of gateways) {
      if (![...this.#kept].some((kept) => isKept(kept, gateway))) {
        this.#begin(gateway, wanted.port, wanted.mark);
      }
    }
  }

  #begin(gateway: Gateway, port: number, mark: number): void {
    const host = this.#host;
    const random = (bytes: Uint8Array) => host.random(bytes);
    const mapping = new GatewayMapping(gateway, port, random, host.now().mono);
    const runner = new StepRunner(host, mark, (news) => this.#hear(kept, news));
    const kept: Kept = {
      gateway,
      port,
      mark,
      mapping,
      runner,
      running: Promise.resolve(),
      mapped: undefined,
    };
    this.#kept.add(kept);
    kept.running = runner.run(mapping.keep()).then(() => {}, (error: unknown) => {
      // The next look begins anew.
      this.#report.once("warn", "port-not-mapped", { why: inWords(error) });
      this.#leave(kept);
    });
  }

  /** Gives back what one gateway has. */
  #leave(kept: Kept): void {
    if (!this.#kept.delete(kept)) return;
    kept.runner.stop();
    this.#setMapped(kept, undefined);
    const giveBack = async () => {
      await kept.running;
      try {
        await new StepRunner(this.#host, kept.mark, () => {}).run(kept.mapping.release());
      } catch {
        // It ends by itself in time.
      }
    };
    const leaving = giveBack().then(() => void this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  #hear(kept: Kept, news: PortMapNews): void {
    switch (news.kind) {
      case "mapped": {
        const { mapping: { endpoint, via }, seconds } = news;
        this.#report.event("info", "port-mapped", {
          endpoint: formatHostPort(endpoint),
          via,
          gateway: kept.gateway.address,
          ...(Number.isFinite(seconds) ? { seconds } : {}),
        });
        this.#report.forget("port-not-mapped");
        return this.#setMapped(kept, news.mapping);
      }
      case "lost":
        this.#report.event("info", "port-mapping-lost", {
          endpoint: kept.mapped === undefined ? "" : formatHostPort(kept.mapped.endpoint),
          gateway: kept.gateway.address,
        });
        return this.#setMapped(kept, undefined);
      case "not-mapped": {
        const level = news.isAnswered ? "info" : "debug";
        const { why } = news;
        return this.#report.once(level, "port-not-mapped", { gateway: kept.gateway.address, why });
      }
      case "double-nat": {
        const hint = doubleNatHint(news.address);
        return this.#report.once("info", "double-nat", {
          gateway: kept.gateway.address,
          address: news.address,
          hint,
        });
      }
    }
  }

  #setMapped(kept: Kept, mapping: PortMapping | undefined): void {
    if (kept.mapped === mapping) return;
    kept.mapped = mapping;
    if (this.#isEnded) return;
    this.#onMappings([...this.#kept].flatMap(({ mapped }) => mapped ?? []));
  }
}

/** What to do where the gateway's own address is none that others reach. */
export function doubleNatHint(address: string): string {
  return address === "0.0.0.0"
    ? "the gateway has no connection, or doesn't tell its address"
    : "another NAT is behind the gateway: forward the port there, or make one of them a bridge";
}
