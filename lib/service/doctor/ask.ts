/**
 * Asks registries for `wgsig doctor`: over each family of addresses by itself, and then from one port
 * at several of theirs, to see how a NAT maps it. Nothing is registered.
 *
 * @module
 */

import { RegistryMemory } from "../../core/ask/registry_memory.ts";
import { formatServerName, type RegistryName } from "../../core/ask/server_name.ts";
import type { AnswerFacts, NatFacts } from "../../core/doctor/facts.ts";
import { type Family, familyOf, type HostPort } from "../../core/net/host_port.ts";
import type { Clock } from "../../host/clock.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Cryptography } from "../../host/host.ts";
import type { LocalAddresses } from "../../host/names.ts";
import type { Processes } from "../../host/processes.ts";
import type { Random } from "../../host/random.ts";
import type { ConnectedUdp, Udp, UdpHandlers, UdpSocket } from "../../host/udp.ts";
import { askRegistries, type RegistryQuestion } from "../ask/registry_asker.ts";
import { inWords } from "../log/in_words.ts";

/** What asking needs. */
export type AskingHost =
  & Clock
  & Cryptography
  & Random
  & Processes
  & Udp
  & ConnectedUdp
  & LocalAddresses;

/** How registries are asked. */
export interface DoctorQuestion extends
  Pick<
    RegistryQuestion,
    "id" | "secret" | "group" | "encrypt" | "privateKey" | "serverKeys"
  > {
  /** WireGuard's port; 0 where it has none. */
  readonly port: number;
  /** That of its datagrams; 0 is none. */
  readonly mark: number;
}

/** So long a server has to answer, in seconds. */
export const ANSWER_TIME = 2.5;
/** So long a registry has to show the mapping, in seconds. */
const NAT_TIME = 1.5;
/** Two questions of one peer to one registry don't come at the same moment, in seconds. */
const SPACING = 0.05;
const WITHOUT_TELLING = { maxAge: 1, register: false, opensTo: () => false } as const;

/** Asks one registry over its IPv4 and its IPv6 addresses. @param turn How many are asked before. */
export async function askOverFamilies(
  host: AskingHost,
  question: DoctorQuestion,
  name: RegistryName,
  addresses: readonly string[],
  turn: number,
): Promise<AnswerFacts[]> {
  const families = ([4, 6] as const).filter((family) =>
    addresses.some((each) => familyOf({ host: each }) === family)
  );
  return await Promise.all(families.map(async (family, i) => {
    await new Promise<void>((done) => host.after(SPACING * (2 * turn + i), done));
    const its = addresses.filter((each) => familyOf({ host: each }) === family);
    try {
      return await askOver(host, question, name, family, its);
    } catch (error) {
      return silent(family, inWords(error), errorCode(error));
    }
  }));
}

function silent(family: Family, warning: string, unsent: string): AnswerFacts {
  return {
    family,
    status: "no-answer",
    protocol: undefined,
    roundTrip: undefined,
    serverKey: undefined,
    ahead: 0,
    unsent,
    isClosed: false,
    warning,
  };
}

async function askOver(
  host: AskingHost,
  question: DoctorQuestion,
  name: RegistryName,
  family: Family,
  addresses: readonly string[],
): Promise<AnswerFacts> {
  const memory = memoryOf(host, question);
  const stopwatch = new Stopwatch(host);
  const { servers: [outcome] } = await askRegistries(
    stopwatch.host,
    {
      ...question,
      ...WITHOUT_TELLING,
      memory,
      port: 0,
      anyPort: true,
      ...(question.mark === 0 ? {} : { through: { raw: false, mark: question.mark } }),
      timeout: ANSWER_TIME,
      startedAt: host.now().mono,
    },
    new Map([[name, addresses]]),
  );
  if (outcome === undefined) return silent(family, "it was not asked", "");
  const { status, protocol, serverKey, unsent, isClosed = false, warning } = outcome;
  const { ahead } = memory.of(name).conversation.labels;
  const { roundTrip } = stopwatch;
  return {
    ...{ family, status, protocol, serverKey, unsent, isClosed, warning },
    // A registry of the first protocol doesn't tell its time.
    ahead: protocol === 1 ? 0 : ahead,
    roundTrip: protocol === undefined ? undefined : roundTrip,
  };
}

function memoryOf(host: AskingHost, question: DoctorQuestion): RegistryMemory {
  return new RegistryMemory(
    { ...question, primitives: host.primitives },
    (bytes) => host.random(bytes),
  );
}

/**
 * Asks from one port, WireGuard's where raw sockets are permitted, where that is seen: by each registry,
 * and by its other ports, if it tells of any.
 *
 * @param registries With their IPv4 addresses.
 * @param isRaw Whether they are.
 */
export async function askWhereSeen(
  host: AskingHost,
  question: DoctorQuestion,
  registries: ReadonlyMap<RegistryName, readonly string[]>,
  isRaw: boolean,
): Promise<NatFacts> {
  const isWireGuards = isRaw && question.port !== 0;
  const { mark } = question;
  const through = isWireGuards || mark !== 0 ? { through: { raw: isWireGuards, mark } } : {};
  const { servers, port } = await askRegistries(
    host,
    {
      ...question,
      ...WITHOUT_TELLING,
      ...through,
      looksAround: true,
      // A mark alone has a socket for each server, which must all have one port.
      port: isWireGuards ? question.port : mark === 0 ? 0 : freePort(host),
      anyPort: !isWireGuards,
      timeout: NAT_TIME,
      startedAt: host.now().mono,
    },
    registries,
  );
  const seen = servers.flatMap(({ sights = [] }) => sights)
    .filter(({ registry }) => familyOf(registry) === 4)
    .toSorted((a, b) => a.askedAt - b.askedAt)
    .map(({ seen }) => seen);
  return { port, isWireGuards, seen, localAddresses: host.localAddresses() };
}

/** RFC 6335, section 6: those that nobody registers. */
const FIRST_FREE_PORT = 0xc000;

function freePort(host: Random): number {
  const bytes = new Uint8Array(2);
  host.random(bytes);
  return FIRST_FREE_PORT + (bytes[0]! << 8 | bytes[1]!) % (0x10000 - FIRST_FREE_PORT);
}

/** Whether WireGuard's port can be spoken from by a raw socket; fails with why it can't. */
export async function tryRaw(host: ConnectedUdp, port: number, to: HostPort): Promise<true> {
  try {
    const socket = await host.connectedUdp({
      port,
      raw: true,
      to,
      mark: 0,
      onBatch: () => {},
      onSendError: () => {},
    });
    socket.close();
    return true;
  } catch (error) {
    throw new Error(explain(error));
  }
}

/** Measures the time from what is sent to the first word that comes. */
class Stopwatch {
  /** In seconds; undefined where nothing came. */
  roundTrip: number | undefined;
  /** The same host with a watch on its sockets. */
  readonly host: Omit<AskingHost, keyof LocalAddresses>;
  #sentAt = 0;

  constructor(host: AskingHost) {
    this.host = {
      primitives: host.primitives,
      now: () => host.now(),
      after: (seconds, run) => host.after(seconds, run),
      random: (bytes) => host.random(bytes),
      run: (argv, options) => host.run(argv, options),
      udp: async (options) => this.#watch(host, await host.udp(this.#heard(host, options))),
      connectedUdp: async (options) =>
        this.#watch(host, await host.connectedUdp(this.#heard(host, options))),
    };
  }

  #heard<T extends UdpHandlers>(host: Clock, options: T): T {
    return {
      ...options,
      onBatch: (batch, replies) => {
        this.roundTrip ??= host.now().mono - this.#sentAt;
        options.onBatch(batch, replies);
      },
    };
  }

  #watch(host: Clock, socket: UdpSocket): UdpSocket {
    return {
      port: socket.port,
      send: (bytes, to) => {
        this.#sentAt = host.now().mono;
        socket.send(bytes, to);
      },
      close: () => socket.close(),
    };
  }
}

/** The names of registries with what `server-key` names for them. */
export function isPinned(
  serverKeys: ReadonlyMap<string, Uint8Array> | undefined,
  name: RegistryName,
): boolean {
  return serverKeys?.has(formatServerName(name)) ?? false;
}
