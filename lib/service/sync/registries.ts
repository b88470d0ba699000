/**
 * The registries that are asked for an interface: sockets and timers around what
 * {@linkcode SyncedRegistry} decides for each. It is a little longer than a file should be because
 * whatever comes, from whichever socket, is told to all of them here.
 *
 * @module
 */

import { Exchange } from "../../core/ask/exchange.ts";
import type { OwnReach } from "../../core/ask/own_reach.ts";
import type { RegistryMemory } from "../../core/ask/registry_memory.ts";
import { formatServerName, type RegistryName } from "../../core/ask/server_name.ts";
import { besideServer, explainHidden } from "../../core/ask/server_network.ts";
import type { Sighting } from "../../core/ask/sighting.ts";
import { type DatagramBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { type Family, formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { formatKey } from "../../core/net/peer_key.ts";
import { NonceSource } from "../../core/net/random.ts";
import { isRoundOver } from "../../core/sync/asked_together.ts";
import { SyncedRegistry } from "../../core/sync/synced_registry.ts";
import { ENVELOPE_SIZE } from "../../wire/wgsig/envelope.ts";
import { KEEP_ENDPOINT } from "../../wire/wgsig/request.ts";
import { RESPONSE_SIZE } from "../../wire/wgsig/response.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { MAX_QUESTION_SIZE } from "../../core/ask/question_writer.ts";
import type { Clock } from "../../host/clock.ts";
import type { Cryptography } from "../../host/host.ts";
import type { Random } from "../../host/random.ts";
import type { ConnectedUdp, Udp } from "../../host/udp.ts";
import { endpointsToOpen, LINGER, OPENER } from "../ask/opener.ts";
import type { RegistryAnswer, RegistryOutcome } from "../ask/registry_answer.ts";
import type { RegistryQuestion } from "../ask/registry_asker.ts";
import { keyWarning, warningOf } from "../ask/warning.ts";
import { type Asker, AskerMemory } from "./asker_memory.ts";
import { KeptSockets } from "./kept_sockets.ts";
import { OwnSockets } from "./own_sockets.ts";
import { Tellings } from "./tellings.ts";

/** What of a host that takes. */
export type RegistriesHost = Clock & Cryptography & Random & Udp & ConnectedUdp;

/** How registries are asked for an interface. */
export interface RegistriesQuestion {
  /** The public keys of the peers that are wanted, in base64; the whole group where undefined. */
  readonly wants: readonly string[] | undefined;
  /** Whether to ask in the first protocol through another port as well, to compare. */
  readonly beside: boolean;
  /** Whether to be told of all peers anew, also of those that were heard and have not moved. */
  readonly anew: boolean;
  /** Whether registries are to tell of changes. */
  readonly subscribes: boolean;
  /** What this peer says of itself. */
  readonly own: OwnReach | undefined;
  /** Whether servers that are no registries have answered the last time. */
  readonly othersAnswer: boolean;
}

/** Who hears what registries tell without being asked, and knows the own private key. */
export interface RegistriesHandlers {
  /**
   * Reads the own private key, 32 bytes; undefined where it isn't to be had. They are wiped as soon as
   * the keys that are shared with registries can be made.
   */
  readPrivateKey(): Promise<Uint8Array | undefined>;
  /** Something has changed. */
  onTold(): void;
  /** Something has changed, and more than they have told. */
  onBehind(): void;
}

const NOTHING: OwnReach = {
  candidates: [],
  probes: false,
  nat: "unknown",
  relays: [],
  directs: [],
};

/** Between the questions to two registries in the first protocol, in seconds. */
const SPACING = 0.025;
/** Asks registries, and hears them in between. */
export class Registries {
  readonly #host: RegistriesHost;
  readonly #handlers: RegistriesHandlers;
  readonly #kept: KeptSockets;
  readonly #buffer = new WireBuffer(MAX_QUESTION_SIZE);
  readonly #registries = new Map<string, SyncedRegistry>();
  readonly #asker: AskerMemory;
  readonly #tellings: Tellings;
  /** What the registries are remembered in. */
  #memory: RegistryMemory | undefined;
  /** What this peer says of itself. */
  #own: OwnReach | undefined;
  /** What is done when something has come while they are being asked. */
  #progress: (() => void) | undefined;

  constructor(host: RegistriesHost, handlers: RegistriesHandlers) {
    this.#host = host;
    this.#handlers = handlers;
    this.#kept = new KeptSockets(host, {
      onBatch: (batch) => this.#receive(batch, false),
      onSendError: (code, family, to) => this.#keptError(code, family, to),
    });
    this.#asker = new AskerMemory(host, () => handlers.readPrivateKey());
    this.#tellings = new Tellings(host, (bytes, to) => this.#kept.send(bytes, to));
  }

  /** Closes what is open. */
  close(): void {
    this.#tellings.close();
    this.#kept.close();
  }

  /**
   * Asks all at the same time. Those that don't answer are reported in the result, not thrown.
   *
   * @param addresses IP addresses by registry.
   */
  async ask(
    question: RegistryQuestion,
    how: RegistriesQuestion,
    addresses: ReadonlyMap<RegistryName, readonly string[]>,
  ): Promise<RegistryAnswer> {
    const { port, register, through, encrypt } = question;
    const mark = through?.mark ?? 0;
    this.#own = how.own;
    const asked = this.#begin(question, how, addresses, await this.prepare(question));
    const own = !register ? undefined : new OwnSockets(this.#host, {
      port,
      mark,
      raw: through?.raw === true,
      segment: RESPONSE_SIZE + (encrypt ? ENVELOPE_SIZE : 0),
    }, {
      onBatch: (batch) => this.#receive(batch, true),
      onSendError: (code, to) => this.#noteProblem(code, to),
    });
    this.#kept.begin();
    try {
      for (const { registers, addresses: { all, families } } of asked) {
        for (const to of registers ? all : []) await own?.open(to);
        for (const family of families) await this.#kept.open(family, mark);
      }
      await this.#run(asked, own, how.othersAnswer);
      const now = this.#host.now();
      for (const each of asked) each.finish(now);
      const outcomes = asked.map((each) => this.#outcomeOf(each, question));
      if (own !== undefined) await this.#openNat(outcomes, question, own);
      const registered = register &&
        asked.some((each) => each.protocol === 2 || each.addresses.families.includes(4));
      // What is said of a key is said once, whatever else is to be said of its registry.
      const notes = asked.flatMap((each) => keyWarning(each, this.#asker.proves) ?? []);
      return { servers: outcomes, port, registered, notes };
    } finally {
      this.#progress = undefined;
      own?.close();
    }
  }

  /**
   * Tells those that have answered at once whom to relay: what is left to say is as it was. They push to
   * where they did before.
   *
   * @returns Whether one has answered, within a second.
   */
  tell(own: Pick<OwnReach, "relays" | "directs">): Promise<boolean> {
    this.#own = { ...this.#own ?? NOTHING, ...own };
    const now = this.#host.now();
    return this.#tellings.tell([...this.#registries.values()].flatMap((registry) => {
      const inquiry = registry.inquire(now);
      if (inquiry === undefined) return [];
      const { family } = inquiry.wish;
      const address = () => registry.addresses.toAsk(this.#host.now().mono, family);
      return { inquiry, address };
    }));
  }

  /** By the registries' names: where they say that peers are, as far as they have told. */
  sightings(): ReadonlyMap<string, readonly Sighting[]> {
    const now = this.#host.now();
    return new Map([...this.#registries].map(([name, each]) => [
      name,
      besideServer(each.sightings(now), each.answeredFrom, this.#asker.publicKey),
    ]));
  }

  /** By the registries' names: how many datagrams came to a port of our own, where that was asked. */
  besides(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#registries].flatMap(([name, { isCompared, besideReceived }]) =>
        isCompared ? [[name, besideReceived]] : []
      ),
    );
  }

  #begin(
    question: RegistryQuestion,
    how: RegistriesQuestion,
    addresses: ReadonlyMap<RegistryName, readonly string[]>,
    memory: RegistryMemory,
  ): SyncedRegistry[] {
    const { register } = question;
    const { primitives } = this.#host;
    const random = (bytes: Uint8Array) => this.#host.random(bytes);
    const nonces = new NonceSource(random);
    const newExchange = (registers: boolean) =>
      new Exchange({ ...question, primitives, flags: registers ? 0 : KEEP_ENDPOINT }, nonces);
    const names = new Set([...addresses.keys()].map(formatServerName));
    for (const name of this.#registries.keys()) if (!names.has(name)) this.#registries.delete(name);
    for (const name of addresses.keys()) {
      const text = formatServerName(name);
      if (this.#registries.has(text)) continue;
      this.#registries.set(text, new SyncedRegistry(name, memory.of(name)));
    }
    const now = this.#host.now();
    const endsAt = question.startedAt + question.timeout;
    const all = [...this.#registries.values()];
    return [...addresses].map(([name, hosts], i) => {
      const registry = this.#registries.get(formatServerName(name))!;
      registry.want(how.wants);
      if (how.anew) registry.forget();
      const othersAnswer = how.othersAnswer ||
        all.some((each) => each !== registry && !each.hasFailed);
      const asked = {
        publicKey: this.#asker.publicKey,
        newExchange,
        compares: how.beside,
        registers: register,
        subscribes: how.subscribes,
        followsRoster: question.followsRoster === true,
        own: () => this.#own,
        startsIn: i * SPACING,
        endsAt,
      };
      registry.begin(hosts, asked, othersAnswer, now);
      return registry;
    });
  }

  /**
   * Makes ready to ask: whoever borrows WireGuard's port does so before.
   *
   * @returns What is remembered of registries, as long as whoever asks them is the same.
   */
  async prepare(question: Asker): Promise<RegistryMemory> {
    const memory = await this.#asker.of(question);
    if (memory !== this.#memory) this.#registries.clear();
    this.#memory = memory;
    return memory;
  }

  /** Sends what is due, until nothing is any more. */
  #run(
    asked: readonly SyncedRegistry[],
    own: OwnSockets | undefined,
    othersAnswer: boolean,
  ): Promise<void> {
    return new Promise((done) => {
      let cancel = () => {};
      const turn = () => {
        cancel();
        const waits = asked.map((each) => this.#turn(each, own));
        const all = asked.map(({ status, hasFailed }, i) => ({
          isDone: waits[i] === undefined,
          isAnswered: status === "ok",
          hasFailed,
        }));
        const isOver = isRoundOver(all, othersAnswer);
        if (isOver) return done();
        const until = Math.min(...waits.filter((each) => each !== undefined));
        const seconds = until - this.#host.now().mono;
        cancel = this.#host.after(Math.max(0, seconds), turn);
      };
      this.#progress = turn;
      turn();
    });
  }

  /** @returns Until when to wait; undefined where nothing is to be done any more. */
  #turn(registry: SyncedRegistry, own: OwnSockets | undefined): number | undefined {
    for (;;) {
      const now = this.#host.now();
      const step = registry.next(now);
      if (step.kind === "done") return undefined;
      if (step.kind === "wait") return step.until;
      const { isOwn, family = own === undefined ? undefined : 4 } = step;
      const to = registry.addresses.toAsk(now.mono, family, step.port);
      const size = step.write(this.#buffer, now);
      const bytes = this.#buffer.bytes.subarray(0, size);
      if (isOwn) own?.openAndSend(bytes, to);
      else this.#kept.send(bytes, to);
    }
  }

  #receive(batch: DatagramBatch, isOwn: boolean): void {
    const now = this.#host.now();
    const all = [...this.#registries.values()];
    for (let i = 0; i < batch.count; i++) {
      if (batch.lengths[i]! > SLOT_SIZE) continue;
      // Two names may be of one address: what comes from there answers both.
      const from = all.filter(({ addresses }) => addresses.senderOf(batch, i) !== undefined);
      // What one of them sent says nothing of where another answers from.
      if (from.length === 0) { for (const each of all) each.noteStranger(batch, i); }
      else from.some((each) => each.receive(batch, i, isOwn, now));
    }
    this.#tellings.progress();
    if (this.#progress !== undefined) return this.#progress();
    if (all.some((each) => each.isBehind)) this.#handlers.onBehind();
    if (all.filter((each) => each.takeTold()).length > 0) this.#handlers.onTold();
  }

  /** What the system said of an address; several registries may have it. */
  #noteProblem(code: string, to: HostPort | undefined): void {
    const now = this.#host.now();
    for (const each of this.#registries.values()) {
      const { all } = each.addresses;
      // What came back doesn't say whose address it was: among several it could be any.
      const only = this.#registries.size === 1 && all.length === 1 ? all[0] : undefined;
      const { host, port } = to ?? only ?? { host: "", port: 0 };
      if (all.some((one) => one.host === host && one.port === port)) {
        each.noteProblem(host, code, now);
      }
    }
    this.#progress?.();
  }

  #keptError(code: string, family: Family, to: HostPort | undefined): void {
    if (to !== undefined || code === "ECONNREFUSED") return this.#noteProblem(code, to);
    const now = this.#host.now();
    for (const each of this.#registries.values()) each.noteNoSocket(family, code, now);
    this.#progress?.();
  }

  #outcomeOf(registry: SyncedRegistry, question: RegistryQuestion): RegistryOutcome {
    const { name, status, received, expected, answeredFrom: address, protocol } = registry;
    const { serverKey: key, relay, also, roundTrip, ownEndpoints: [first, second] } = registry;
    const now = this.#host.now();
    const warning = warningOf(registry, question, registry.registers, now.unix) ??
      explainHidden(formatHostPort(name), address, first);
    return {
      name,
      status,
      received,
      expected,
      address,
      protocol,
      serverKey: key && formatKey(key),
      ownEndpoint: first,
      ownIpv6: second,
      relay,
      also,
      roundTrip,
      mapping: registry.mapping.seen,
      roster: question.followsRoster === true ? registry.roster : undefined,
      peers: registry.sightings(now),
      warning,
    };
  }

  /** Lets peers in through the own NAT. */
  async #openNat(
    outcomes: readonly RegistryOutcome[],
    { opensTo }: RegistryQuestion,
    own: OwnSockets,
  ): Promise<void> {
    const { mono } = this.#host.now();
    const opened = endpointsToOpen(outcomes, this.#asker.publicKey, opensTo, mono);
    for (const { address: host, port } of opened) {
      const to = { host, port };
      if (await own.open(to)) own.send(OPENER, to);
    }
    if (opened.length > 0) await new Promise<void>((done) => void this.#host.after(LINGER, done));
  }
}
