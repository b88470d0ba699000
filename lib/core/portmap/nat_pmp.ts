/**
 * A mapping by NAT-PMP: the gateway says its public address, and maps the port.
 *
 * @module
 */

import {
  decodeNatPmpAddress,
  decodeNatPmpMapping,
  encodeNatPmpAddressQuestion,
  encodeNatPmpMapQuestion,
  GATEWAY_PORT,
  NAT_PMP_ADDRESS_QUESTION_SIZE,
  NAT_PMP_MAP_QUESTION_SIZE,
  NAT_PMP_SUCCESS,
  type NatPmpAddress,
  type NatPmpAnswer,
  type NatPmpMapping,
} from "../../wire/portmap/nat_pmp.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { formatIpv4 } from "../net/ip_address.ts";
import { isPublic } from "../net/reach.ts";
import { Epoch } from "./epoch.ts";
import type { Gateway } from "./gateways.ts";
import {
  ASK_SECONDS,
  doStep,
  LIFETIME,
  type MapOutcome,
  MIN_EXTERNAL_PORT,
  type PortMapSteps,
  type ProtocolMapper,
  RELEASE_SECONDS,
} from "./step.ts";

/** RFC 6886, section 3.5. */
const RESULTS: Readonly<Record<number, string>> = {
  1: "another version",
  2: "not allowed",
  3: "it has no network",
  4: "out of resources",
  5: "not to be had",
};
const CHECK_EVERY = 30;

type Read<T> = (buffer: WireBuffer, at: number, length: number) => T | undefined;

/** Maps a port by NAT-PMP. */
export class NatPmpMapper implements ProtocolMapper {
  readonly via = "nat-pmp";
  readonly checkEvery = CHECK_EVERY;
  readonly #gateway: Gateway;
  readonly #port: number;
  readonly #clock: { mono: number };
  readonly #epoch = new Epoch();
  #externalPort: number;
  #address = 0;
  /** Whether the gateway may have a mapping. */
  #isAsked = false;

  /** @param port The own port. @param clock When the last step was done. */
  constructor(gateway: Gateway, port: number, clock: { mono: number }) {
    this.#gateway = gateway;
    this.#port = port;
    this.#clock = clock;
    this.#externalPort = port < MIN_EXTERNAL_PORT ? 0 : port;
  }

  *map(): PortMapSteps<MapOutcome> {
    const where = yield* this.#askAddress(ASK_SECONDS);
    if (where === undefined) return { kind: "silent", why: "no answer" };
    if (where.result !== NAT_PMP_SUCCESS) return refusal(where);
    this.#address = where.address;
    const host = formatIpv4(where.address);
    if (!isPublic(host)) return { kind: "double-nat", address: host };
    this.#isAsked = true;
    const mapping = yield* this.#askMapping(LIFETIME, ASK_SECONDS);
    if (mapping === undefined) return { kind: "silent", why: "no answer" };
    this.#epoch.take(mapping.epoch, this.#clock.mono);
    if (mapping.result !== NAT_PMP_SUCCESS || mapping.lifetime === 0) {
      this.#isAsked = false;
      return refusal(mapping);
    }
    this.#externalPort = mapping.externalPort;
    const endpoint = { host, port: mapping.externalPort };
    return { kind: "mapped", endpoint, lifetime: mapping.lifetime };
  }

  *check(): PortMapSteps<boolean> {
    const where = yield* this.#askAddress(ASK_SECONDS);
    if (where === undefined) return true;
    const isLost = this.#epoch.take(where.epoch, this.#clock.mono);
    return !isLost && (where.result !== NAT_PMP_SUCCESS || where.address === this.#address);
  }

  *release(): PortMapSteps<void> {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    yield* this.#askMapping(0, RELEASE_SECONDS);
  }

  *#askAddress(seconds: readonly number[]): PortMapSteps<NatPmpAddress | undefined> {
    const question = new WireBuffer(NAT_PMP_ADDRESS_QUESTION_SIZE);
    encodeNatPmpAddressQuestion(question, 0);
    return yield* this.#ask(question, seconds, decodeNatPmpAddress);
  }

  *#askMapping(
    lifetime: number,
    seconds: readonly number[],
  ): PortMapSteps<NatPmpMapping | undefined> {
    const question = new WireBuffer(NAT_PMP_MAP_QUESTION_SIZE);
    const wanted = lifetime === 0 ? 0 : this.#externalPort;
    encodeNatPmpMapQuestion(this.#port, wanted, lifetime, question, 0);
    return yield* this.#ask(question, seconds, (buffer, at, length) => {
      const answer = decodeNatPmpMapping(buffer, at, length);
      const isOther = answer?.result === NAT_PMP_SUCCESS && answer.internalPort !== this.#port;
      return isOther ? undefined : answer;
    });
  }

  *#ask<T>(
    question: WireBuffer,
    timeouts: readonly number[],
    read: Read<T>,
  ): PortMapSteps<T | undefined> {
    return yield* askGateway(this.#gateway, this.#clock, question.bytes, timeouts, read);
  }
}

/**
 * Asks a gateway until it answers.
 *
 * @param timeouts Seconds to wait for it, a question each.
 * @param read Reads what it says; undefined where that is no answer to this.
 */
export function* askGateway<T>(
  { address, from }: Gateway,
  clock: { mono: number },
  bytes: Uint8Array,
  timeouts: readonly number[],
  read: Read<T>,
): PortMapSteps<T | undefined> {
  let answer: T | undefined;
  const host = address.replace(/%.*$/, "");
  for (const seconds of timeouts) {
    const { failure } = yield* doStep(clock, {
      kind: "ask",
      from,
      datagrams: [{ to: { host: address, port: GATEWAY_PORT }, bytes }],
      seconds,
      hear: (buffer, at, length, source) => {
        // Anyone can send to the port, and there is no more than this that tells them apart.
        if (source.host !== host || source.port !== GATEWAY_PORT) return false;
        answer ??= read(buffer, at, length);
        return answer !== undefined;
      },
    });
    if (answer !== undefined || failure !== undefined) break;
  }
  return answer;
}

function refusal({ result }: NatPmpAnswer): MapOutcome {
  return { kind: "refused", why: RESULTS[result] ?? `result ${result}` };
}
