/**
 * A mapping by PCP.
 *
 * @module
 */

import {
  decodePcpAnnounce,
  decodePcpMapping,
  encodePcpAnnounce,
  encodePcpMap,
  PCP_ANNOUNCE_SIZE,
  PCP_MAP_SIZE,
  PCP_NONCE_SIZE,
  PCP_SUCCESS,
  type PcpMapping,
} from "../../wire/portmap/pcp.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE, formatAddress, parseAddress } from "../net/ip_address.ts";
import { isPublic } from "../net/reach.ts";
import type { RandomSource } from "../net/random.ts";
import { Epoch } from "./epoch.ts";
import type { Gateway } from "./gateways.ts";
import { askGateway } from "./nat_pmp.ts";
import {
  ASK_SECONDS,
  LIFETIME,
  type MapOutcome,
  MIN_EXTERNAL_PORT,
  type PortMapSteps,
  type ProtocolMapper,
  RELEASE_SECONDS,
} from "./step.ts";

/** RFC 6887, section 7.4. */
const RESULTS: Readonly<Record<number, string>> = {
  1: "another version",
  2: "not allowed",
  3: "the question is malformed",
  4: "not to be had",
  5: "an option is not to be had",
  6: "an option is malformed",
  7: "it has no network",
  8: "out of resources",
  9: "it maps no UDP",
  10: "too many mappings",
  11: "the public port is not to be had",
  12: "another NAT is between this host and the gateway",
  13: "too many remote peers",
};
const CHECK_EVERY = 30;

/** Maps a port by PCP. */
export class PcpMapper implements ProtocolMapper {
  readonly via = "pcp";
  readonly checkEvery = CHECK_EVERY;
  readonly #gateway: Gateway;
  readonly #port: number;
  readonly #clock: { mono: number };
  readonly #epoch = new Epoch();
  readonly #client = new WireBuffer(ADDRESS_SIZE);
  readonly #nonce = new WireBuffer(PCP_NONCE_SIZE);
  readonly #external = new WireBuffer(ADDRESS_SIZE);
  #externalPort: number;
  /** Whether the gateway may have a mapping. */
  #isAsked = false;

  /** @param port The own port. @param clock When the last step was done. */
  constructor(gateway: Gateway, port: number, clock: { mono: number }, random: RandomSource) {
    this.#gateway = gateway;
    this.#port = port;
    this.#clock = clock;
    this.#externalPort = port < MIN_EXTERNAL_PORT ? 0 : port;
    parseAddress(gateway.from, this.#client, 0);
    parseAddress(gateway.family === 4 ? "0.0.0.0" : "::", this.#external, 0);
    random(this.#nonce.bytes);
  }

  *map(): PortMapSteps<MapOutcome> {
    if (this.#gateway.from === "0.0.0.0") return { kind: "silent", why: "own address not known" };
    this.#isAsked = true;
    const mapping = yield* this.#ask(LIFETIME, ASK_SECONDS);
    if (mapping === undefined) return { kind: "silent", why: "no answer" };
    const { result, epoch, lifetime, externalPort } = mapping;
    if (epoch >= 0) this.#epoch.take(epoch, this.#clock.mono);
    if (result !== PCP_SUCCESS || lifetime === 0 || externalPort === 0) {
      this.#isAsked = false;
      return { kind: "refused", why: RESULTS[result] ?? `result ${result}` };
    }
    this.#externalPort = externalPort;
    const host = formatAddress(this.#external, 0);
    if (isPublic(host)) return { kind: "mapped", endpoint: { host, port: externalPort }, lifetime };
    yield* this.release();
    return { kind: "double-nat", address: host };
  }

  *check(): PortMapSteps<boolean> {
    const question = new WireBuffer(PCP_ANNOUNCE_SIZE);
    encodePcpAnnounce(this.#client, question, 0);
    const answer = yield* askGateway(
      this.#gateway,
      this.#clock,
      question.bytes,
      ASK_SECONDS,
      decodePcpAnnounce,
    );
    if (answer === undefined) return true;
    // What speaks another version now is another program.
    return answer.epoch >= 0 && !this.#epoch.take(answer.epoch, this.#clock.mono);
  }

  *release(): PortMapSteps<void> {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    yield* this.#ask(0, RELEASE_SECONDS);
  }

  *#ask(lifetime: number, timeouts: readonly number[]): PortMapSteps<PcpMapping | undefined> {
    const question = new WireBuffer(PCP_MAP_SIZE);
    const asked = {
      lifetime,
      client: this.#client,
      nonce: this.#nonce,
      internalPort: this.#port,
      externalPort: this.#externalPort,
      externalAddress: this.#external,
    };
    encodePcpMap(asked, question, 0);
    const external = this.#external;
    return yield* askGateway(
      this.#gateway,
      this.#clock,
      question.bytes,
      timeouts,
      (buffer, at, length) => decodePcpMapping(buffer, at, length, asked, external),
    );
  }
}
