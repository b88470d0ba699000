/**
 * The addresses of a server, what came of asking each, and which is to be asked next.
 *
 * ```
 *   203.0.113.1   heard last: it is asked, again and again
 *   203.0.113.2   not asked yet: the next, once the first has been silent for half a second
 *   203.0.113.3   silent, refused, or with another key than the pinned: where there is no other
 * ```
 *
 * One name may stand for several registries, each with labels, cookies and numbers of its own. So what
 * a registry asks for is sent to the same one, and whoever has answered is stayed with.
 *
 * @module
 */

import { equalBytes, WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import type { DatagramBatch } from "../net/datagram_batch.ts";
import { type Family, familyOf, type HostPort } from "../net/host_port.ts";
import { ADDRESS_SIZE, isIpv4, parseAddress } from "../net/ip_address.ts";

/** After so long without a word, the next address is asked, in seconds: with the first repetition. */
const SILENT_AFTER = 0.45;

/** One address, and what is known of it. */
interface Known {
  readonly to: HostPort;
  readonly binary: WireBuffer;
  /** What the system said when it could not be asked (`ENETUNREACH`, `EPERM`, …), in this round. */
  problem: string | undefined;
  /** Whether its host has said that nothing listens there, in this round. */
  isRefused: boolean;
  /** Whether it has spoken with another key than the pinned one, and not with that since. */
  hasOtherKey: boolean;
  /** When it was asked first since it was heard last: the monotonic clock; Infinity where it was not. */
  awaitedSince: number;
  /** How many questions there were when it was asked last. */
  askedLast: number;
}

/** The addresses of one server. */
export class ServerAddresses {
  readonly #port: number;
  readonly #ports: Set<number>;
  #known: readonly Known[] = [];
  #questions = 0;
  /** By family: the one that was heard last. */
  readonly #heard = new Map<Family, Known>();

  /** @param hosts IP addresses; what is none is left out. */
  constructor(hosts: readonly string[], port: number) {
    this.#port = port;
    this.#ports = new Set([port]);
    this.begin(hosts);
  }

  /**
   * It is asked once more, at these addresses. What is known of them stays, but for what the system
   * has said: that may be otherwise now.
   *
   * @returns Whether one of them is new.
   */
  begin(hosts: readonly string[]): boolean {
    const before = new Map(this.#known.map((each) => [each.to.host, each]));
    const known = [...new Set(hosts)].flatMap((host): Known[] => {
      const known = before.get(host);
      if (known !== undefined) return [{ ...known, problem: undefined, isRefused: false }];
      const binary = new WireBuffer(ADDRESS_SIZE);
      if (!parseAddress(host, binary, 0)) return [];
      const to = { host, port: this.#port };
      const [problem, isRefused, hasOtherKey] = [undefined, false, false];
      return [{
        ...{ to, binary, problem, isRefused, hasOtherKey },
        ...{ awaitedSince: Infinity, askedLast: 0 },
      }];
    });
    const isOverIpv4 = ({ binary }: Known) => isIpv4(binary, 0);
    this.#known = [...known.filter(isOverIpv4), ...known.filter((each) => !isOverIpv4(each))];
    for (const [family, { to }] of this.#heard) {
      const heard = this.#known.find(({ to: { host } }) => host === to.host);
      if (heard === undefined) this.#heard.delete(family);
      else {
        // What was lost at the end says nothing: it is asked first, again.
        heard.awaitedSince = Infinity;
        this.#heard.set(family, heard);
      }
    }
    return this.#known.some(({ to: { host } }) => !before.has(host));
  }

  /** All of them, IPv4 first. */
  get all(): readonly HostPort[] {
    return this.#known.map(({ to }) => to);
  }

  /** The families that it has, IPv4 first. */
  get families(): readonly Family[] {
    return ([4, 6] as const).filter((family) => this.countOf(family) > 0);
  }

  /** How many addresses of a family it has. */
  countOf(family: Family): number {
    return this.#known.filter(({ to }) => familyOf(to) === family).length;
  }

  /** Whether the system can send to an address of a family, as far as it has said. */
  works(family: Family): boolean {
    return this.#known.some(({ to, problem }) => familyOf(to) === family && problem === undefined);
  }

  /** Whether each of its hosts that the system can send to has said that nothing listens there. */
  get areRefused(): boolean {
    const works = this.#known.filter(({ problem }) => problem === undefined);
    return works.length > 0 && works.every(({ isRefused }) => isRefused);
  }

  /**
   * The address to ask now: the one that was heard last, until it is silent; then each in turn. One that
   * the system can't send to comes into question only where there is no other.
   *
   * @param family Which addresses come into question, if there are any of them.
   * @param port Where it isn't the one that the server is named with: who is silent there is not
   *   silent.
   * @param mono The monotonic clock.
   */
  toAsk(mono: number, family?: Family, port?: number): HostPort {
    const known = this.#next(mono, family);
    if (port !== undefined) return { ...known.to, port };
    known.askedLast = ++this.#questions;
    if (known.awaitedSince === Infinity) known.awaitedSince = mono;
    return known.to;
  }

  /** None of them answers: from now on, each question goes to the next. */
  giveUp(): void {
    for (const known of this.#known) known.awaitedSince = -Infinity;
  }

  /** Whether there is an address of a family that is worth being asked at once. @param mono Monotonic. */
  hasOther(mono: number, family: Family): boolean {
    return this.#known.some((each) => familyOf(each.to) === family && isGood(each, mono));
  }

  #next(mono: number, family: Family | undefined): Known {
    const works = this.#known.filter(({ problem }) => problem === undefined);
    const some = works.length > 0 ? works : this.#known;
    const meant = family === undefined ? [] : some.filter(({ to }) => familyOf(to) === family);
    const usable = meant.length > 0 ? meant : some;
    const good = usable.filter((each) => isGood(each, mono));
    const heard = good.filter((each) => this.#heard.get(familyOf(each.to)) === each);
    // What has just been asked is asked in the other protocol as well.
    const awaited = good.filter(({ awaitedSince }) => awaitedSince < Infinity);
    return heard[0] ?? awaited[0] ?? good[0] ??
      usable.toSorted((a, b) => a.askedLast - b.askedLast)[0]!;
  }

  /** A word has come from one of them. */
  heard(host: string): void {
    const known = this.#of(host);
    if (known === undefined) return;
    known.awaitedSince = Infinity;
    known.isRefused = known.hasOtherKey = false;
    this.#heard.set(familyOf(known.to), known);
  }

  /** One of them has another key than the one that is pinned. */
  noteOtherKey(host: string): void {
    const known = this.#of(host);
    if (known !== undefined) known.hasOtherKey = true;
  }

  /** Nothing listens there, as the host of one of them says. */
  noteRefused(host: string): void {
    const known = this.#of(host);
    if (known !== undefined) known.isRefused = true;
  }

  /** Notes what else the system said of one of them. */
  noteProblem(host: string, code: string): void {
    const known = this.#of(host);
    if (known !== undefined) known.problem = code;
  }

  /** What the system said, where it said so of all of them; else undefined. */
  get problem(): string | undefined {
    const codes = this.#known.map(({ problem }) => problem);
    return codes.includes(undefined) ? undefined : codes[0];
  }

  /** It is asked at another port as well, and answers from there. */
  accept(port: number): void {
    this.#ports.add(port);
  }

  /** The address that datagram `i` comes from, if it is one of these; with the port of its name. */
  senderOf(batch: DatagramBatch, i: number): HostPort | undefined {
    if (!this.#ports.has(batch.sourcePort(i))) return undefined;
    return this.#known.find(({ binary }) =>
      equalBytes(binary, 0, batch.sources, batch.sourceAt(i), ADDRESS_SIZE)
    )?.to;
  }

  #of(host: string): Known | undefined {
    return this.#known.find(({ to }) => to.host === host);
  }
}

/** Whether nothing speaks against asking one now. */
function isGood(known: Known, mono: number): boolean {
  const { problem, isRefused, hasOtherKey, awaitedSince } = known;
  return problem === undefined && !isRefused && !hasOtherKey && mono - awaitedSince < SILENT_AFTER;
}
