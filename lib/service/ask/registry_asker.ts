/**
 * Asks registries once, all at the same time from one port.
 *
 * @module
 */

import { type DatagramBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import { AskedRegistry } from "../../core/ask/asked_registry.ts";
import { MAX_QUESTION_SIZE } from "../../core/ask/question_writer.ts";
import { Exchange, type ExchangeOptions } from "../../core/ask/exchange.ts";
import type { OpenedEndpoint } from "../../core/ask/openers.ts";
import { RegistryMemory } from "../../core/ask/registry_memory.ts";
import type { Sighting } from "../../core/ask/sighting.ts";
import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
import { formatKey } from "../../core/net/peer_key.ts";
import { NonceSource } from "../../core/net/random.ts";
import { explainHidden } from "../../core/ask/server_network.ts";
import type { RegistryName } from "../../core/ask/server_name.ts";
import type { Clock } from "../../host/clock.ts";
import type { ConnectedUdp, Udp, UdpSocket } from "../../host/udp.ts";
import { errorCode, explain } from "../../host/error.ts";
import type { Cryptography } from "../../host/host.ts";
import type { Processes } from "../../host/processes.ts";
import type { Random } from "../../host/random.ts";
import { ENVELOPE_SIZE } from "../../wire/wgsig/envelope.ts";
import { KEEP_ENDPOINT } from "../../wire/wgsig/request.ts";
import { RESPONSE_SIZE } from "../../wire/wgsig/response.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { endpointsToOpen, LINGER, OPENER } from "./opener.ts";
import type { RegistryAnswer, RegistryOutcome } from "./registry_answer.ts";
import { keyWarning, portInUse, warningOf } from "./warning.ts";

/** A question. */
export interface RegistryQuestion extends Omit<ExchangeOptions, "flags" | "primitives"> {
  /** The UDP port to ask from; 0 lets the system choose. */
  readonly port: number;
  /** Whether another port will do, to ask without registering, when that one is in use. */
  readonly anyPort: boolean;
  /**
   * Speak through a socket for each server, with this mark: raw ones where WireGuard owns the port.
   */
  readonly through?: { readonly raw: boolean; readonly mark: number };
  /** Which peers the NAT is opened to; all where this is left out. */
  readonly opensTo?: ((peer: OpenedEndpoint & Pick<Sighting, "publicKey">) => boolean) | undefined;
  /**
   * Whether other ports of the servers are asked as well: how the own NAT maps the port. Those that speak
   * wgsig 2 are only asked then, and no NAT is opened.
   */
  readonly looksAround?: boolean | undefined;
  /** Whether the servers' rosters are asked for as well, where questions are proved. */
  readonly followsRoster?: boolean | undefined;
  /** Whether the servers are to take down the endpoint that they see. */
  readonly register: boolean;
  /** The own private key, 32 bytes, by which questions are proved; without it, nothing is. */
  readonly privateKey?: Uint8Array | undefined;
  /** The public keys that registries must have, 32 bytes each, by the registries' names. */
  readonly serverKeys?: ReadonlyMap<string, Uint8Array> | undefined;
  /** What was learnt of registries before; without it, nothing was. The keys are those of that. */
  readonly memory?: RegistryMemory | undefined;
  /** In seconds. */
  readonly timeout: number;
  /** Since when it counts: the clock that never jumps. */
  readonly startedAt: number;
}

const SPACING = 0.025;
/** However late it is, a server has so long to answer, in seconds. */
const LEAST_TIME = 0.5;

/**
 * Asks. Servers that don't answer are reported in the result, not thrown.
 *
 * @param addresses IP addresses by server.
 */
export async function askRegistries(
  host: Clock & Cryptography & Random & Processes & Udp & ConnectedUdp,
  question: RegistryQuestion,
  addresses: ReadonlyMap<RegistryName, readonly string[]>,
): Promise<RegistryAnswer> {
  const asker = new RegistryAsker(host, question, addresses);
  try {
    await asker.open();
    await asker.ask();
    return await asker.finish();
  } finally {
    asker.close();
  }
}

class RegistryAsker {
  readonly #host: Clock & Cryptography & Random & Processes & Udp & ConnectedUdp;
  readonly #config: RegistryQuestion;
  readonly #servers: AskedRegistry[];
  readonly #request = new WireBuffer(MAX_QUESTION_SIZE);
  readonly #timers = new Set<() => void>();
  /** When each server has its turn again. */
  readonly #turns = new Map<AskedRegistry, () => void>();
  readonly #endsAt: number;
  #register: boolean;
  readonly #notes: string[] = [];
  #ipv4: UdpSocket | undefined;
  #ipv6: UdpSocket | undefined;
  /** Sockets that are connected to one address each. */
  readonly #connected = new Map<string, UdpSocket>();
  /** Those that are being opened while it asks. */
  readonly #connecting = new Set<string>();
  #progress: () => void = () => {};
  #hasBegun = false;
  #isClosed = false;

  constructor(
    host: Clock & Cryptography & Random & Processes & Udp & ConnectedUdp,
    config: RegistryQuestion,
    addresses: ReadonlyMap<RegistryName, readonly string[]>,
  ) {
    this.#host = host;
    this.#config = config;
    this.#register = config.register;
    this.#endsAt = config.startedAt + config.timeout;
    const random = (bytes: Uint8Array) => host.random(bytes);
    const nonces = new NonceSource(random);
    const { primitives } = host;
    const { register, memory = new RegistryMemory({ ...config, primitives }, random) } = config;
    const options = { ...config, primitives, flags: register ? 0 : KEEP_ENDPOINT };
    this.#servers = [...addresses].map(([name, hosts]) => {
      const exchange = new Exchange(options, nonces);
      const server = new AskedRegistry(name, exchange, memory.of(name), hosts, register);
      if (config.looksAround) server.lookAround();
      if (config.followsRoster) server.followRoster();
      return server;
    });
  }

  /** Opens the sockets that the servers' addresses need. */
  async open(): Promise<void> {
    const all = this.#servers.flatMap(({ addresses }) => addresses.all);
    const { through } = this.#config;
    if (through !== undefined) {
      for (const address of all) await this.#tryToConnect(address, through);
      return;
    }
    const isIpv6 = ({ host }: HostPort) => host.includes(":");
    if (!all.every(isIpv6)) this.#ipv4 = await this.#bind("0.0.0.0");
    if (all.some(isIpv6)) {
      try {
        // Over both families, the same port is registered.
        this.#ipv6 = await this.#bind("::", this.#ipv4?.port);
      } catch (error) {
        if (this.#ipv4 === undefined) throw error;
        for (const { host } of all.filter(isIpv6)) this.#noteProblem(host, "EAFNOSUPPORT");
      }
    }
  }

  /** An address that can't be asked is one that is silent: the others go on. */
  async #tryToConnect(
    to: HostPort,
    through: NonNullable<RegistryQuestion["through"]>,
  ): Promise<UdpSocket | undefined> {
    try {
      return await this.#connect(to, through);
    } catch (error) {
      const code = errorCode(error);
      // That is of no address: such sockets are not to be had here at all.
      if (code === "EPERM" || code === "ENOSYS") throw error;
      this.#noteProblem(to.host, code);
      return undefined;
    }
  }

  /** What the system said of an address; several servers may have it. */
  #noteProblem(host: string, code: string): void {
    for (const server of this.#servers) {
      if (!server.addresses.all.some((each) => each.host === host)) continue;
      server.noteProblem(host, code, this.#host.now());
      // Another address may be asked now. Before it is asked at all, that comes of itself.
      if (this.#hasBegun) this.#turn(server);
    }
    this.#progress();
  }

  async #connect(
    to: HostPort,
    through: NonNullable<RegistryQuestion["through"]>,
  ): Promise<UdpSocket> {
    const socket = await this.#host.connectedUdp({
      port: this.#config.port,
      to,
      ...through,
      segment: RESPONSE_SIZE + (this.#config.encrypt ? ENVELOPE_SIZE : 0),
      onBatch: (batch) => this.#receive(batch),
      onSendError: (code) => this.#noteProblem(to.host, code),
    });
    this.#connected.set(formatHostPort(to), socket);
    return socket;
  }

  /** Another port of a server needs another socket, where sockets are connected. */
  async #sendElsewhere(bytes: Uint8Array, to: HostPort): Promise<void> {
    const { through } = this.#config;
    if (through === undefined) return;
    const text = formatHostPort(to);
    if (this.#connecting.has(text)) return;
    this.#connecting.add(text);
    // What can't be sent is lost.
    const socket = await this.#tryToConnect(to, through).catch(() => undefined);
    this.#connecting.delete(text);
    if (this.#isClosed) socket?.close();
    else socket?.send(bytes, to);
  }

  #socketTo(to: HostPort): UdpSocket | undefined {
    return this.#connected.get(formatHostPort(to)) ??
      (to.host.includes(":") ? this.#ipv6 : this.#ipv4);
  }

  async #bind(address: string, port: number = this.#config.port): Promise<UdpSocket> {
    try {
      return await this.#host.udp({
        address,
        port,
        onBatch: (batch) => this.#receive(batch),
        onSendError: (code, to) => {
          // What came back doesn't say whose address it was: among several it could be any.
          if (to !== undefined) return this.#noteProblem(to.host, code);
          const isOfIts = ({ host }: HostPort) => host.includes(":") === address.includes(":");
          const all = this.#servers.flatMap(({ addresses }) => addresses.all);
          const [only, ...others] = all.filter(isOfIts);
          if (only !== undefined && others.length === 0) this.#noteProblem(only.host, code);
        },
      });
    } catch (error) {
      const inUse = errorCode(error) === "EADDRINUSE" && port !== 0;
      if (inUse && this.#config.anyPort) return await this.#bindAnyPort(address, port);
      const hint = inUse
        ? "; is WireGuard using it? Then leave out --port and add --no-register"
        : "";
      throw new UserError(`cannot use UDP port ${port}: ${explain(error)}${hint}`, EXIT.failed);
    }
  }

  /** The port is in use, by WireGuard most likely: asks from another, which nobody must register. */
  async #bindAnyPort(address: string, port: number): Promise<UdpSocket> {
    if (this.#register) this.#notes.push(portInUse(port));
    this.#register = false;
    for (const server of this.#servers) server.keepEndpoint();
    return await this.#bind(address, 0);
  }

  /** Asks until all have answered or the time is over. */
  ask(): Promise<void> {
    return new Promise((done) => {
      this.#progress = () => {
        const now = this.#host.now();
        if (this.#servers.every((server) => server.isDone(now))) done();
      };
      this.#hasBegun = true;
      const now = this.#host.now();
      this.#after(Math.max(this.#endsAt - now.mono, LEAST_TIME), done);
      this.#servers.forEach((server, i) => {
        // Two names may be of one C server, which would drop the second of two requests at once.
        server.start(now.mono + i * SPACING, now);
        this.#turn(server);
      });
      this.#progress();
    });
  }

  /** Sends a server what is due. */
  #turn(server: AskedRegistry): void {
    const request = this.#request;
    for (;;) {
      const due = server.write(request, this.#host.now());
      if (due === undefined) break;
      const bytes = request.bytes.subarray(0, due.size);
      const socket = this.#socketTo(due.to);
      if (socket !== undefined) socket.send(bytes, due.to);
      else void this.#sendElsewhere(bytes.slice(), due.to);
    }
    this.#turns.get(server)?.();
    this.#turns.delete(server);
    const now = this.#host.now();
    const at = server.dueAt(now);
    if (server.isDone(now) || at === Infinity) return;
    const turn = () => {
      this.#turn(server);
      this.#progress();
    };
    this.#turns.set(server, this.#after(at - now.mono, turn));
  }

  #receive(batch: DatagramBatch): void {
    const now = this.#host.now();
    for (let i = 0; i < batch.count; i++) {
      if (batch.lengths[i]! > SLOT_SIZE) continue;
      // Two names may be of one address: what comes from there answers both.
      const from = this.#servers.filter(({ addresses }) => addresses.senderOf(batch, i));
      // What one of the servers sent says nothing of where another answers from.
      if (from.length === 0) { for (const server of this.#servers) server.noteStranger(batch, i); }
      else from.some((server) => server.receive(batch, i, now));
    }
    for (const server of this.#servers) this.#turn(server);
    this.#progress();
  }

  /** Opens the NAT towards the peers, and says what was answered. */
  async finish(): Promise<RegistryAnswer> {
    const now = this.#host.now();
    const { maxAge, looksAround = false, followsRoster = false } = this.#config;
    const servers = this.#servers.map((server): RegistryOutcome => {
      server.finish(now);
      const ownEndpoints = this.#register ? server.ownEndpoints : [];
      const { name, status, received, expected, answeredFrom: address, protocol } = server;
      const key = server.serverKey;
      return {
        name,
        status,
        received,
        expected,
        address,
        protocol,
        serverKey: key && formatKey(key),
        ownEndpoint: ownEndpoints[0],
        unsent: server.addresses.problem,
        isClosed: server.refused > 0,
        roster: followsRoster ? server.roster : undefined,
        ...(looksAround ? { sights: server.sights, relay: server.relay } : {}),
        peers: server.sightings(now, maxAge),
        warning: this.#warningOf(server, ownEndpoints[0], now.unix),
      };
    });
    if (this.#register && !looksAround) await this.#openNat(servers);
    return {
      servers,
      port: this.#ipv4?.port ?? this.#ipv6?.port ?? this.#config.port,
      registered: this.#register &&
        this.#servers.some(({ addresses, protocol }) =>
          protocol === 2 || addresses.families.includes(4)
        ),
      notes: this.#notes,
    };
  }

  #warningOf(
    server: AskedRegistry,
    own: HostPort | undefined,
    unix: number,
  ): string | undefined {
    const { privateKey, looksAround = false } = this.#config;
    const registers = this.#register && !(looksAround && server.protocol === 2);
    const why = warningOf(server, this.#config, registers, unix) ??
      explainHidden(formatHostPort(server.name), server.answeredFrom, own);
    const said = [keyWarning(server, privateKey !== undefined), why]
      .filter((each) => each !== undefined);
    return said.length === 0 ? undefined : said.join("; ");
  }

  async #openNat(outcomes: readonly RegistryOutcome[]): Promise<void> {
    const { through, opensTo } = this.#config;
    const publicKey = this.#servers[0]?.exchange.publicKey;
    const opened = endpointsToOpen(outcomes, publicKey, opensTo, this.#host.now().mono);
    for (const { address, port } of opened) {
      const to = { host: address, port };
      const socket = this.#socketTo(to) ??
        (through === undefined ? undefined : await this.#tryToConnect(to, through));
      socket?.send(OPENER, to);
    }
    if (opened.length > 0) await new Promise<void>((done) => this.#after(LINGER, done));
  }

  /** Returns what cancels it. */
  #after(seconds: number, run: () => void): () => void {
    const cancel = this.#host.after(seconds, () => {
      this.#timers.delete(cancel);
      run();
    });
    this.#timers.add(cancel);
    return () => {
      this.#timers.delete(cancel);
      cancel();
    };
  }

  /** Ends everything. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    for (const socket of this.#connected.values()) socket.close();
    this.#ipv4?.close();
    this.#ipv6?.close();
  }
}
