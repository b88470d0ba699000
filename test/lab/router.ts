/**
 * A router of the lab, with NAT.
 *
 * @module
 */

import { type NatKind, ruleset, type RulesetOptions } from "./nat_rules.ts";
import type { Namespace } from "./namespace.ts";

/** How a router is connected to what is outside. */
export interface Uplink {
  /** Bits of its network: 32 where all others are behind a router. */
  readonly bits: number;
  readonly gateway: string;
}

/** A router between `lan` and `wan`, with its kind and its outside address. */
export class Router {
  readonly namespace: Namespace;
  readonly #options: RulesetOptions;
  readonly #uplink: Uplink;
  #kind: NatKind;
  #address: string;

  constructor(
    namespace: Namespace,
    kind: NatKind,
    address: string,
    options: RulesetOptions,
    uplink: Uplink,
  ) {
    this.namespace = namespace;
    this.#options = options;
    this.#uplink = uplink;
    this.#kind = kind;
    this.#address = address;
  }

  get kind(): NatKind {
    return this.#kind;
  }

  get address(): string {
    return this.#address;
  }

  /** Brings `wan` up, with the address, and the rules in force. `lan` is there already. */
  async connect(): Promise<void> {
    await this.namespace.ip(
      "link set wan up",
      `addr add ${this.#address}/${this.#uplink.bits} dev wan`,
      this.#route("add"),
    );
    await this.namespace.must(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    await this.apply();
  }

  #route(verb: "add" | "replace"): string {
    return `route ${verb} default via ${this.#uplink.gateway} dev wan onlink`;
  }

  /** Makes it another kind of NAT, which knows of no connection. */
  async setKind(kind: NatKind): Promise<void> {
    this.#kind = kind;
    await this.apply();
  }

  /**
   * Gives it another public address, as a provider does at night.
   *
   * @param keeps Whether it knows of all connections still.
   */
  async move(address: string, keeps = false): Promise<void> {
    const { bits } = this.#uplink;
    await this.namespace.ip(`addr del ${this.#address}/${bits} dev wan`);
    this.#address = address;
    // Without an address nothing passes: else what goes out through the new one would be forgotten.
    await this.apply(keeps);
    await this.namespace.ip(`addr add ${address}/${bits} dev wan`, this.#route("replace"));
  }

  /** Puts the rules in force, and forgets all connections, unless it `keeps` them. */
  async apply(keeps = false): Promise<void> {
    const input = ruleset(this.#kind, this.#address, this.#options);
    await this.namespace.must(["nft", "-f", "-"], { input });
    if (!keeps) await this.forget();
  }

  /** Forgets all connections. */
  async forget(): Promise<void> {
    await this.namespace.must(["conntrack", "--flush"]);
  }

  /** From now on nothing passes it from or to an address, whatever it knows of; or it does again. */
  async cut(address: string, isCut = true): Promise<void> {
    const input = `table inet cut
      delete table inet cut
      table inet cut {
        chain forward { type filter hook forward priority filter - 10
          ${isCut ? `ip daddr ${address} drop\nip saddr ${address} drop` : ""}
        }
      }`;
    await this.namespace.must(["nft", "-f", "-"], { input });
  }
}
