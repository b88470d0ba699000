/**
 * A network whose routers and registry are neighbours, as if at one exchange.
 *
 * ```
 *                     203.0.113.0/24
 *   ─────┬──────────────────┬─────────────────┬─────
 *        │ .10, .11         │ .21, .31        │ .22, .32
 *     registry           routerA           routerB
 *                           │ 192.168.1.1     │ 192.168.2.1
 *                         alice             bob
 * ```
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

const BACKBONE = "203.0.113.1";
const UPLINK = { bits: 24, gateway: BACKBONE };

/** The network. */
export class BridgeNetwork implements Network {
  readonly registry: Namespace;
  readonly routerA: Router;
  readonly routerB: Router;
  readonly alice: Namespace;
  readonly bob: Namespace;
  readonly #backbone: Namespace;

  constructor(namespace: MakeNamespace, a: NatKind, b: NatKind) {
    this.#backbone = namespace("backbone");
    this.registry = namespace("registry");
    const router = (side: string, kind: NatKind, n: number) => {
      const options = { inside: [`192.168.${n}.2`] };
      return new Router(namespace(`router-${side}`), kind, `203.0.113.2${n}`, options, UPLINK);
    };
    this.routerA = router("a", a, 1);
    this.routerB = router("b", b, 2);
    this.alice = namespace("alice");
    this.bob = namespace("bob");
  }

  get namespaces(): readonly Namespace[] {
    const { routerA, routerB, alice, bob, registry } = this;
    return [this.#backbone, registry, routerA.namespace, routerB.namespace, alice, bob];
  }

  async connect(): Promise<void> {
    const { registry, routerA, routerB, alice, bob } = this;
    await this.#backbone.ip(
      "link add br0 type bridge",
      `addr add ${BACKBONE}/24 dev br0`,
      "link set br0 up",
      `link add registry type veth peer name eth0 netns ${registry.name}`,
      `link add router-a type veth peer name wan netns ${routerA.namespace.name}`,
      `link add router-b type veth peer name wan netns ${routerB.namespace.name}`,
      ...["registry", "router-a", "router-b"].map((link) => `link set ${link} master br0 up`),
    );
    await registry.ip(
      `addr add ${REGISTRY}/24 dev eth0`,
      `addr add ${OTHER_REGISTRY}/24 dev eth0`,
      "link set eth0 up",
      `route add default via ${BACKBONE}`,
    );
    const sides = [
      { router: routerA, host: alice, net: "192.168.1" },
      { router: routerB, host: bob, net: "192.168.2" },
    ];
    for (const { router, host, net } of sides) {
      await router.namespace.ip(
        `link add lan type veth peer name eth0 netns ${host.name}`,
        `addr add ${net}.1/24 dev lan`,
        "link set lan up",
      );
      await host.ip(
        `addr add ${net}.2/24 dev eth0`,
        "link set eth0 up",
        `route add default via ${net}.1`,
      );
      await router.connect();
    }
  }

  async useIpv6(only: boolean): Promise<void> {
    const sides = [
      { router: this.routerA, host: this.alice, side: 1, own: "2001:db8::21" },
      { router: this.routerB, host: this.bob, side: 2, own: "2001:db8::22" },
    ];
    await this.#backbone.ip(
      "addr add 2001:db8::1/64 dev br0 nodad",
      ...sides.map(({ side, own }) => `route add 2001:db8:${side}::/64 via ${own}`),
    );
    await this.registry.ip(
      `addr add ${REGISTRY_IPV6}/64 dev eth0 nodad`,
      "route add default via 2001:db8::1",
    );
    await this.#backbone.must(FORWARD_IPV6);
    for (const { router, host, side, own } of sides) {
      await router.namespace.ip(
        `addr add ${own}/64 dev wan nodad`,
        `addr add 2001:db8:${side}::1/64 dev lan nodad`,
        "route add default via 2001:db8::1",
      );
      await router.namespace.must(FORWARD_IPV6);
      await router.namespace.must(["nft", "-f", "-"], { input: IPV6_FIREWALL });
      if (only) await host.must(["ip", "-4", "addr", "flush", "dev", "eth0"]);
      await host.ip(
        `addr add 2001:db8:${side}::2/64 dev eth0 nodad`,
        `route add default via 2001:db8:${side}::1`,
      );
    }
  }
}
