/**
 * A network as the internet is: each site's provider is some hops away from the other's.
 *
 * ```
 *                       registry .10, .11
 *                           │
 *        edge-a ────────── core ────────── edge-b
 *          │                                 │
 *   [carrier-a 203.0.113.21, .31]     [carrier-b 203.0.113.22, .32]
 *          │ 100.64.1.0/24                   │ 100.64.2.0/24
 *       home-a                            home-b
 *          │ 192.168.1.0/24                  │ 192.168.2.0/24
 *        alice                              bob
 * ```
 *
 * Without a carrier's NAT the home router has the public address. Where both share one of them,
 * there is no site b.
 *
 * @module
 */

import type { NatKind } from "./nat_rules.ts";
import {
  FORWARD_IPV6,
  IPV6_FIREWALL,
  type MakeNamespace,
  type Network,
  OTHER_REGISTRY,
  REGISTRY,
  REGISTRY_IPV6,
} from "./network.ts";
import type { Namespace } from "./namespace.ts";
import { Router } from "./router.ts";
import { layWires } from "./slow_wire.ts";
import { hasIpv4, hasIpv6, type Kinds, outerNat, type SharedKind, type SiteKind } from "./site.ts";

const GATEWAY = "203.0.113.1";
const UPLINK = { bits: 32, gateway: GATEWAY };
/** What passes between neighbours is no business of the router's NAT. */
const BRIDGE_ONLY = `for f in ip ip6; do f=/proc/sys/net/bridge/bridge-nf-call-\${f}tables; ` +
  "[ ! -e $f ] || echo 0 > $f; done";
const FORWARD = ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"];

/** A site with its hosts; `n` is 1 for a, and 2 for b. */
interface Site {
  readonly n: number;
  readonly edge: Namespace;
  /** Where the site's public address is. */
  readonly outer: Router;
  /** The routers behind that, if it is a carrier's; each has one host. */
  readonly homes: readonly Router[];
  readonly hosts: readonly Namespace[];
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
}

/** The network. */
export class RoutedNetwork implements Network {
  readonly registry: Namespace;
  readonly alice: Namespace;
  readonly bob: Namespace;
  readonly #core: Namespace;
  readonly #sites: readonly Site[];
  readonly #delay: number;

  /** @param delay Milliseconds from the core to a site. */
  constructor(namespace: MakeNamespace, kinds: Kinds, delay = 0) {
    const sites: readonly [SiteKind, SiteKind] | SharedKind = kinds.length === 1 ? kinds[0] : kinds;
    this.#delay = delay;
    this.#core = namespace("core");
    this.registry = namespace("registry");
    this.alice = namespace("alice");
    this.bob = namespace("bob");
    this.#sites = typeof sites === "string"
      ? [sharedSite(namespace, sites, [this.alice, this.bob])]
      : sites.map((kind, i) => siteOf(namespace, kind, i + 1, i === 0 ? this.alice : this.bob));
  }

  get routerA(): Router {
    return this.#outer(0);
  }

  get routerB(): Router {
    return this.#outer(1);
  }

  #outer(index: number): Router {
    const site = this.#sites[Math.min(index, this.#sites.length - 1)];
    if (site === undefined) throw new Error("no site");
    return site.outer;
  }

  get namespaces(): readonly Namespace[] {
    return [
      this.#core,
      this.registry,
      ...this.#sites.flatMap(({ edge, outer, homes, hosts }) => [
        edge,
        ...[outer, ...homes].map(({ namespace }) => namespace),
        ...hosts,
      ]),
    ];
  }

  async connect(): Promise<void> {
    await this.#core.must(FORWARD);
    await this.#core.must(FORWARD_IPV6);
    await this.#core.ip(
      `link add registry type veth peer name eth0 netns ${this.registry.name}`,
      `addr add ${GATEWAY}/32 dev lo`,
      "addr add 2001:db8::1/64 dev registry nodad",
      "link set registry up",
      `route add ${REGISTRY}/32 dev registry`,
      `route add ${OTHER_REGISTRY}/32 dev registry`,
    );
    await this.registry.ip(
      `addr add ${REGISTRY}/32 dev eth0`,
      `addr add ${OTHER_REGISTRY}/32 dev eth0`,
      `addr add ${REGISTRY_IPV6}/64 dev eth0 nodad`,
      "link set eth0 up",
      `route add default via ${GATEWAY} dev eth0 onlink`,
      "route add default via 2001:db8::1",
    );
    await this.#wire();
    for (const site of this.#sites) await this.#connectSite(site);
  }

  /** Lays a wire from the core to each site's edge. */
  async #wire(): Promise<void> {
    if (this.#delay === 0) {
      const lines = this.#sites.map(({ n, edge }) =>
        `link add edge-${n} type veth peer name core netns ${edge.name}`
      );
      return await this.#core.ip(...lines);
    }
    const ends = this.#sites.flatMap(({ n }) => [`edge-${n}`, `core-${n}`]);
    await layWires(this.#core, this.#delay, ends);
    for (const { n, edge } of this.#sites) {
      await this.#core.ip(`link set core-${n} netns ${edge.name} name core`);
    }
  }

  async #connectSite(site: Site): Promise<void> {
    const { n, edge, outer } = site;
    const addresses = [`203.0.113.2${n}`, `203.0.113.3${n}`];
    await this.#core.ip(
      `addr add 10.255.${n}.1/30 dev edge-${n}`,
      `addr add fd00:${n}::1/64 dev edge-${n} nodad`,
      `link set edge-${n} up`,
      ...addresses.map((address) => `route add ${address}/32 via 10.255.${n}.2`),
    );
    await edge.ip(
      `link add site type veth peer name wan netns ${outer.namespace.name}`,
      `addr add 10.255.${n}.2/30 dev core`,
      `addr add fd00:${n}::2/64 dev core nodad`,
      `addr add ${GATEWAY}/32 dev lo`,
      `addr add 2001:db8:10${n}::1/64 dev site nodad`,
      "link set core up",
      "link set site up",
      `route add default via 10.255.${n}.1`,
      `route add default via fd00:${n}::1`,
      ...addresses.map((address) => `route add ${address}/32 dev site`),
      `route add 2001:db8:${n}::/64 via 2001:db8:10${n}::2`,
    );
    await this.#core.ip(
      `route add 2001:db8:${n}::/64 via fd00:${n}::2`,
      `route add 2001:db8:10${n}::/64 via fd00:${n}::2`,
    );
    await edge.must(FORWARD);
    await edge.must(FORWARD_IPV6);
    await connectInside(site);
    if (site.hasIpv6) await connectIpv6(site);
  }

  useIpv6(): Promise<void> {
    throw new Error("the kinds of the sites say that");
  }
}

/** Connects the hosts to their router, by home routers of their own or as neighbours. */
async function connectInside(site: Site): Promise<void> {
  const { n, outer, homes, hosts } = site;
  const isCarrier = homes.length > 0;
  const net = isCarrier ? `100.64.${n}` : `192.168.${n}`;
  const inside = isCarrier ? homes.map(({ namespace }) => namespace) : hosts;
  const name = isCarrier ? "wan" : "eth0";
  await outer.namespace.must(["sh", "-c", BRIDGE_ONLY]);
  await outer.namespace.ip(
    "link add lan type bridge",
    ...(site.hasIpv4 ? [`addr add ${net}.1/24 dev lan`] : []),
    "link set lan up",
    ...inside.flatMap((each, i) => [
      `link add lan${i} type veth peer name ${name} netns ${each.name}`,
      `link set lan${i} master lan up`,
    ]),
  );
  if (site.hasIpv4) await outer.connect();
  else await outer.namespace.ip("link set wan up");
  for (const [i, home] of homes.entries()) {
    const host = hosts[i];
    if (host === undefined) throw new Error("a home without a host");
    const side = n + i;
    await home.namespace.ip(
      `link add lan type veth peer name eth0 netns ${host.name}`,
      `addr add 192.168.${side}.1/24 dev lan`,
      "link set lan up",
    );
    await home.connect();
    await connectHost(host, `192.168.${side}`, 2);
  }
  if (isCarrier) return;
  for (const [i, host] of hosts.entries()) {
    if (site.hasIpv4) await connectHost(host, net, 2 + i);
    else await host.ip("link set eth0 up");
  }
}

async function connectHost(host: Namespace, net: string, number: number): Promise<void> {
  await host.ip(
    `addr add ${net}.${number}/24 dev eth0`,
    "link set eth0 up",
    `route add default via ${net}.1`,
  );
}

/** IPv6 needs no translation: the router lets in only what was asked for. */
async function connectIpv6({ n, outer, hosts }: Site): Promise<void> {
  await outer.namespace.ip(
    `addr add 2001:db8:10${n}::2/64 dev wan nodad`,
    `addr add 2001:db8:${n}::1/64 dev lan nodad`,
    `route add default via 2001:db8:10${n}::1`,
  );
  await outer.namespace.must(FORWARD_IPV6);
  await outer.namespace.must(["nft", "-f", "-"], { input: IPV6_FIREWALL });
  for (const [i, host] of hosts.entries()) {
    await host.ip(
      `addr add 2001:db8:${n}::${2 + i}/64 dev eth0 nodad`,
      `route add default via 2001:db8:${n}::1`,
    );
  }
}

function siteOf(namespace: MakeNamespace, kind: SiteKind, n: number, host: Namespace): Site {
  const side = n === 1 ? "a" : "b";
  const isCarrier = kind === "cgn";
  const inside = [isCarrier ? `100.64.${n}.2` : `192.168.${n}.2`];
  const options = kind === "blocked"
    ? { inside, udpOnlyTo: [REGISTRY, OTHER_REGISTRY] }
    : { inside };
  return {
    n,
    edge: namespace(`edge-${side}`),
    outer: outerRouter(namespace, isCarrier ? "carrier" : "home", side, outerNat(kind), options),
    homes: isCarrier ? [homeRouter(namespace, `home-${side}`, n, 1)] : [],
    hosts: [host],
    hasIpv4: hasIpv4(kind),
    hasIpv6: hasIpv6(kind),
  };
}

function sharedSite(
  namespace: MakeNamespace,
  kind: SharedKind,
  hosts: readonly Namespace[],
): Site {
  const isCarrier = kind.startsWith("carrier");
  const hairpin = kind.endsWith("hairpin");
  const net = isCarrier ? "100.64.1" : "192.168.1";
  const options = { inside: [`${net}.2`, `${net}.3`], hairpin };
  const nat = hairpin ? "cone" : isCarrier ? "eim" : "preserve";
  return {
    n: 1,
    edge: namespace("edge-a"),
    outer: outerRouter(namespace, isCarrier ? "carrier" : "home", "a", nat, options),
    homes: isCarrier ? [1, 2].map((i) => homeRouter(namespace, `home-${i}`, 1, i)) : [],
    hosts,
    hasIpv4: true,
    hasIpv6: false,
  };
}

function outerRouter(
  namespace: MakeNamespace,
  role: string,
  side: "a" | "b",
  kind: NatKind,
  options: ConstructorParameters<typeof Router>[3],
): Router {
  const address = `203.0.113.2${side === "a" ? 1 : 2}`;
  return new Router(namespace(`${role}-${side}`), kind, address, options, UPLINK);
}

/** A home router behind a carrier's. @param i Which of those in the site, from 1 on. */
function homeRouter(namespace: MakeNamespace, role: string, n: number, i: number): Router {
  const options = { inside: [`192.168.${n + i - 1}.2`] };
  const uplink = { bits: 24, gateway: `100.64.${n}.1` };
  return new Router(namespace(role), "preserve", `100.64.${n}.${1 + i}`, options, uplink);
}
