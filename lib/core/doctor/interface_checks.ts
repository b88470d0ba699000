/**
 * Checks of the WireGuard interface: that it is there, its port, its peers, its MTU.
 *
 * @module
 */

import { bad, type Check, fromMessage, named, ok, warn } from "./check.ts";
import { type DoctorFacts, valueOf } from "./facts.ts";

/** IPv6 needs that much (RFC 8200, section 5). */
const LEAST_MTU = 1280;
/** What wg-quick sets where the path carries 1500. */
const USUAL_MTU = 1420;
/** What WireGuard adds: IP's header, UDP's 8 bytes, and its own 32. */
const ADDED = { 4: 60, 6: 80 } as const;
/** Those that people give to their interfaces lie among those that systems hand out. */
const USUAL_PORT = 51_820;
const USUAL_PORTS = 16;
/** A session is made anew after 2 minutes, and is gone after 3, in seconds. */
const SESSION = 180;

/** The interface. */
export function checkInterface(
  { name: device, device: read, link, serving }: DoctorFacts,
): Check | undefined {
  const name = "interface";
  if (device === undefined) {
    if (serving.length > 0) return undefined;
    return warn(name, "none is named", "wgsig doctor wg0, or [sync.wg0] in the settings");
  }
  if ("problem" in read) return fromMessage(name, read.problem);
  if (read.value === undefined) {
    return bad(name, `there is no WireGuard interface ${device}`, `wg-quick up ${device}`);
  }
  const { publicKey } = read.value;
  if (publicKey === undefined) {
    return bad(name, `${device} has no private key`, `wg set ${device} private-key FILE`);
  }
  if (valueOf(link)?.isUp === false) {
    return bad(name, `${device} is down`, `ip link set ${device} up`);
  }
  return ok(name, `${device} is up, with the key ${publicKey}`);
}

/** Its UDP port. */
export function checkListenPort(facts: DoctorFacts): Check | undefined {
  const name = "listen-port";
  const device = valueOf(facts.device);
  if (device === undefined) return undefined;
  const { listenPort: port } = device;
  const mend =
    `wg set ${facts.name} listen-port 51820, and ListenPort = 51820 in its configuration`;
  if (port === 0) return bad(name, "the interface has none", mend);
  const [first, last] = facts.system.portRange ?? [1, 0];
  const isUsual = USUAL_PORT <= port && port < USUAL_PORT + USUAL_PORTS;
  if (first <= port && port <= last && !isUsual) {
    return warn(
      name,
      `${port} seems to be the system's choice: after a restart it is another one`,
      mend,
    );
  }
  return ok(name, `${port}`);
}

/** How long ago peers were heard. */
export function checkHandshakes({ unix, listed, ...facts }: DoctorFacts): Check | undefined {
  const name = "handshake";
  const device = valueOf(facts.device);
  if (device === undefined || facts.name === undefined) return undefined;
  const { peers } = device;
  if (peers.length === 0) {
    return warn(
      name,
      `${facts.name} has no peers`,
      "set add-peers, or add them to its configuration",
    );
  }
  const names = new Map((valueOf(listed) ?? []).map((each) => [each.publicKey, each.name]));
  const called = peers.map((peer) => ({
    ...peer,
    name: names.get(peer.publicKey) ?? peer.publicKey,
  }));
  const never = called.filter(({ latestHandshake }) => latestHandshake === 0);
  // Where nothing is said and no keepalive is on, there is none.
  const late = called.filter(({ latestHandshake, persistentKeepalive }) =>
    latestHandshake > 0 && unix - latestHandshake > SESSION && persistentKeepalive > 0
  );
  const text = [
    ...(never.length > 0 ? [`never with ${named(never.map(({ name }) => name))}`] : []),
    ...(late.length > 0
      ? [
        `long ago with ${
          named(late.map((each) => `${each.name} (${Math.round(unix - each.latestHandshake)} s)`))
        }`,
      ]
      : []),
  ].join("; ");
  if (text !== "") {
    return warn(name, text, `journalctl -u wgsig-sync@${facts.name} says why a peer isn't reached`);
  }
  const ages = peers.map(({ latestHandshake }) => Math.max(0, Math.round(unix - latestHandshake)));
  return ok(
    name,
    `with ${peers.length} of ${peers.length} peers, the oldest ${Math.max(...ages)} s ago`,
  );
}

/** Its MTU against those of the ways to the servers. */
export function checkMtu(
  { name: device, link, routes, device: read }: DoctorFacts,
): Check | undefined {
  const name = "mtu";
  const { mtu } = valueOf(link) ?? {};
  if (device === undefined || mtu === undefined || valueOf(read) === undefined) return undefined;
  const carried =
    routes.flatMap((route) =>
      route.mtu === undefined || route.device === device || route.device === "lo" ? [] : [{
        ...route,
        room: route.mtu - ADDED[route.address.includes(":") ? 6 : 4],
      }]
    ).toSorted((a, b) => a.room - b.room)[0];
  const set = (size: number) =>
    `ip link set dev ${device} mtu ${size}, and MTU in its configuration`;
  if (mtu < LEAST_MTU) {
    return bad(name, `${mtu} is less than the ${LEAST_MTU} that IPv6 needs`, set(LEAST_MTU));
  }
  if (carried !== undefined && mtu > carried.room) {
    return bad(
      name,
      `${mtu} with what WireGuard adds is more than the ${carried.mtu} of ${carried.device}: ` +
        "large datagrams are fragmented, or lost",
      set(Math.max(LEAST_MTU, carried.room - ADDED[6] + ADDED[4])),
    );
  }
  if (mtu > USUAL_MTU) {
    return warn(name, `${mtu} is more than the internet carries`, set(USUAL_MTU));
  }
  return ok(
    name,
    carried === undefined ? `${mtu}` : `${mtu}, of ${carried.mtu} on ${carried.device}`,
  );
}
