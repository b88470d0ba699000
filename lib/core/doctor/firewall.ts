/**
 * Whether this host's own firewall lets WireGuard's datagrams in, as far as its rules say so.
 *
 * Rules are a language: nothing is said but where what comes in is dropped by policy, and no rule at
 * all names the port. Answers to what this host has sent get in there as well, by connection tracking:
 * so it is no more than a warning. Sources: nft(8), iptables(8).
 *
 * @module
 */

import { type Check, ok, warn } from "./check.ts";
import { type DoctorFacts, valueOf } from "./facts.ts";

const NFT_INPUT = /\bhook input\b[^\n]*\bpolicy drop\b/;
const IPTABLES_INPUT = /^-P INPUT DROP$/m;
/** Ports and ranges of ports behind these words, in nft's sets as well, and as iptables has several. */
const NAMED_PORTS = /\bdports? (?:\{([^}]*)\}|@\S+|(\S+))/g;
const ELEMENTS = /\belements = \{([^}]*)\}/g;

/** The firewall. */
export function checkFirewall(
  { system: { nft, iptables }, ...facts }: DoctorFacts,
): Check | undefined {
  const name = "firewall";
  const { listenPort: port = 0 } = valueOf(facts.device) ?? {};
  if (port === 0) return undefined;
  if (nft === undefined && iptables.length === 0) return ok(name, "no rules can be read here");
  const drops = [
    ...(nft !== undefined && NFT_INPUT.test(nft) && !namesPort(nft, port) ? ["nftables"] : []),
    ...(iptables.some((rules) => IPTABLES_INPUT.test(rules) && !namesPort(rules, port))
      ? ["iptables"]
      : []),
  ];
  if (drops.length === 0) return ok(name, `nothing seen that keeps UDP port ${port} closed`);
  const [program] = drops;
  return warn(
    name,
    `${program} drops what comes in, and no rule names UDP port ${port}: peers that send first are kept out`,
    program === "iptables"
      ? `iptables -I INPUT -p udp --dport ${port} -j ACCEPT`
      : `nft insert rule inet filter input udp dport ${port} accept`,
  );
}

/** Whether a rule names a port, alone, in a list, or in a range. */
export function namesPort(rules: string, port: number): boolean {
  const lists = [
    ...[...rules.matchAll(NAMED_PORTS)].map(([, several, single]) => several ?? single ?? ""),
    ...[...rules.matchAll(ELEMENTS)].map(([, several = ""]) => several),
  ];
  return lists.some((list) =>
    list.split(",").some((each) => {
      const [, first, last = first] = /^\s*(\d+)(?:[-:](\d+))?\s*$/.exec(each) ?? [];
      return Number(first) <= port && port <= Number(last);
    })
  );
}
