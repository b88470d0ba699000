/**
 * The gateways of this host, as far as it tells of them.
 *
 * @module
 */

import { findGateways, type Gateway } from "../../core/portmap/gateways.ts";
import type { Files } from "../../host/files.ts";
import type { LocalAddresses } from "../../host/names.ts";

const ROUTES = "/proc/net/route";
const IPV6_ROUTES = "/proc/net/ipv6_route";
const MAX_ROUTES = 131_072;

/** Reads them; none where this host doesn't tell. */
export async function readGateways(host: Files & LocalAddresses): Promise<readonly Gateway[]> {
  const read = async (path: string) => {
    try {
      const { bytes } = await host.readFile(path, MAX_ROUTES, { beginning: true });
      return new TextDecoder().decode(bytes);
    } catch {
      return "";
    }
  };
  const [ipv4, ipv6] = await Promise.all([read(ROUTES), read(IPV6_ROUTES)]);
  let addresses: readonly string[] = [];
  try {
    addresses = host.localAddresses();
  } catch {
    // NAT-PMP and UPnP do without.
  }
  return findGateways(ipv4, ipv6, addresses);
}
