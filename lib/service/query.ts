/**
 * Asks registries once, all at the same time from one port, and merges what they say.
 *
 * @module
 */

import type { DatagramBatch } from "../core/datagram_batch.ts";
import { SLOT_SIZE } from "../core/datagram_batch.ts";
import {
  Exchange,
  type ExchangeOptions,
  MAX_REQUEST_SIZE,
  type SeenPeer,
} from "../core/exchange.ts";
import { formatHostPort, type HostPort } from "../core/host_port.ts";
import { ADDRESS_SIZE, parseAddress } from "../core/ip_address.ts";
import { NonceSource } from "../core/nonce_source.ts";
import { codedError, errorCode, explain, type Host, type UdpSocket } from "../host/host.ts";
import { KEEP_ENDPOINT } from "../wire/request.ts";
import { compareLabels } from "../wire/tai64n.ts";
import { WireBuffer } from "../wire/wire_buffer.ts";
import { EXIT, type ExitStatus, UserError } from "../core/user_error.ts";
import { AskedServer, type ServerStatus } from "./asked_server.ts";

/** A question. */
export interface QueryConfig extends Omit<ExchangeOptions, "flags"> {
  readonly servers: readonly HostPort[];
  /** The UDP port to ask from; 0 lets the system choose. */
  readonly port: number;
  /** Whether another port will do, to ask without registering, when that one is in use. */
  readonly anyPort: boolean;
  /**
   * Speak through a socket for each server, with this mark: raw ones where WireGuard owns the port.
   */
  readonly through?: { readonly raw: boolean; readonly mark: number };
  /** Which peers the NAT is opened to; all where this is left out. */
  readonly opensTo?: (peer: SeenPeer) => boolean;
  /** Whether the servers are to take down the endpoint that they see. */
  readonly register: boolean;
  /** In seconds. */
  readonly timeout: number;
}

/** What one server did. */
export interface ServerOutcome {
  /** The server as it was named. */
  readonly server: string;
  readonly status: ServerStatus;
  /** Datagrams received of those that its answer has. */
  readonly received: number;
  readonly expected: number | undefined;
  /** Where it saw the socket that asked, if that was registered. */
  readonly ownEndpoint: HostPort | undefined;
}

/** What all servers said. */
export interface QueryResult {
  readonly servers: readonly ServerOutcome[];
  /** The own public key in base64. */
  readonly publicKey: string;
  /** The port that was asked from. */
  readonly port: number;
  /** Whether the servers were asked to take down the endpoint of that port. */
  readonly registered: boolean;
  /** All peers that are not stale, the own record among them, in the order in which they came. */
  readonly peers: readonly SeenPeer[];
  /** By public key: every endpoint that some server knows, the newest first. */
  readonly sightings: ReadonlyMap<string, readonly SeenPeer[]>;
  /** The wall clock at the end, in seconds. */
  readonly unix: number;
  /** How a command that asked this ends. */
  readonly status: ExitStatus;
  /** What a person should know, a line each. */
  readonly warnings: readonly string[];
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 4000;
const SPACING_MS = 25;
/** After so many requests that were refused, the only server there is isn't asked again. */
const MAX_REFUSED = 3;
/** What timers can count to. */
const LONGEST_TIMER_MS = 0x7fff_ffff;
/** What opens a NAT: WireGuard takes no notice of anything so short. */
const OPENER = new Uint8Array(8);
const MAX_OPENERS = 1000;
/** Gives the system time to take what was sent before the socket closes. */
const LINGER_MS = 10;

/** Asks. Servers that don't answer are reported in the result, not thrown. */
export async function query(host: Host, config: QueryConfig): Promise<QueryResult> {
  const asker = new Asker(host, config);
  try {
    await asker.resolve();
    await asker.open();
    await asker.ask();
    return await asker.finish();
  } finally {
    asker.close();
  }
}

class Asker {
  readonly #host: Host;
  readonly #config: QueryConfig;
  readonly #servers: AskedServer[];
  readonly #request = new WireBuffer(MAX_REQUEST_SIZE);
  readonly #timers = new Set<() => void>();
  readonly #timeout: number;
  readonly #startedAt: number;
  #register: boolean;
  readonly #notes: string[] = [];
  #ipv4: UdpSocket | undefined;
  #ipv6: UdpSocket | undefined;
  /** Sockets that are connected to one address each. */
  readonly #connected = new Map<string, UdpSocket>();
  #progress: () => void = () => {};

  constructor(host: Host, config: QueryConfig) {
    this.#host = host;
    this.#config = config;
    this.#register = config.register;
    this.#timeout = Math.min(config.timeout * 1000, LONGEST_TIMER_MS);
    this.#startedAt = host.mono();
    const nonces = new NonceSource((bytes) => host.random(bytes));
    const options = { ...config, flags: config.register ? 0 : KEEP_ENDPOINT };
    this.#servers = config.servers.map((name) =>
      new AskedServer(name, new Exchange(options, nonces))
    );
  }

  /** Looks the servers' names up. */
  async resolve(): Promise<void> {
    let problem = "";
    await Promise.all(this.#servers.map(async (server) => {
      const { host } = server.name;
      try {
        const literal = parseAddress(host, new WireBuffer(ADDRESS_SIZE), 0);
        const found = literal ? [host] : await this.#lookUp(host);
        for (const address of found) server.addAddress(address);
      } catch (error) {
        problem = `cannot find server ${formatHostPort(server.name)}: ${explain(error)}` +
          "; check the name and this host's DNS";
      }
    }));
    if (this.#servers.every(({ addresses }) => addresses.length === 0)) {
      throw new UserError(problem, EXIT.hostNotFound);
    }
  }

  /** A name server that is silent must not take longer than the whole question may. */
  async #lookUp(name: string): Promise<string[]> {
    let late = () => {};
    const timer = new Promise<never>((_, reject) => {
      late = this.#host.timer(
        this.#timeout,
        () => reject(codedError("ETIMEDOUT")),
      );
    });
    try {
      return await Promise.race([this.#host.resolve(name), timer]);
    } finally {
      late();
    }
  }

  /** Opens the sockets that the servers' addresses need. */
  async open(): Promise<void> {
    const all = this.#servers.flatMap(({ addresses }) => addresses);
    const { through } = this.#config;
    if (through !== undefined) {
      for (const address of all) await this.#connect(address, through);
      return;
    }
    const isIpv6 = ({ host }: HostPort) => host.includes(":");
    if (all.some((address) => !isIpv6(address))) this.#ipv4 = await this.#bind("0.0.0.0");
    if (all.some(isIpv6)) {
      try {
        this.#ipv6 = await this.#bind("::");
      } catch (error) {
        if (this.#ipv4 === undefined) throw error;
      }
    }
  }

  async #connect(
    to: HostPort,
    through: NonNullable<QueryConfig["through"]>,
  ): Promise<UdpSocket> {
    const socket = await this.#host.connectedUdp({
      port: this.#config.port,
      to,
      ...through,
      onBatch: (batch) => this.#receive(batch),
      onSendError: () => {},
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
        onSendError: (code) => {
          // It doesn't say whose port it was: among several servers it could be any.
          const [only, ...others] = this.#servers;
          if (code !== "ECONNREFUSED" || only === undefined || others.length > 0) return;
          only.refused++;
          this.#progress();
        },
      });
    } catch (error) {
      const inUse = errorCode(error) === "EADDRINUSE" && port !== 0;
      if (inUse && this.#config.anyPort) return await this.#bindAnyPort(address, port);
      const hint = inUse ? "; is WireGuard using it? Leave --port out, with --no-register" : "";
      throw new UserError(`cannot use UDP port ${port}: ${explain(error)}${hint}`, EXIT.failed);
    }
  }

  /** The port is in use, by WireGuard most likely: asks from another, which nobody must register. */
  async #bindAnyPort(address: string, port: number): Promise<UdpSocket> {
    if (this.#register) {
      this.#notes.push(`UDP port ${port} is in use, so its endpoint was not registered anew`);
    }
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
      const left = this.#startedAt + this.#timeout - this.#host.mono();
      this.#after(Math.max(left, FIRST_RETRY_MS), done);
      // Two names may be of one C server, which would drop the second of two requests at once.
      this.#servers.forEach((server, i) => this.#after(i * SPACING_MS, () => this.#send(server)));
    });
  }

  #send(server: AskedServer): void {
    if (server.addresses.length === 0 || server.exchange.isComplete) return;
    const to = server.address(server.attempts, this.#register);
    const size = server.exchange.writeRequest(this.#request, this.#host.now());
    this.#socketTo(to)?.send(this.#request.bytes.subarray(0, size), to);
    const delay = Math.min(FIRST_RETRY_MS * 2 ** server.attempts, LAST_RETRY_MS);
    server.attempts++;
    this.#after(delay, () => this.#send(server));
  }

  #receive(batch: DatagramBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const length = batch.lengths[i]!;
      if (length > SLOT_SIZE) continue;
      // Two names may be of one address: what comes from there answers both.
      for (const server of this.#servers) {
        if (!server.sent(batch, i)) {
          server.noteStranger(batch, i);
          continue;
        }
        const receipt = server.exchange.receive(batch.payloads, i * SLOT_SIZE, length);
        if (receipt === "drop-bad-mac" || receipt === "drop-group-mismatch") server.badMac = true;
      }
    }
    this.#progress();
  }

  /** Merges the answers, and opens the NAT towards the peers. */
  async finish(): Promise<QueryResult> {
    const unix = this.#host.now() / 1000;
    const sightings = new Map<string, SeenPeer[]>();
    for (const { exchange } of this.#servers) {
      for (const peer of exchange.peers(unix)) {
        const known = sightings.get(peer.publicKey);
        if (known === undefined) sightings.set(peer.publicKey, [peer]);
        else known.push(peer);
      }
    }
    for (const seen of sightings.values()) seen.sort((a, b) => compareLabels(b, a));
    const peers = [...sightings.values()].map(([newest]) => newest!);
    const publicKey = this.#servers[0]?.exchange.publicKey ?? "";
    if (this.#register) await this.#openNat(peers, publicKey);
    const statuses = this.#servers.map(({ status }) => status);
    return {
      servers: this.#servers.map((server) => ({
        server: formatHostPort(server.name),
        status: server.status,
        received: server.exchange.received,
        expected: server.exchange.expected,
        ownEndpoint: this.#register ? ownEndpoint(server.exchange, unix) : undefined,
      })),
      publicKey,
      port: this.#ipv4?.port ?? this.#ipv6?.port ?? this.#config.port,
      registered: this.#register && this.#servers.some((server) => server.hasIpv4),
      peers,
      sightings,
      unix,
      status: statuses.includes("ok")
        ? EXIT.ok
        : statuses.includes("not-authenticated")
        ? EXIT.notAuthenticated
        : EXIT.timedOut,
      warnings: [...this.#notes, ...this.#servers.flatMap((server) => this.#warning(server))],
    };
  }

  async #openNat(peers: readonly SeenPeer[], publicKey: string): Promise<void> {
    let sent = 0;
    for (const peer of peers) {
      if (peer.publicKey === publicKey || sent === MAX_OPENERS) continue;
      if (this.#config.opensTo?.(peer) === false) continue;
      const to = { host: peer.address, port: peer.port };
      const { through } = this.#config;
      const socket = this.#socketTo(to) ??
        (through === undefined ? undefined : await this.#connect(to, through));
      socket?.send(OPENER, to);
      sent++;
    }
    if (sent > 0) await new Promise<void>((done) => this.#after(LINGER_MS, done));
  }

  #warning({ name, status, exchange, refused, hasIpv4, stranger }: AskedServer): string[] {
    const { group, encrypt } = this.#config;
    const timeout = Number(this.#config.timeout.toFixed(3));
    const server = formatHostPort(name);
    const clock = new Date(this.#host.now()).toISOString().slice(0, 19);
    const ipv6Only = this.#register && !hasIpv4;
    switch (status) {
      case "ok":
        return ipv6Only
          ? [`${server} was asked over IPv6, which registers no endpoint; give it an IPv4 address`]
          : [];
      case "incomplete":
        return [
          `only ${exchange.received} of ${exchange.expected} datagrams came from ${server} ` +
          `within ${timeout} s; give it longer with --timeout`,
        ];
      case "not-found":
        return [`cannot find server ${server}; check the name and this host's DNS`];
      case "not-authenticated":
        return [
          `${server} answered with a wrong MAC or for another group; check that group ${group} has the same secret there ` +
          `(wgsigd, the C server, also answers so while it knows no peer)`,
        ];
      case "no-answer":
        if (stranger !== undefined) {
          return [
            `no answer from ${server}, but datagrams came from ${stranger}; if that is the same ` +
            `server, let it listen on the address that is asked (serve --listen ADDRESS:PORT)`,
          ];
        }
        return [
          refused > 0
            ? `no answer from ${server}: nothing listens on that port there; start wgsig serve`
            : `no answer from ${server} within ${timeout} s; check that it runs and that UDP gets ` +
              `through, that group ${group} has the same secret there, that it ` +
              `${
                encrypt
                  ? "takes encrypted requests (else: --encryption off)"
                  : "takes plain requests"
              }, ` +
              `and that this clock is right (${clock} UTC)`,
        ];
    }
  }

  #after(ms: number, run: () => void): void {
    const cancel = this.#host.timer(ms, () => {
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

function ownEndpoint(exchange: Exchange, unix: number): HostPort | undefined {
  const own = exchange.peers(unix).find(({ publicKey }) => publicKey === exchange.publicKey);
  return own === undefined ? undefined : { host: own.address, port: own.port };
}
