/**
 * NAT routers of the kinds that home routers and carriers have, as nftables rules.
 *
 * @module
 */

/**
 * How a router maps and filters UDP.
 *
 * - `preserve`: Linux masquerading; keeps the port while it is free, lets in only answers.
 * - `snat`: the same to a fixed address, which goes on for what goes on when that changes.
 * - `bare`: Linux masquerading and nothing else: what nobody asked for is refused, and remembered,
 *   so that the own next packet to where it came from leaves through another port.
 * - `eim`: one mapping for all destinations, at another port; lets in only answers.
 * - `cone`: the same mapping, and everybody may send to it.
 * - `sym`: symmetric; a random port for each destination.
 * - `seq`: symmetric; the next port for each destination.
 * - `none`: no translation; what is behind it can't be reached from outside.
 */
export type NatKind = "snat" | "preserve" | "bare" | "eim" | "cone" | "sym" | "seq" | "none";

/** What a router is besides its kind. */
export interface RulesetOptions {
  /** The addresses of the hosts inside; two at most. */
  readonly inside: readonly string[];
  /** Whether hosts inside reach each other by the router's outside address; `cone` only. */
  readonly hairpin?: boolean;
  /** The only addresses that UDP may go to, and come from. */
  readonly udpOnlyTo?: readonly string[];
}

/** Each gives another port than the inside one, and is its own inverse; one for each inside host. */
const OTHER_PORTS = ["^ 0x4000", "^ 0x2000"] as const;
/** The ports of `seq`, one after the other, and from the beginning again. */
const FIRST_PORT = 30_000;
const PORTS = 2048;
/** nftables counts in the byte order of the machine, and takes ports in that of the network. */
const COUNTED_PORTS = Array.from({ length: PORTS }, (_, i) => `${i} : ${FIRST_PORT + i}`).join();

interface Rules {
  /** Declarations of the table. */
  readonly sets?: string;
  /** What comes from outside. */
  readonly inbound?: string;
  /** What goes out. */
  readonly outbound?: string;
  /** What may pass the router besides answers. */
  readonly passes?: string;
}

function rulesOf(kind: NatKind, publicAddress: string, options: RulesetOptions): Rules {
  switch (kind) {
    case "none":
      return {};
    case "snat":
      return { outbound: `oifname wan snat to ${publicAddress}` };
    case "preserve":
    case "bare":
      return { outbound: "oifname wan masquerade" };
    case "sym":
      return { outbound: "oifname wan masquerade random,fully-random" };
    case "seq":
      return {
        outbound: `oifname wan ip protocol udp snat to ${publicAddress} : ` +
          `numgen inc mod ${PORTS} map { ${COUNTED_PORTS} }
          oifname wan masquerade`,
      };
    case "eim": {
      const outbound = options.inside.map((inside, i) =>
        `oifname wan ip saddr ${inside} ip protocol udp ` +
        `snat to ${publicAddress} : udp sport ${OTHER_PORTS[i]}`
      );
      return { outbound: [...outbound, "oifname wan masquerade"].join("\n") };
    }
    case "cone":
      return coneRules(publicAddress, options);
  }
}

function coneRules(publicAddress: string, { inside, hairpin = false }: RulesetOptions): Rules {
  const from = hairpin ? "" : "iifname wan";
  const to = hairpin ? "" : "oifname wan";
  const each = (rule: (inside: string, i: number) => string) => inside.map(rule).join("\n");
  return {
    // The public ports that have a mapping.
    sets: each((_, i) =>
      `set mapped${i} { type inet_service; flags dynamic,timeout; timeout 5m; size 1024; }`
    ),
    inbound: each((host, i) =>
      `${from} ip daddr ${publicAddress} udp dport @mapped${i} ` +
      `dnat to ${host} : udp dport ${OTHER_PORTS[i]}`
    ),
    outbound:
      each((host, i) =>
        `${to} ip saddr ${host} ip protocol udp update @mapped${i} { udp sport ${
          OTHER_PORTS[i]
        } } ` +
        `snat to ${publicAddress} : udp sport ${OTHER_PORTS[i]}`
      ) + "\noifname wan masquerade",
    passes: "ct status dnat accept",
  };
}

/**
 * The whole ruleset of a router between `lan` and `wan`, in place of the one before.
 *
 * But for `bare`, packets to the router itself that nobody asked for are dropped, as home routers
 * do: an early one of a peer would otherwise take the mapping that the own next packet needs.
 */
export function ruleset(kind: NatKind, publicAddress: string, options: RulesetOptions): string {
  const { sets = "", inbound = "", outbound = "", passes = "" } = rulesOf(
    kind,
    publicAddress,
    options,
  );
  const only = (options.udpOnlyTo ?? []).join(", ");
  const blocked = only === "" ? "" : `meta l4proto udp ip daddr != { ${only} } iifname lan drop
    meta l4proto udp ip saddr != { ${only} } iifname wan drop`;
  return `
    table ip nat
    delete table ip nat
    table ip nat {
      ${sets}
      chain inbound { type nat hook prerouting priority dstnat; ${inbound}
      }
      chain outbound { type nat hook postrouting priority srcnat; ${outbound}
      }
    }
    table ip firewall
    delete table ip firewall
    table ip firewall {
      chain input { type filter hook input priority filter
        ip protocol icmp accept
        ${kind === "bare" ? "" : "iifname wan ct state new,invalid drop"}
      }
      chain forward { type filter hook forward priority filter; policy drop
        ${blocked}
        iifname lan accept
        ct state established,related accept
        ${passes}
      }
    }
  `;
}
