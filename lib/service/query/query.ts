/**
 * Asks servers once, all at the same time, and merges what they say. What asks servers of a kind is
 * loaded where there is one: a router has no memory for the others.
 *
 * @module
 */

import { formatKey } from "../../core/net/peer_key.ts";
import {
  formatServerName,
  type PunchServerName,
  type RegistryName,
  type ServerName,
} from "../../core/ask/server_name.ts";
import { besideServer } from "../../core/ask/server_network.ts";
import { mergeSightings } from "../../core/query/merged_sightings.ts";
import type { ServerClocks } from "../../core/zone/client/server_clocks.ts";
import type { QueryResult, ServerStatus } from "../../core/query/query_result.ts";
import type { Sighting } from "../../core/ask/sighting.ts";
import { EXIT, type ExitStatus } from "../../core/settings/user_error.ts";
import type { Clock } from "../../host/clock.ts";
import type { Names } from "../../host/names.ts";
import type { Cryptography } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import type { Random } from "../../host/random.ts";
import type { TcpConnecting } from "../../host/tcp.ts";
import type { ConnectedUdp, Udp } from "../../host/udp.ts";
import type { PunchQuestion } from "../punch/asker.ts";
import type { RegistryAnswer } from "../ask/registry_answer.ts";
import type { RegistryQuestion } from "../ask/registry_asker.ts";
import { inWords } from "../log/in_words.ts";
import { ServerNames } from "../ask/server_addresses.ts";
import type { ServerReply } from "../ask/server_reply.ts";
import type { TsigKey } from "../../wire/dns/tsig.ts";
import type { ServersAside } from "./aside.ts";

/** Which peer is where. */
type Where = Pick<Sighting, "publicKey" | "address" | "port" | "probes">;

/** A question. */
export interface QueryConfig
  extends Omit<RegistryQuestion, "id" | "secret" | "startedAt" | "opensTo"> {
  readonly servers: readonly ServerName[];
  /** Which peers the NAT is opened to; all where this is left out. */
  readonly opensTo?: ((peer: Where) => boolean) | undefined;
  /** The own public key, 32 bytes; registries need it. */
  readonly id: Uint8Array | undefined;
  /** The group secret, 32 bytes; registries need it. */
  readonly secret: Uint8Array | undefined;
  /** The public keys that zones are asked for, in base64; all where this is left out. */
  readonly keys?: readonly string[] | undefined;
  /** Of name servers, by their names: the keys for TSIG; what isn't signed with one is not believed. */
  readonly tsigKeys?: ReadonlyMap<string, TsigKey> | undefined;
  /** The public keys of the peers that are known, in base64: who only answers for those is asked. */
  readonly known: readonly string[];
  /** What is known of servers' names from questions before; nothing where this is left out. */
  readonly names?: ServerNames | undefined;
  /** What is known of name servers' clocks; nothing where this is left out. */
  readonly clocks?: ServerClocks | undefined;
  /** How it stands with servers that are no registries; where this is left out, all are waited for. */
  readonly aside?: ServersAside | undefined;
  /** What asks registries; it is done here and now where this is left out. */
  readonly askRegistries?: RegistriesAsker | undefined;
}

/** Asks registries, whose IP addresses are given. */
export type RegistriesAsker = (
  question: RegistryQuestion,
  addresses: ReadonlyMap<RegistryName, readonly string[]>,
) => Promise<RegistryAnswer>;

/** A server that is dead, and has to be waited for, has so long, in seconds. */
const BRIEF = 1;

const NO_REGISTRY: RegistryAnswer = { servers: [], port: 0, registered: false, notes: [] };

/** Asks. Servers that don't answer are reported in the result, not thrown. */
export async function query(
  host: Clock & Cryptography & Random & Processes & Names & Udp & ConnectedUdp & TcpConnecting,
  config: QueryConfig,
): Promise<QueryResult> {
  const { servers, id, secret } = config;
  const startedAt = host.now().mono;
  const names = config.names ?? new ServerNames(host);
  const found = await names.find(unique(servers), config.timeout, config.through?.mark ?? 0);
  const registries = new Map<RegistryName, readonly string[]>();
  const punches: (readonly [PunchServerName, readonly string[]])[] = [];
  const zones: (() => Promise<ServerReply>)[] = [];
  for (const [server, addresses] of found) {
    if (server.scheme === "wgsig") registries.set(server, addresses);
    else if (server.scheme === "punch") punches.push([server, addresses]);
    else {
      const question = { ...config, startedAt };
      const ask = async () => {
        const { askZoneServer } = await import("../zone/client/server.ts");
        return await askZoneServer(host, server, addresses, question);
      };
      zones.push(() => patiently(config, server, () => alone(server, ask()), true));
    }
  }
  const asksRegistries = registries.size > 0 && id !== undefined && secret !== undefined;
  const ask: RegistriesAsker = config.askRegistries ??
    (async (question, addresses) => {
      const { askRegistries } = await import("../ask/registry_asker.ts");
      return await askRegistries(host, question, addresses);
    });
  const [registry, ...zoneWords] = await Promise.all([
    asksRegistries ? ask({ ...config, id, secret, startedAt }, registries) : NO_REGISTRY,
    ...zones.map((ask) => ask()),
  ]);
  const replies: ServerReply[] = [
    ...registry.servers.map((
      {
        name,
        status,
        received,
        expected,
        address,
        ownEndpoint,
        ownIpv6,
        relay,
        also,
        mapping,
        roundTrip,
        sights,
        protocol,
        serverKey,
        roster,
        ...said
      },
    ) => ({
      outcome: {
        server: formatServerName(name),
        status,
        received,
        expected,
        ownEndpoint,
        ownIpv6,
        relay,
        also,
        mapping,
        roundTrip,
        sights,
        protocol,
        serverKey,
        roster,
        address,
      },
      peers: besideServer(said.peers, address, id && formatKey(id)),
      warning: said.warning,
    })),
    ...zoneWords,
  ];
  // These speak from the same port, which only one socket can have.
  const question = punchQuestion(config, startedAt);
  for (const [server, addresses] of punches) {
    const ask = async (isBrief: boolean) => {
      const { askPunchServer } = await import("../punch/server.ts");
      const endsAt = isBrief ? Math.min(question.endsAt, host.now().mono + BRIEF) : question.endsAt;
      return await askPunchServer(host, server, addresses, { ...question, endsAt });
    };
    const asking = (isBrief: boolean) => alone(server, ask(isBrief));
    replies.push(await patiently(config, server, asking, false));
  }
  const result = merge(host, config, registry, replies);
  config.aside?.take(result.servers);
  return result;
}

/** One that is dead is asked aside, where somebody remembers that. */
async function patiently(
  { aside }: QueryConfig,
  server: ServerName,
  ask: (isBrief: boolean) => Promise<ServerReply>,
  mayGoOn: boolean,
): Promise<ServerReply> {
  return await (aside?.ask(formatServerName(server), { ask, mayGoOn }) ?? ask(false));
}

/** A server that is named twice is one. */
function unique(servers: readonly ServerName[]): readonly ServerName[] {
  return [...new Map(servers.map((server) => [formatServerName(server), server])).values()];
}

/** A server that can't be asked is one that doesn't answer: the others are asked all the same. */
async function alone(name: ServerName, asking: Promise<ServerReply>): Promise<ServerReply> {
  try {
    return await asking;
  } catch (error) {
    const server = formatServerName(name);
    return {
      outcome: {
        server,
        status: "no-answer",
        received: undefined,
        expected: undefined,
        ownEndpoint: undefined,
      },
      peers: [],
      warning: `cannot ask ${server}: ${inWords(error)}`,
    };
  }
}

function punchQuestion(
  { id, port, anyPort, register, known, timeout, through, opensTo }: QueryConfig,
  startedAt: number,
): PunchQuestion {
  return {
    // To ask by the own key is to register the port that is asked from.
    id: register ? id : undefined,
    keys: known,
    port,
    anyPort,
    through: through ?? { raw: false, mark: 0 },
    opensTo,
    endsAt: startedAt + timeout,
  };
}

function merge(
  host: Clock,
  { servers, id, maxAge }: QueryConfig,
  { port, registered, notes }: RegistryAnswer,
  replies: readonly ServerReply[],
): QueryResult {
  const { unix } = host.now();
  const sightings = mergeSightings(
    replies.flatMap(({ peers, outcome: { server } }) => peers.map((each) => ({ ...each, server }))),
    replies.map(({ outcome }) => outcome),
    { unix, maxAge },
  );
  const named = servers.map(formatServerName);
  const outcomes = replies.map(({ outcome, warning }) => ({ ...outcome, warning }))
    .toSorted((a, b) => named.indexOf(a.server) - named.indexOf(b.server));
  return {
    servers: outcomes,
    publicKey: id && formatKey(id),
    port,
    registered,
    peers: [...sightings.values()].map(([newest]) => newest!),
    sightings,
    unix,
    status: statusOf(outcomes.map(({ status }) => status)),
    notes,
    // That the port is in use is said of each server that could not register it.
    warnings: [...new Set([...notes, ...replies.flatMap(({ warning }) => warning ?? [])])],
  };
}

/** Who answered, and has nothing of use. */
const SAID_NO: ReadonlySet<ServerStatus> = new Set(["refused", "no-zone", "no-endpoints"]);

/** One whole answer is enough. */
function statusOf(statuses: readonly ServerStatus[]): ExitStatus {
  if (statuses.includes("ok")) return EXIT.ok;
  if (statuses.some((status) => status === "not-authenticated" || status === "wrong-key")) {
    return EXIT.notAuthenticated;
  }
  return statuses.some((status) => SAID_NO.has(status)) ? EXIT.failed : EXIT.timedOut;
}
