/**
 * DNS zones on their sockets: WireGuard peers for everybody who knows `dig`.
 *
 * @module
 */

import type { ServiceContext } from "../../context.ts";
import {
  BATCH_SIZE,
  type DatagramBatch,
  type ReplyBatch,
  SLOT_SIZE,
} from "../../../core/net/datagram_batch.ts";
import { formatHostPort, type HostPort } from "../../../core/net/host_port.ts";
import {
  ADDRESS_SIZE,
  formatAddress,
  isWildcard,
  parseAddress,
} from "../../../core/net/ip_address.ts";
import type { Now } from "../../../core/net/clock.ts";
import type { RegistryGroup } from "../../../core/registry/group.ts";
import { EXIT, UserError } from "../../../core/settings/user_error.ts";
import type { ZoneReport } from "../../../core/status/serve_report.ts";
import type { QueryPath } from "../../../core/zone/server/zone_view.ts";
import { GroupPeers } from "../../../core/zone/server/group_peers.ts";
import { KnownAllowedIps, type ZonePeers } from "../../../core/zone/server/peers.ts";
import { ZoneSet } from "../../../core/zone/server/set.ts";
import type { UdpHandlers, UdpSocket } from "../../../host/udp.ts";
import type { TcpConnection } from "../../../host/tcp.ts";
import { errorCode, explain } from "../../../host/error.ts";
import { LENGTH_SIZE } from "../../../wire/dns/frame.ts";
import { MAX_TCP_SIZE, MAX_UDP_SIZE } from "../../../wire/dns/answer.ts";
import { WireBuffer } from "../../../wire/bytes/wire_buffer.ts";
import { DnsTcp } from "./tcp.ts";
import { HeldQueries } from "./held_queries.ts";
import { listenUdp } from "../../listener.ts";
import { listenProblem } from "../../log/listen_problem.ts";
import { type DnsConfig, newZone, type ServedZone } from "./zones.ts";
import { ZoneDevice } from "./device.ts";
import { zoneFields, zoneReport } from "./zone_words.ts";
import type { ZoneFiles } from "./zone_files.ts";
import { ZoneSigners } from "./zone_signers.ts";

/** How often another port is tried where TCP can't have that of UDP. */
const PORT_TRIES = 10;

/** Serves DNS zones. */
export class DnsService {
  readonly #context: ServiceContext;
  readonly #zones: ZoneSet;
  readonly #closers: (() => void)[] = [];
  /** Where it listens. */
  readonly bound: HostPort[] = [];
  /** There once a zone is signed. */
  #signers: ZoneSigners | undefined;
  #devices: ZoneDevice[] = [];
  #served: readonly ServedZone[] = [];
  /** What was told of each last. */
  readonly #told = new Map<string, string>();
  /** Of the zones, by their names. */
  #files: ReadonlyMap<string, ZoneFiles> = new Map();
  readonly #tcpAnswer = new WireBuffer(LENGTH_SIZE + MAX_TCP_SIZE);

  constructor(context: ServiceContext, config: DnsConfig) {
    this.#context = context;
    this.#zones = new ZoneSet(config.budget, context.seed(), context.counters);
  }

  /**
   * Takes over zones that {@linkcode checkZones} found no fault in.
   *
   * @param files What is in their files, by their names.
   */
  configure(
    config: DnsConfig,
    files: ReadonlyMap<string, ZoneFiles>,
    groups: ReadonlyMap<number, RegistryGroup>,
  ): void {
    const { host, log, seed } = this.#context;
    const signers = this.#signersFor([...files.values()]);
    const known = new KnownAllowedIps(config.allowedIps, seed());
    const devices = new Map(this.#devices.map((device) => [device.name, device]));
    const used = new Set<ZoneDevice>();
    const deviceOf = (name: string): ZoneDevice => {
      const device = devices.get(name) ?? new ZoneDevice(host, log, name, seed());
      devices.set(name, device);
      used.add(device);
      return device;
    };
    const zones = config.zones.map((zone) => {
      const device = zone.interface === undefined ? undefined : deviceOf(zone.interface);
      const ofGroups = new Map<number, ZonePeers>();
      for (const id of zone.groups) {
        const group = groups.get(id);
        if (group !== undefined) ofGroups.set(id, new GroupPeers(group, known));
      }
      const sources = { interface: device?.peers, groups: ofGroups };
      const { keys = [], tsig = [] } = files.get(zone.name) ?? {};
      const signer = keys.length === 0 ? undefined : signers?.newSigner(zone, keys);
      return newZone(zone, sources, seed(), { tsig, signer });
    });
    this.#zones.configure(zones, config.budget);
    this.#devices = [...used];
    this.#served = config.zones;
    this.#files = files;
    if (this.bound.length > 0) this.#tellZones();
  }

  /** What is said of the zones when somebody asks. */
  report(): ZoneReport[] {
    return this.#served.map((zone) => zoneReport(zone, this.#files.get(zone.name)));
  }

  /** What signs the zones; undefined where there is nothing to be signed. */
  #signersFor(files: readonly ZoneFiles[]): ZoneSigners | undefined {
    const { counters, seed } = this.#context;
    if (files.every(({ keys }) => keys.length === 0)) return undefined;
    this.#signers ??= new ZoneSigners(counters, seed());
    this.#signers.configure(Math.max(...files.map((each) => each.secondsPerSignature)));
    return this.#signers;
  }

  /** Opens the sockets, and reads the devices for the first time. */
  async listen(config: DnsConfig): Promise<void> {
    await Promise.all(this.#devices.map((device) => device.read()));
    for (const { isOptional, ...address } of this.#addresses(config)) {
      try {
        const bound = await this.#listenOn(address);
        this.bound.push(bound);
        this.#context.log.write("info", "dns-listening", { address: formatHostPort(bound) });
      } catch (error) {
        if (isOptional && errorCode(error) === "EADDRNOTAVAIL") {
          const why = explain(error);
          this.#context.log.write("warn", "dns-not-listening", { address: address.host, why });
          continue;
        }
        this.close();
        throw new UserError(listenProblem(address, error, "--dns"), EXIT.failed);
      }
    }
    if (this.bound.length === 0) {
      throw new UserError(
        `cannot listen on ${config.listen.map(formatHostPort).join(", ")}: this host has no such ` +
          "address; name one that it has with --dns",
        EXIT.failed,
      );
    }
    this.#tellZones();
  }

  /** Tells of zones, and after a reload of those of which there is something else to be told. */
  #tellZones(): void {
    for (const zone of this.#served) {
      const fields = zoneFields(zone, this.#files.get(zone.name));
      const text = JSON.stringify(fields);
      if (this.#told.get(zone.name) === text) continue;
      this.#told.set(zone.name, text);
      this.#context.log.write("info", "dns-zone", fields);
    }
  }

  /** Ends it. */
  close(): void {
    for (const close of this.#closers) close();
  }

  /**
   * Where an interface is published with the address that was asked, that address must be known:
   * then every address of this host is listened on by itself.
   */
  #addresses({ listen, zones }: DnsConfig): (HostPort & { isOptional: boolean })[] {
    const needed = zones.some(({ self }) => self !== undefined && self.endpoint === undefined);
    return listen.flatMap((address): (HostPort & { isOptional: boolean })[] => {
      if (!needed || !isWildcard(binaryOf(address.host), 0)) {
        return [{ ...address, isOptional: false }];
      }
      const isIpv6 = address.host.includes(":");
      return this.#context.host.localAddresses()
        .filter((host) => host.includes(":") === isIpv6 && !/^fe80:/i.test(host))
        .map((host) => ({ host, port: address.port, isOptional: true }));
    });
  }

  /** Opens both sockets of an address. Where the system may choose the port, it is one for both. */
  async #listenOn(address: HostPort): Promise<HostPort> {
    for (let tries = address.port === 0 ? PORT_TRIES : 1;; tries--) {
      const socket = await listenUdp(
        this.#context,
        address,
        (host, open) => this.#openUdp(host, open),
      );
      const bound = { host: address.host, port: socket.port };
      try {
        await this.#listenTcp(bound);
        this.#closers.push(() => socket.close());
        return bound;
      } catch (error) {
        socket.close();
        if (tries === 1 || errorCode(error) !== "EADDRINUSE") throw error;
      }
    }
  }

  async #openUdp(
    address: string,
    open: (handlers: UdpHandlers) => Promise<UdpSocket>,
  ): Promise<UdpSocket> {
    const local = binaryOf(address);
    const answers = new WireBuffer(BATCH_SIZE * MAX_UDP_SIZE);
    const held = new HeldQueries();
    const path: QueryPath = { transport: "udp", source: local, sourceAt: 0, local, localAt: 0 };
    const socket = await open({
      onBatch: (batch, replies) => this.#answerBatch(batch, replies, path, answers, held, socket),
      onSendError: () => this.#context.counters.add("send-failed"),
      onOverload: (count) => this.#context.counters.add("overload", count),
    });
    return socket;
  }

  #answerBatch(
    batch: DatagramBatch,
    replies: ReplyBatch,
    path: QueryPath,
    answers: WireBuffer,
    held: HeldQueries,
    socket: UdpSocket,
  ): void {
    const now = this.#context.tick();
    const waits = this.#isStale(now);
    for (const device of this.#devices) device.renew(now.mono);
    const wasHolding = held.count > 0;
    for (let i = 0; i < batch.count; i++) {
      if (batch.sourcePort(i) === 0) continue;
      if (waits && held.take(batch, i)) continue;
      path.source = batch.sources;
      path.sourceAt = batch.sourceAt(i);
      const at = i * MAX_UDP_SIZE;
      const length = Math.min(batch.lengths[i]!, SLOT_SIZE);
      const size = this.#zones.answer(
        batch.payloads,
        i * SLOT_SIZE,
        length,
        path,
        now,
        answers,
        at,
        MAX_UDP_SIZE,
      );
      if (size > 0) replies.add(i, answers.bytes, at, size, 1);
    }
    if (held.count > 0 && !wasHolding) void this.#answerHeld(held, path, socket);
  }

  /** Answers the queries that waited for a device. */
  async #answerHeld(held: HeldQueries, path: QueryPath, socket: UdpSocket): Promise<void> {
    await Promise.all(this.#devices.map((device) => device.read()));
    const now = this.#context.tick();
    const answer = new WireBuffer(MAX_UDP_SIZE);
    for (let i = 0; i < held.count; i++) {
      path.source = held.sources;
      path.sourceAt = held.sourceAt(i);
      const size = this.#zones.answer(
        held.messages,
        held.messageAt(i),
        held.lengths[i]!,
        path,
        now,
        answer,
        0,
        MAX_UDP_SIZE,
      );
      if (size === 0) continue;
      const host = formatAddress(held.sources, held.sourceAt(i));
      socket.send(answer.bytes.subarray(0, size), { host, port: held.ports[i]! });
    }
    held.count = 0;
  }

  async #listenTcp(address: HostPort): Promise<void> {
    const { host, counters } = this.#context;
    const tcp = new DnsTcp(
      host,
      counters,
      (message, connection) => this.#answerTcp(message, connection),
      () => this.#fresh(),
    );
    const listener = await tcp.listen(address);
    this.#closers.push(() => listener.close());
  }

  #answerTcp(message: Uint8Array, { local, remote }: TcpConnection): Uint8Array | undefined {
    const query = new WireBuffer(message);
    const path: QueryPath = {
      transport: "tcp",
      source: binaryOf(remote.host),
      sourceAt: 0,
      local: binaryOf(local.host),
      localAt: 0,
    };
    const now = this.#context.tick();
    const out = this.#tcpAnswer;
    const at = LENGTH_SIZE;
    const size = this.#zones.answer(query, 0, query.size, path, now, out, at, MAX_TCP_SIZE);
    if (size === 0) return undefined;
    out.view.setUint16(0, size);
    return out.bytes.subarray(0, LENGTH_SIZE + size);
  }

  /** What to wait for before anything is answered. */
  #fresh(): Promise<void> | undefined {
    const now = this.#context.tick();
    if (this.#isStale(now)) {
      return Promise.all(this.#devices.map((device) => device.read())).then(() => {});
    }
    for (const device of this.#devices) device.renew(now.mono);
    return undefined;
  }

  #isStale({ mono }: Now): boolean {
    return this.#devices.some((device) => device.isStale(mono));
  }
}

/** An IP address as 16 bytes; that of nobody where the text is none. */
function binaryOf(address: string): WireBuffer {
  const binary = new WireBuffer(ADDRESS_SIZE);
  parseAddress(address, binary, 0);
  return binary;
}
