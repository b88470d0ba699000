/**
 * The device itself as a peer in its zone.
 *
 * @module
 */

import { copyBytes, WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { AllowedStrings } from "./allowed_strings.ts";
import type { ChosenKeys } from "./chosen_keys.ts";
import { formatHostPort, type HostPort } from "../../net/host_port.ts";
import { ADDRESS_SIZE, isWildcard, parseAddress } from "../../net/ip_address.ts";
import { normalizePrefix } from "../../net/ip_prefix.ts";
import type { DevicePeers } from "./peers.ts";

/** What is published of the device itself. */
export interface ZoneSelfOptions {
  /**
   * Where it is, with an IP address. Undefined takes the address that the query came to and the
   * device's port, where both are known.
   */
  readonly endpoint?: HostPort | undefined;
  /** Its own AllowedIPs. */
  readonly allowedIps: readonly string[];
}

/** The device itself as a peer in one zone. Its key and port are those that were last read. */
export class ZoneSelf {
  /** Its AllowedIPs: one list. */
  readonly allowed: AllowedStrings;
  readonly #device: DevicePeers;
  readonly #chosen: ChosenKeys | undefined;
  readonly #address = new WireBuffer(ADDRESS_SIZE);
  readonly #port: number;

  /**
   * Publishes the device that `device` reads.
   *
   * @param chosen Only if its key is one of these; undefined is always.
   * @throws {SyntaxError} Where the endpoint's host is no IP address, or an AllowedIP is none.
   */
  constructor(
    device: DevicePeers,
    { endpoint, allowedIps }: ZoneSelfOptions,
    chosen?: ChosenKeys | undefined,
  ) {
    this.#device = device;
    this.#chosen = chosen;
    this.#port = endpoint?.port ?? 0;
    if (endpoint !== undefined) {
      if (!parseAddress(endpoint.host, this.#address, 0) || endpoint.port === 0) {
        throw new SyntaxError(`${formatHostPort(endpoint)} is no IP address with a port`);
      }
    }
    this.allowed = new AllowedStrings([allowedIps.map(normalizePrefix)]);
  }

  /** Its public key, 32 bytes, or undefined where it has none or is not published. */
  get key(): WireBuffer | undefined {
    const { ownKey } = this.#device;
    if (this.#chosen === undefined || ownKey === undefined) return ownKey;
    return this.#chosen.has(ownKey, 0) ? ownKey : undefined;
  }

  /**
   * Where it is for who asks at the local address at `localAt`: writes 16 bytes of address at `at`
   * and returns the port. 0 is nowhere: it is not published then, nor where it has no key.
   */
  endpoint(local: WireBuffer | undefined, localAt: number, to: WireBuffer, at: number): number {
    if (this.#port !== 0) {
      copyBytes(this.#address, 0, to, at, ADDRESS_SIZE);
      return this.#port;
    }
    if (local === undefined || isWildcard(local, localAt)) return 0;
    copyBytes(local, localAt, to, at, ADDRESS_SIZE);
    return this.#device.listenPort;
  }
}
