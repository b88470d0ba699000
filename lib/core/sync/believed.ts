/**
 * Which endpoints can be a peer's at all, whoever names them.
 *
 * @module
 */

import type { Device } from "../net/device.ts";
import type { HostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, parseAddress } from "../net/ip_address.ts";
import { isNarrow, PrefixSet } from "../net/ip_prefix.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/**
 * No peer is there for another host: this network and this host, multicast, what is reserved, and
 * broadcast (RFC 6890, RFC 4291).
 */
const NOWHERE = new PrefixSet([
  "0.0.0.0/8",
  "127.0.0.0/8",
  "224.0.0.0/3",
  "::/128",
  "::1/128",
  "ff00::/8",
]);

/** Knows what can't be believed of the peers of an interface. */
export class BelievedEndpoints {
  readonly #inTunnel: PrefixSet;

  /**
   * Looks at the interface's AllowedIPs: what is sent to an address in them goes into the tunnel, and
   * never arrives outside. With a mark (full tunnels), WireGuard's own datagrams go another way.
   */
  constructor({ peers, mark }: Pick<Device, "peers" | "mark">) {
    const prefixes = mark !== 0 ? [] : peers.flatMap(({ allowedIps }) => allowedIps);
    this.#inTunnel = new PrefixSet(prefixes.filter(isNarrow));
  }

  /** Whether a peer can be there. */
  has({ host, port }: HostPort): boolean {
    const address = new WireBuffer(ADDRESS_SIZE);
    return port > 0 && parseAddress(host, address, 0) && !NOWHERE.contains(address, 0) &&
      !this.#inTunnel.contains(address, 0);
  }
}
