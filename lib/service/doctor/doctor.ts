/**
 * Finds out what `wgsig doctor` judges: each fact by itself, within 10 s in all. Nobody is spoken to
 * but the servers that are configured and the gateway, and nothing is registered or changed.
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "../../core/net/ip_address.ts";
import {
  formatServerName,
  type RegistryName,
  type ServerName,
} from "../../core/ask/server_name.ts";
import type { Fact } from "../../core/doctor/check.ts";
import {
  type DoctorFacts,
  type ListedPeer,
  type MappedFacts,
  type OwnFacts,
  type RouteFacts,
  type ServerFacts,
  valueOf,
} from "../../core/doctor/facts.ts";
import { type Device, keyOf } from "../../core/net/device.ts";
import { formatHostPort } from "../../core/net/host_port.ts";
import { formatKey } from "../../core/net/peer_key.ts";
import type { Host } from "../../host/host.ts";
import { explainLookUp } from "../../host/names.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { TsigKey } from "../../wire/dns/tsig.ts";
import { readOtherNetworks } from "../../wireguard/addresses.ts";
import { readDevice, readPrivateKey } from "../../wireguard/device.ts";
import { tryMapping } from "../portmap/try_mapping.ts";
import { askStatus } from "../status/ask.ts";
import { statusPlaces } from "../status/places.ts";
import { InterfaceLock } from "../sync/interface_lock.ts";
import { askOverFamilies, askWhereSeen, type DoctorQuestion, isPinned, tryRaw } from "./ask.ts";
import { askZone } from "./ask_zone.ts";
import { attempt } from "./attempt.ts";
import { readLinkState, readRoute, readSystem } from "./system.ts";

/** Who asks, and how. */
export interface DoctorConfig
  extends
    Pick<DoctorFacts, "settings" | "unused" | "register" | "name">,
    Pick<DoctorQuestion, "group" | "encrypt"> {
  readonly servers: readonly ServerName[];
  /** The file of the secret, and the secret, 32 bytes; undefined where no server needs one. */
  readonly secret: Fact<{ readonly path: string; readonly bytes: Uint8Array }> | undefined;
  /** By registry. */
  readonly serverKeys: Fact<ReadonlyMap<string, Uint8Array>>;
  /** By name server: the keys with which they are asked. */
  readonly tsigKeys: Fact<ReadonlyMap<string, TsigKey>>;
  /** The own public key that the settings name, 32 bytes. */
  readonly key: Fact<Uint8Array | undefined>;
  /** This host's addresses in the tunnel, with prefix lengths. */
  readonly addresses: readonly string[];
  /** The private key that they name, 32 bytes. */
  readonly privateKey: Fact<Uint8Array | undefined>;
  readonly portMap: boolean;
  readonly listed: Fact<readonly ListedPeer[]>;
  /** This program, with its version. */
  readonly wgsig: string;
}

/** Seconds for what this host tells of itself, for names, for all of what is asked, and for routers. */
const LOCAL_TIME = 2.5;
const NAME_TIME = 2;
const ANSWERS_TIME = 3.5;
const NAT_TIME = 2;
const MAPPING_TIME = 9;
/** More are not asked. */
const MAX_SERVERS = 16;

/** Finds out. */
export async function findFacts(host: Host, config: DoctorConfig): Promise<DoctorFacts> {
  const { name, register, settings, unused, listed, tsigKeys } = config;
  const mapped = config.portMap
    ? attempt(host, MAPPING_TIME, () => findMappings(host))
    : Promise.resolve(undefined);
  const system = readSystem(host, config.wgsig);
  const none = Promise.resolve({ value: undefined });
  const own = <T>(what: (name: string) => Promise<T>): Promise<Fact<T | undefined>> =>
    name === undefined ? none : attempt(host, LOCAL_TIME, () => what(name));
  const [serving, device, link, networks, isSynced, told] = await Promise.all([
    attempt(host, LOCAL_TIME, () => findServing(host)),
    own((name) => readDevice(host, name)),
    own((name) => readLinkState(host, name)),
    own((name) => readOtherNetworks(host, name)),
    own((name) => new InterfaceLock(host, name).isTaken()),
    own((name) => readPrivateKey(host, name)),
  ]);
  const about = valueOf(device);
  const [mine, question] = questionOf(config, about, valueOf(told));
  try {
    const found = await findServers(host, config, about?.mark ?? 0);
    const asked = await askAll(host, question, found, tsigKeys);
    const addresses = found.flatMap(([, { addresses }]) => valueOf(addresses) ?? []);
    const routes = Promise.all(
      addresses.slice(0, MAX_SERVERS).map((each) =>
        attempt(host, LOCAL_TIME, () => readRoute(host, each))
      ),
    );
    const raw = about === undefined || about.listenPort === 0
      ? undefined
      : await attempt(host, LOCAL_TIME, () =>
        tryRaw(host, about.listenPort, { host: "127.0.0.1", port: 9 }));
    return {
      ...{ settings, unused, register, name, listed, device, link, raw },
      tsig: "problem" in tsigKeys ? tsigKeys : { value: true },
      addresses: config.addresses,
      secret: config.secret && pathOf(config.secret),
      unix: host.now().unix,
      servers: asked,
      own: mine,
      nat: await findNat(host, question, found, asked, raw !== undefined && "value" in raw),
      mapped: await mapped,
      routes: (await routes).flatMap((each): RouteFacts[] => {
        const route = valueOf(each);
        return route === undefined ? [] : [route];
      }),
      networks: "problem" in networks ? networks : { value: networks.value ?? [] },
      isSynced: "problem" in isSynced ? isSynced : { value: isSynced.value ?? false },
      serving: valueOf(serving) ?? [],
      system: await system,
    };
  } finally {
    valueOf(told)?.fill(0);
  }
}

/** The servers that answer here. */
async function findServing(host: Host): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { kind, name, path } of await statusPlaces(host)) {
    if (kind === "serve" && await askStatus(host, path).then(() => true, () => false)) {
      names.push(name);
    }
  }
  return names;
}

function pathOf(secret: NonNullable<DoctorConfig["secret"]>): Fact<string> {
  return "problem" in secret ? secret : { value: secret.value.path };
}

/** What proves, and whether it does: the interface's own key, else the one that the settings name. */
function proofOf(
  { key, privateKey }: DoctorConfig,
  id: Uint8Array | undefined,
  told: Uint8Array | undefined,
): [Uint8Array | undefined, Fact<boolean>] {
  if (told !== undefined) return [told, { value: true }];
  if ("problem" in privateKey) return [undefined, privateKey];
  const named = valueOf(key);
  // Where a private key is named, that is its public half.
  const isOthers = privateKey.value !== undefined && named !== undefined && id !== undefined &&
    formatKey(named) !== formatKey(id);
  return isOthers
    ? [undefined, { problem: "private-key-file has the key of another interface than this one" }]
    : [privateKey.value, { value: privateKey.value !== undefined }];
}

/** Who asks registries, and with what; or why nobody can. */
function questionOf(
  config: DoctorConfig,
  device: Device | undefined,
  told: Uint8Array | undefined,
): [OwnFacts, DoctorQuestion | undefined] {
  const { secret, key, serverKeys, group, encrypt } = config;
  const id = (device && keyOf(device)) ?? valueOf(key);
  const [own, proves] = proofOf(config, id, told);
  if (secret === undefined) return [{ problem: undefined, proves }, undefined];
  const problem = "problem" in secret
    ? "the secret can't be read"
    : "problem" in serverKeys
    ? serverKeys.problem
    : id === undefined
    ? "problem" in key
      ? key.problem
      : "the own key is known by no interface, and not by the settings"
    : undefined;
  if (problem !== undefined || "problem" in secret || id === undefined) {
    return [{ problem, proves }, undefined];
  }
  return [{ problem, proves }, {
    ...{ id, group, encrypt, privateKey: own, secret: secret.value.bytes },
    serverKeys: valueOf(serverKeys),
    port: device?.listenPort ?? 0,
    mark: device?.mark ?? 0,
  }];
}

type Found = readonly [ServerName, Omit<ServerFacts, "answers" | "zone">];

async function findServers(
  host: Host,
  { servers, serverKeys }: DoctorConfig,
  mark: number,
): Promise<Found[]> {
  return await Promise.all(
    servers.slice(0, MAX_SERVERS).map(async (server): Promise<Found> => {
      const isLiteral = parseAddress(server.host, new WireBuffer(ADDRESS_SIZE), 0);
      const addresses: Fact<readonly string[]> = isLiteral
        ? { value: [server.host] }
        : await attempt(host, NAME_TIME, async () => {
          try {
            return await host.resolve(server.host, { timeout: NAME_TIME, mark });
          } catch (error) {
            throw new Error(explainLookUp(error));
          }
        });
      const pinned = server.scheme === "wgsig" && isPinned(valueOf(serverKeys), server);
      return [server, { name: formatServerName(server), isLiteral, addresses, isPinned: pinned }];
    }),
  );
}

/** Asks all registries and name servers whose addresses are known. */
async function askAll(
  host: Host,
  question: DoctorQuestion | undefined,
  found: readonly Found[],
  tsigKeys: DoctorConfig["tsigKeys"],
): Promise<ServerFacts[]> {
  return await Promise.all(found.map(async ([server, facts], turn) => {
    const addresses = valueOf(facts.addresses) ?? [];
    const none = { ...facts, answers: [], zone: undefined };
    if (addresses.length === 0) return none;
    if (server.scheme === "dns") {
      const zone = "problem" in tsigKeys
        ? { problem: "the TSIG keys can't be had" }
        : await attempt(
          host,
          ANSWERS_TIME,
          () => askZone(host, server, addresses, tsigKeys.value),
        );
      return { ...none, zone };
    }
    if (question === undefined || server.scheme !== "wgsig") return none;
    const answers = await attempt(
      host,
      ANSWERS_TIME,
      () => askOverFamilies(host, question, server, addresses, turn),
    );
    return { ...none, answers: valueOf(answers) ?? [] };
  }));
}

/** How the own port is mapped, as registries of wgsig 2 see it. */
async function findNat(
  host: Host,
  question: DoctorQuestion | undefined,
  found: readonly Found[],
  asked: readonly ServerFacts[],
  isRaw: boolean,
): Promise<DoctorFacts["nat"]> {
  if (question === undefined) return undefined;
  const seeing = new Map<RegistryName, readonly string[]>();
  found.forEach(([name, { addresses }], i) => {
    const sees = asked[i]!.answers.some(({ family, protocol }) => family === 4 && protocol === 2);
    if (name.scheme !== "wgsig" || !sees) return;
    seeing.set(name, (valueOf(addresses) ?? []).filter((each) => !each.includes(":")));
  });
  if (seeing.size === 0) return undefined;
  return valueOf(await attempt(host, NAT_TIME, () => askWhereSeen(host, question, seeing, isRaw)));
}

async function findMappings(host: Host): Promise<MappedFacts[]> {
  return (await tryMapping(host, 0)).map(({ gateway, mapping, why }) => ({
    gateway,
    mapped: mapping === undefined
      ? undefined
      : `${mapping.via} maps ports, as ${formatHostPort(mapping.endpoint)}`,
    why,
  }));
}
