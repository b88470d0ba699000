/**
 * What `wgsig doctor` finds out, before anything is judged.
 *
 * @module
 */

import type { RegistryStatus } from "../ask/asked_registry.ts";
import type { ServerStatus } from "../query/query_result.ts";
import type { Device } from "../net/device.ts";
import type { Family, HostPort } from "../net/host_port.ts";
import type { Fact } from "./check.ts";

/** How one registry has answered over one family of addresses. */
export interface AnswerFacts {
  readonly family: Family;
  readonly status: RegistryStatus;
  /** Which protocol it speaks. */
  readonly protocol: 1 | 2 | undefined;
  /** From a question to the first word on it, in seconds. */
  readonly roundTrip: number | undefined;
  /** Its public key in base64; of wgsig 2. */
  readonly serverKey: string | undefined;
  /** By how many seconds its clock is ahead of this host's, as far as it matters; of wgsig 2. */
  readonly ahead: number;
  /** The system's word where nothing could be sent to it, such as `ENETUNREACH`. */
  readonly unsent: string | undefined;
  /** Whether the other host has said that nothing listens at that port. */
  readonly isClosed: boolean;
  /** What is said of it elsewhere. */
  readonly warning: string | undefined;
}

/** What a name server has answered. */
export interface ZoneFacts {
  /** The zone that it was asked for. */
  readonly zone: string;
  readonly status: ServerStatus;
  /** How many peers it has told of, with where they are. */
  readonly peers: number;
  /** The name of the TSIG key with which it was asked: nothing was taken that isn't signed with that. */
  readonly key: string | undefined;
  /** What is said of it elsewhere. */
  readonly warning: string | undefined;
}

/** A server that is configured. */
export interface ServerFacts {
  /** As it is named. */
  readonly name: string;
  /** Whether its host is an IP address. */
  readonly isLiteral: boolean;
  /** IP addresses. */
  readonly addresses: Fact<readonly string[]>;
  /** Whether `server-key` names its key. */
  readonly isPinned: boolean;
  /** Of a registry that was asked. */
  readonly answers: readonly AnswerFacts[];
  /** Of a name server that was asked. */
  readonly zone: Fact<ZoneFacts> | undefined;
}

/** Who this host is to registries. */
export interface OwnFacts {
  /** Why they can't be asked. */
  readonly problem: string | undefined;
  /** Whether the private key is at hand, which proves; or why it isn't. */
  readonly proves: Fact<boolean>;
}

/** How a port was seen. */
export interface NatFacts {
  /** The port that was asked from. */
  readonly port: number;
  /** Whether that is WireGuard's. */
  readonly isWireGuards: boolean;
  /** Over IPv4, in the order in which registries were asked. */
  readonly seen: readonly HostPort[];
  /** The addresses of this host. */
  readonly localAddresses: readonly string[];
}

/** What came of mapping a port at a gateway. */
export interface MappedFacts {
  /** IP address. */
  readonly gateway: string;
  /** By what, and where others reach it. */
  readonly mapped: string | undefined;
  readonly why: string | undefined;
}

/** An interface as `ip link` has it. */
export interface LinkFacts {
  readonly isUp: boolean;
  /** In bytes. */
  readonly mtu: number;
}

/** The way to a server. */
export interface RouteFacts {
  readonly address: string;
  /** The interface that it leads through. */
  readonly device: string;
  /** The MTU of that, in bytes. */
  readonly mtu: number | undefined;
}

/** A peer that the settings name. */
export interface ListedPeer {
  readonly name: string | undefined;
  /** In base64. */
  readonly publicKey: string;
  readonly allowedIps: readonly string[];
  /** Seconds. */
  readonly persistentKeepalive: number | undefined;
}

/** What the host says of itself; undefined is what it doesn't tell. */
export interface SystemFacts {
  /** The effective capabilities of this process, a sum of powers of two. */
  readonly capabilities: bigint | undefined;
  /** Whether it forwards, by family. */
  readonly forwards: Readonly<Record<Family, boolean | undefined>>;
  /** The ports that the system hands out, the lowest and the highest. */
  readonly portRange: readonly [number, number] | undefined;
  /** What `nft list ruleset` prints, */
  readonly nft: string | undefined;
  /** and `iptables -S` and `ip6tables -S`. */
  readonly iptables: readonly string[];
  /** What `wg --version` prints. */
  readonly wg: Fact<string>;
  readonly kernel: string | undefined;
  /** This program. */
  readonly wgsig: string;
}

/** All that was found out. */
export interface DoctorFacts {
  /** The settings file; undefined where there is none. */
  readonly settings: Fact<string | undefined>;
  /** What else is to be said of the settings. */
  readonly unused: string | undefined;
  /** The file of the secret; undefined where no server needs one. */
  readonly secret: Fact<string> | undefined;
  /** Unix seconds. */
  readonly unix: number;
  readonly servers: readonly ServerFacts[];
  readonly own: OwnFacts;
  /** Whether the TSIG keys with which name servers are asked are to be had. */
  readonly tsig: Fact<true>;
  /** Whether raw sockets are to be had, or the code with which they are refused. */
  readonly raw: Fact<true> | undefined;
  /** The setting. */
  readonly register: "auto" | "raw" | "borrow" | "tunnel" | "none";
  readonly nat: NatFacts | undefined;
  /** Undefined where that is off. */
  readonly mapped: Fact<readonly MappedFacts[]> | undefined;
  /** The WireGuard interface; undefined where none is named. */
  readonly name: string | undefined;
  readonly device: Fact<Device | undefined>;
  readonly link: Fact<LinkFacts | undefined>;
  /** The ways to the servers. */
  readonly routes: readonly RouteFacts[];
  /** Networks of this host's other interfaces, and gateways, as prefixes. */
  readonly networks: Fact<readonly string[]>;
  /** This host's own addresses in the tunnel, as the settings have them, with prefix lengths. */
  readonly addresses: readonly string[];
  /** What the settings say of peers, this host perhaps among them. */
  readonly listed: Fact<readonly ListedPeer[]>;
  /** Whether a `sync` runs for the interface. */
  readonly isSynced: Fact<boolean>;
  /** The servers that run here, as `wgsig status` names them. */
  readonly serving: readonly string[];
  readonly system: SystemFacts;
}

/** What was found out; undefined where nothing was. */
export function valueOf<T>(fact: Fact<T>): T | undefined {
  return "value" in fact ? fact.value : undefined;
}
