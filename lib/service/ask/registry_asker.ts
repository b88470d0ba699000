/**
 * Asks registries once, all at the same time from one port.
 *
 * @module
 */

import { type DatagramBatch, SLOT_SIZE } from "../../core/net/datagram_batch.ts";
import {
  Exchange,
  type ExchangeOptions,
  MAX_REQUEST_SIZE,
  type SeenPeer,
} from "../../core/ask/exchange.ts";
import { chooseOpeners } from "../../core/ask/openers.ts";
import { formatHostPort, type HostPort } from "../../core/net/host_port.ts";
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
import { AskedServer } from "./asked_server.ts";
import { LINGER, OPENER } from "./opener.ts";
import type { RegistryAnswer, RegistryOutcome } from "./registry_answer.ts";
import { portInUse, warningOf } from "./warning.ts";

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
  readonly opensTo?: ((peer: SeenPeer) => boolean) | undefined;
  /** Whether the servers are to take down the endpoint that they see. */
  readonly register: boolean;
  /** In seconds. */
  readonly timeout: number;
  /** Since when it counts: the clock that never jumps. */
  readonly startedAt: number;
}

const FIRST_RETRY = 0.5;
const LAST_RETRY = 4;
const SPACING = 0.025;
/** After so many requests that were refused, the only server there is isn't asked again. */
const MAX_REFUSED = 3;

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
  readonly #servers: AskedServer[];
  readonly #request = new WireBuffer(MAX_REQUEST_SIZE);
  readonly #timers = new Set<() => void>();
  readonly #endsAt: number;
  #register: boolean;
  readonly #notes: string[] = [];
  #ipv4: UdpSocket | undefined;
  #ipv6: UdpSocket | undefined;
  /** Sockets that are connected to one address each. */
  readonly #connected = new Map<string, UdpSocket>();
  #progress: () => void = () => {};

  constructor(
    host: Clock & Cryptography & Random & Processes & Udp & ConnectedUdp,
    config: RegistryQuestion,
    addresses: ReadonlyMap<RegistryName, readonly string[]>,
  ) {
    this.#host = host;
    this.#config = config;
    this.#register = config.register;
    this.#endsAt = config.startedAt + config.timeout;
    const nonces = new NonceSource((bytes) => host.random(bytes));
    const { primitives } = host;
    const options = { ...config, primitives, flags: config.register ? 0 : KEEP_ENDPOINT };
    this.#servers = [...addresses].map(([name, hosts]) => {
      const server = new AskedServer(name, new Exchange(options, nonces));
      for (const host of hosts) server.addAddress(host);
      return server;
    });
  }

  /** Opens the sockets that the servers' addresses need. */
  async open(): Promise<void> {
    const all = this.#servers.flatMap(({ addresses }) => addresses);
    const { through } = this.#config;
    if (through !== undefined) {
      for (const address of all) await this.#tryToConnect(address, through);
      return;
    }
    const isIpv6 = ({ host }: HostPort) => host.includes(":");
    if (!all.every(isIpv6)) this.#ipv4 = await this.#bind("0.0.0.0");
    if (all.some(isIpv6)) {
      try {
        this.#ipv6 = await this.#bind("::");
      } catch (error) {
        if (this.#ipv4 === undefined) throw error;
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
      if (!server.addresses.some((each) => each.host === host)) continue;
      if (code === "ECONNREFUSED") server.refused++;
      else server.noteProblem(host, code);
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
          const [only, ...others] = this.#servers.flatMap(({ addresses }) => addresses).filter(
            isOfIts,
          );
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
    for (const { exchange } of this.#servers) exchange.keepEndpoint();
    return await this.#bind(address, 0);
  }

  /** Asks until all have answered or the time is over. */
  ask(): Promise<void> {
    return new Promise((done) => {
      this.#progress = () => {
        const waiting = this.#servers.some((server) =>
          server.addresses.length > 0 && !server.exchange.isComplete &&
          server.refused < MAX_REFUSED
        );
        if (!waiting) done();
      };
      const left = this.#endsAt - this.#host.now().mono;
      this.#after(Math.max(left, FIRST_RETRY), done);
      // Two names may be of one C server, which would drop the second of two requests at once.
      this.#servers.forEach((server, i) => this.#after(i * SPACING, () => this.#send(server)));
    });
  }

  #send(server: AskedServer): void {
    if (server.addresses.length === 0 || server.exchange.isComplete) return;
    const to = server.address(server.attempts, this.#register);
    const size = server.exchange.writeRequest(this.#request, this.#host.now().unix);
    this.#socketTo(to)?.send(this.#request.bytes.subarray(0, size), to);
    const delay = Math.min(FIRST_RETRY * 2 ** server.attempts, LAST_RETRY);
    server.attempts++;
    this.#after(delay, () => this.#send(server));
  }

  #receive(batch: DatagramBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const length = batch.lengths[i]!;
      if (length > SLOT_SIZE) continue;
      // What one of the servers sent says nothing of where another answers from.
      const isAsked = this.#servers.some((server) => server.sent(batch, i));
      // Two names may be of one address: what comes from there answers both.
      for (const server of this.#servers) {
        if (!server.sent(batch, i)) {
          if (!isAsked) server.noteStranger(batch, i);
          continue;
        }
        const receipt = server.exchange.receive(batch.payloads, i * SLOT_SIZE, length);
        if (receipt === "accepted") server.noteAnswer(batch, i);
        if (receipt === "drop-bad-mac" || receipt === "drop-group-mismatch") server.badMac = true;
      }
    }
    this.#progress();
  }

  /** Opens the NAT towards the peers, and says what was answered. */
  async finish(): Promise<RegistryAnswer> {
    const unix = this.#host.now().unix;
    const servers = this.#servers.map((server): RegistryOutcome => {
      const peers = server.exchange.peers(unix);
      const own = this.#register ? ownEndpoint(server.exchange, peers) : undefined;
      return {
        name: server.name,
        status: server.status,
        received: server.exchange.received,
        expected: server.exchange.expected,
        address: server.answeredFrom,
        ownEndpoint: own,
        peers,
        warning: warningOf(server, this.#config, this.#register, unix) ??
          explainHidden(formatHostPort(server.name), server.answeredFrom, own),
      };
    });
    const publicKey = this.#servers[0]?.exchange.publicKey;
    if (this.#register) {
      const others = servers.flatMap(({ peers }) => peers)
        .filter((peer) => peer.publicKey !== publicKey);
      await this.#openNat(others);
    }
    return {
      servers,
      port: this.#ipv4?.port ?? this.#ipv6?.port ?? this.#config.port,
      registered: this.#register && this.#servers.some((server) => server.hasIpv4),
      notes: this.#notes,
    };
  }

  async #openNat(peers: readonly SeenPeer[]): Promise<void> {
    const { through, opensTo = () => true } = this.#config;
    const turn = Math.floor(this.#host.now().mono);
    const opened = chooseOpeners(peers.filter(opensTo), turn);
    for (const { address, port } of opened) {
      const to = { host: address, port };
      const socket = this.#socketTo(to) ??
        (through === undefined ? undefined : await this.#tryToConnect(to, through));
      socket?.send(OPENER, to);
    }
    if (opened.length > 0) await new Promise<void>((done) => this.#after(LINGER, done));
  }

  #after(seconds: number, run: () => void): void {
    const cancel = this.#host.after(seconds, () => {
      this.#timers.delete(cancel);
      run();
    });
    this.#timers.add(cancel);
  }

  /** Ends everything. */
  close(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    for (const socket of this.#connected.values()) socket.close();
    this.#ipv4?.close();
    this.#ipv6?.close();
  }
}

function ownEndpoint(exchange: Exchange, peers: readonly SeenPeer[]): HostPort | undefined {
  const own = peers.find(({ publicKey }) => publicKey === exchange.publicKey);
  return own === undefined ? undefined : { host: own.address, port: own.port };
}
