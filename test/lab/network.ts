/**
 * What the lab's programs run in: namespaces, and how they are connected.
 *
 * @module
 */

import type { Namespace } from "./namespace.ts";
import type { Router } from "./router.ts";

/** The registry's addresses: the usual one, and one to move to. */
export const REGISTRY = "203.0.113.10";
export const OTHER_REGISTRY = "203.0.113.11";
/** The same over IPv6, where the lab has that. */
export const REGISTRY_IPV6 = "2001:db8::10";

/** Makes a namespace for a role. */
export type MakeNamespace = (role: string) => Namespace;

/** A small internet: a registry, and two hosts behind routers. */
export interface Network {
  readonly registry: Namespace;
  /** Where alice's router meets the internet; the same as bob's where they share it. */
  readonly routerA: Router;
  readonly routerB: Router;
  readonly alice: Namespace;
  readonly bob: Namespace;
  /** All that there are. */
  readonly namespaces: readonly Namespace[];
  /** Connects them, once they are made. */
  connect(): Promise<void>;
  /**
   * Gives all of them IPv6 as well.
   *
   * @param only Whether the hosts have nothing else then.
   */
  useIpv6(only: boolean): Promise<void>;
}

export const FORWARD_IPV6: readonly string[] = [
  "sh",
  "-c",
  "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
];

/** Lets in over IPv6 only what was asked for. */
export const IPV6_FIREWALL = `table ip6 firewall {
    chain forward { type filter hook forward priority filter; policy drop
      iifname lan accept
      ct state established,related accept
    }
  }`;
