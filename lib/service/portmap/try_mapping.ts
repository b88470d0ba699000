/**
 * Whether ports can be mapped here: one is, and given back at once.
 *
 * @module
 */

import { GatewayMapping } from "../../core/portmap/gateway_mapping.ts";
import type { PortMapNews, PortMapping } from "../../core/portmap/step.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { inWords } from "../log/in_words.ts";
import { readGateways } from "./gateways.ts";
import { doubleNatHint, type PortMapHost } from "./port_mapper.ts";
import { StepRunner } from "./step_runner.ts";

/** What came of it at one gateway. */
export interface TriedMapping {
  /** IP address. */
  readonly gateway: string;
  /** What was mapped for a moment. */
  readonly mapping: PortMapping | undefined;
  /** Why nothing was. */
  readonly why: string | undefined;
}

/** RFC 6335, section 6: those that nobody registers. */
const FIRST_FREE_PORT = 0xc000;

/**
 * Tries it with a port of its own: that of WireGuard may be mapped already, and would be given back as
 * well.
 *
 * @param mark WireGuard's; 0 is none.
 * @returns What came of it at each gateway: none where this host has none.
 */
export async function tryMapping(
  host: PortMapHost,
  mark: number,
): Promise<readonly TriedMapping[]> {
  const { bytes, view } = new WireBuffer(2);
  host.random(bytes);
  const port = FIRST_FREE_PORT + view.getUint16(0) % (0x10000 - FIRST_FREE_PORT);
  const random = (into: Uint8Array) => host.random(into);
  return await Promise.all((await readGateways(host)).map(async (gateway) => {
    const news: PortMapNews[] = [];
    const runner = new StepRunner(host, mark, (each) => void news.push(each));
    const mapping = new GatewayMapping(gateway, port, random, host.now().mono);
    try {
      await runner.run(mapping.once());
      await runner.run(mapping.release());
    } catch (error) {
      return { gateway: gateway.address, mapping: undefined, why: inWords(error) };
    }
    return { gateway: gateway.address, ...summary(news) };
  }));
}

function summary(news: readonly PortMapNews[]): Omit<TriedMapping, "gateway"> {
  for (const each of news) {
    switch (each.kind) {
      case "mapped":
        return { mapping: each.mapping, why: undefined };
      case "double-nat": {
        const why = `the gateway's address is ${each.address}; ${doubleNatHint(each.address)}`;
        return { mapping: undefined, why };
      }
      case "not-mapped":
        return { mapping: undefined, why: each.why };
      case "lost":
    }
  }
  return { mapping: undefined, why: undefined };
}
