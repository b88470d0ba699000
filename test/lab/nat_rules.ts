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
 * - `eim`: one mapping for all destinations, at another port; lets in only answers.
 * - `cone`: the same mapping, and everybody may send to it.
 * - `sym`: symmetric; a random port for each destination.
 * - `none`: no translation; what is behind it can't be reached from outside.
 */
export type NatKind = "snat" | "preserve" | "eim" | "cone" | "sym" | "none";

/** The kinds that a table of pairs is made of. */
export const NAT_KINDS = ["preserve", "eim", "cone", "sym"] as const;

/** Other than the inside port, and its own inverse. */
const OTHER_PORT = "^ 0x4000";

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

function rulesOf(kind: NatKind, publicAddress: string, inside: string): Rules {
  const other = `snat to ${publicAddress} : udp sport ${OTHER_PORT}`;
  switch (kind) {
    case "none":
      return {};
    case "snat":
      return { outbound: `oifname wan snat to ${publicAddress}` };
    case "preserve":
      return { outbound: "oifname wan masquerade" };
    case "sym":
      return { outbound: "oifname wan masquerade random,fully-random" };
    case "eim":
      return {
        outbound: `oifname wan ip protocol udp ${other}
          oifname wan masquerade`,
      };
    case "cone":
      return {
        // The public ports that have a mapping.
        sets: "set mapped { type inet_service; flags dynamic,timeout; timeout 5m; size 1024; }",
        inbound: `iifname wan ip daddr ${publicAddress} udp dport @mapped ` +
          `dnat to ${inside} : udp dport ${OTHER_PORT}`,
        outbound: `oifname wan ip protocol udp update @mapped { udp sport ${OTHER_PORT} } ${other}
          oifname wan masquerade`,
        passes: "ct status dnat accept",
      };
  }
}

/**
 * The whole ruleset of a router between `lan` and `wan`, in place of the one before.
 *
 * Packets to the router itself that nobody asked for are dropped, as home routers do: an early one
 * of a peer would otherwise take the mapping that the own next packet needs.
 */
export function ruleset(kind: NatKind, publicAddress: string, inside: string): string {
  const { sets = "", inbound = "", outbound = "", passes = "" } = rulesOf(
    kind,
    publicAddress,
    inside,
  );
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
        iifname wan ct state new,invalid drop
      }
      chain forward { type filter hook forward priority filter; policy drop
        iifname lan accept
        ct state established,related accept
        ${passes}
      }
    }
  `;
}
