/**
 * What a peer that has joined a group needs: settings, and an interface for wg-quick or OpenWrt.
 *
 * @module
 */

import { addressOf, IpPrefix, normalizePrefix } from "../../net/ip_prefix.ts";
import { toml, tomlKey } from "../../settings/toml_text.ts";
import type { Given } from "./given.ts";
import type { RosterStep } from "./plan.ts";
import { PRIVATE_NETWORKS } from "./private_networks.ts";

/** A peer that has joined. */
export interface JoinedInterface {
  /** The interface's name. */
  readonly name: string;
  /** The registry, as settings name it. */
  readonly server: string;
  /** Its public key in base64. */
  readonly serverKey: string;
  readonly group: number;
  /** The own addresses in the tunnel, with the lengths of their networks' prefixes. */
  readonly addresses: readonly string[];
  readonly listenPort: number;
  /** The own private key in base64. */
  readonly privateKey: string;
  /** The files that hold that, and the group's secret. */
  readonly privateKeyFile: string;
  readonly secretFile: string;
}

/** The settings for `sync`. */
export function settingsText(
  { name, server, serverKey, group, privateKeyFile, secretFile, addresses }: JoinedInterface,
): string {
  const outside = addresses.map(normalizePrefix).filter((each) => {
    const prefix = new IpPrefix(each);
    return !PRIVATE_NETWORKS.some((net) => new IpPrefix(net).covers(prefix));
  });
  const networks = outside.length === 0
    ? []
    : [`trust-networks = ${toml([...PRIVATE_NETWORKS, ...outside])}`];
  return [
    "# Written by wgsig join.",
    `[sync.${tomlKey(name)}]`,
    `servers = ${toml([server])}`,
    `server-key = ${toml(serverKey)}`,
    ...group === 0 ? [] : [`group = ${group}`],
    `secret-file = ${toml(secretFile)}`,
    `private-key-file = ${toml(privateKeyFile)}`,
    "# The other peers come from the registry, and go when it says so.",
    "trust-registry = true",
    ...networks,
    "",
  ].join("\n");
}

/**
 * What an interface has of rosters that wg-quick has made with such peers: so much of it goes when the
 * registry says so.
 *
 * @param steps By which the peers came to stand in the file.
 * @param addresses The own ones: wg-quick sets no routes to what is in their networks.
 */
export function givenByFile(steps: readonly RosterStep[], addresses: readonly string[]): Given {
  const peers = new Map(
    steps.flatMap((step) => step.kind === "remove" ? [] : [[step.publicKey, step.given] as const]),
  );
  const networks = addresses.map((each) => new IpPrefix(normalizePrefix(each)));
  const prefixes = [...peers.values()].flatMap(({ allowedIps }) => [...allowedIps.keys()]);
  const isOutside = (prefix: string) =>
    !networks.some((network) => network.covers(new IpPrefix(prefix)));
  return { peers, routes: new Set(prefixes.filter(isOutside)) };
}

/** The beginning of the file for wg-quick, which the peers follow. */
export function quickText({ addresses, listenPort, privateKey }: JoinedInterface): string {
  return [
    "# Written by wgsig join; wgsig sync keeps the peers as the registry has them.",
    "[Interface]",
    `PrivateKey = ${privateKey}`,
    ...addresses.length === 0 ? [] : [`Address = ${addresses.join(", ")}`],
    `ListenPort = ${listenPort}`,
    "",
  ].join("\n");
}

/** What has OpenWrt make the interface, and `sync` for it: lines for its shell. */
export function uciLines(
  { name, addresses, listenPort, privateKeyFile }: JoinedInterface,
): readonly string[] {
  return [
    `uci set network.${name}=interface`,
    `uci set network.${name}.proto=wireguard`,
    `uci set network.${name}.private_key="$(cat ${privateKeyFile})"`,
    `uci set network.${name}.listen_port=${listenPort}`,
    ...addresses.map((each) => `uci add_list network.${name}.addresses=${each}`),
    `uci commit network; ifup ${name}`,
    `uci set wgsig.home.enabled=1; uci set wgsig.home.interface=${name}`,
    "uci -q delete wgsig.home.server; uci commit wgsig; /etc/init.d/wgsig restart",
  ];
}

/** The commands that make the interface by hand, each as a program and its arguments. */
export function linkCommands(
  { name, addresses, listenPort, privateKeyFile }: JoinedInterface,
): readonly (readonly string[])[] {
  return [
    ["ip", "link", "add", "dev", name, "type", "wireguard"],
    ["wg", "set", name, "private-key", privateKeyFile, "listen-port", `${listenPort}`],
    ...addresses.map((each) => [
      "ip",
      addressOf(each).includes(":") ? "-6" : "-4",
      "addr",
      "add",
      each,
      "dev",
      name,
    ]),
    ["ip", "link", "set", "up", "dev", name],
  ];
}
