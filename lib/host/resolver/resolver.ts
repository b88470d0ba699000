/**
 * Looks names up, one way on every runtime: /etc/hosts, then the name servers of /etc/resolv.conf,
 * over UDP, and over TCP what doesn't fit (RFC 1035, RFC 7766). The C library's resolver waits for
 * each server in turn, for both types of address, and can't mark what it sends.
 *
 * The system's own resolver alone is asked on systems other than Linux. On Linux it comes after that
 * where there is nothing in /etc/resolv.conf to go by, where no socket can be had, and for names that
 * are not DNS's: those without a dot, and `.local` (RFC 6762).
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "../../core/net/ip_address.ts";
import { type AddressesByType, NameLookup } from "../../core/dns/name_lookup.ts";
import { explainFaults } from "../../core/dns/lookup_fault.ts";
import {
  candidateNames,
  findInHosts,
  namesServer,
  parseResolverSettings,
} from "../../core/dns/resolver_settings.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { codedError, errorCode } from "../error.ts";
import type { Files } from "../files.ts";
import type { LookUpOptions, SystemResolver } from "../names.ts";
import { isDnsName } from "../../wire/dns/message.ts";
import { type AskingHost, Look } from "./look.ts";

const MAX_FILE = 1_048_576;
/** No name ends so (RFC 3696, section 2): it is meant as an IPv4 address. */
const LIKE_ADDRESS = /^\d+(?:\.\d+)+$/;
const LOCALHOST = ["127.0.0.1", "::1"];
/** The most names of which something is kept: those of servers in the settings. */
const MOST_KNOWN = 256;

/** What the resolver needs of a host. */
export type ResolverHost = Pick<Files, "readFile"> & AskingHost;

/** Where the files are, and the port of name servers: others in tests. */
export interface ResolverPlaces {
  readonly settings: string;
  readonly hosts: string;
  readonly port: number;
}

const USUAL_PLACES: ResolverPlaces = {
  settings: "/etc/resolv.conf",
  hosts: "/etc/hosts",
  port: 53,
};

/** A look that is under way. */
interface Running {
  /** Never fails. */
  readonly answered: Promise<void>;
  /** What is known by now. */
  addresses(): string[];
  /** Which error stood in the way, if any, and what it was in words. */
  problem(): { readonly code?: string | undefined; readonly why?: string | undefined };
}

/** Looks names up. The files are read each time: routers write them anew. */
export class Resolver {
  readonly #host: ResolverHost;
  readonly #places: ResolverPlaces;
  readonly #system: SystemResolver | undefined;
  /** One at a time of each name. */
  readonly #running = new Map<string, Running>();
  /** What looks that are over have left, by name. */
  readonly #known = new Map<string, AddressesByType>();

  /** @param system Where there is one. */
  constructor(
    host: ResolverHost,
    places: ResolverPlaces = USUAL_PLACES,
    system?: SystemResolver,
  ) {
    this.#host = host;
    this.#places = places;
    this.#system = system;
  }

  /**
   * The IP addresses of a name, IPv4 first; of an address itself.
   *
   * @throws An error with the code `ENOTFOUND`, or `ETIMEDOUT` after the time that is given; its
   *   message says what stood in the way, if more is known.
   */
  async resolve(name: string, { timeout, mark = 0 }: LookUpOptions = {}): Promise<string[]> {
    if (parseAddress(name, new WireBuffer(ADDRESS_SIZE), 0)) return [name];
    if (LIKE_ADDRESS.test(name)) throw codedError("ENOTFOUND", `${name} is no IP address`);
    const plain = name.replace(/\.$/, "");
    const isOnly = this.#system?.isOnly === true;
    if (!isOnly) {
      const known = findInHosts(await this.#read(this.#places.hosts), plain);
      if (known.length > 0) {
        const addresses = ipv4First(known);
        this.#keep(name, { A: addresses, AAAA: [] });
        return addresses;
      }
      if (/^(?:.*\.)?localhost$/i.test(plain)) return [...LOCALHOST];
      // No server has to be asked for these (RFC 6761, section 6.4).
      if (/^(?:.*\.)?invalid$/i.test(plain)) throw codedError("ENOTFOUND");
    }
    const running = this.#running.get(name) ??
      (isOnly ? this.#askSystem(name) : await this.#ask(name, mark));
    const isAnswered = await this.#isDoneWithin(running.answered, timeout);
    const addresses = running.addresses();
    if (addresses.length > 0) return addresses;
    const { code = "ENOTFOUND", why } = running.problem();
    throw codedError(isAnswered ? code : "ETIMEDOUT", why);
  }

  /** Asks name servers. */
  async #ask(name: string, mark: number): Promise<Running> {
    const text = await this.#read(this.#places.settings);
    const settings = parseResolverSettings(text);
    // Another one may have begun while the file was read.
    const other = this.#running.get(name);
    if (other !== undefined) return other;
    const lookup = new NameLookup({
      names: candidateNames(name, settings).filter(isDnsName),
      servers: settings.servers,
      mark,
      patience: settings.patience,
      random: (bytes) => this.#host.random(bytes),
      before: this.#known.get(name),
    });
    const look = new Look(this.#host, lookup, this.#places.port);
    const { answered, ended } = look.begin();
    let others: readonly string[] = [];
    const isOthers = text.trim() === "" || /^[^.]+\.?$|\.local\.?$/i.test(name);
    const askOthers = async () => {
      await answered;
      if (lookup.addresses.length > 0 || (!isOthers && look.hasAsked)) return;
      others = await this.#system?.lookUp(name).catch(() => []) ?? [];
    };
    const running: Running = {
      answered: askOthers(),
      addresses: () => lookup.addresses.length > 0 ? lookup.addresses : [...others],
      problem: () => {
        const { faults } = lookup;
        if (faults.size === 0) return {};
        const why = explainFaults(faults);
        return {
          why: namesServer(text)
            ? why
            : `${this.#places.settings} names no name server, and ${why}`,
        };
      },
    };
    this.#running.set(name, running);
    void Promise.all([running.answered, ended]).then(() => {
      this.#running.delete(name);
      const { known } = lookup;
      this.#keep(name, lookup.addresses.length > 0 ? known : { A: others, AAAA: [] });
    });
    return running;
  }

  #askSystem(name: string): Running {
    const before = this.#known.get(name);
    let found: string[] | undefined;
    let problem: string | undefined;
    const ask = async () => {
      try {
        found = await this.#system!.lookUp(name);
        this.#keep(name, { A: found, AAAA: [] });
      } catch (error) {
        problem = errorCode(error);
      }
      this.#running.delete(name);
    };
    const running: Running = {
      answered: ask(),
      addresses: () => [...found ?? before?.A ?? []],
      problem: () => ({ code: problem }),
    };
    this.#running.set(name, running);
    return running;
  }

  #keep(name: string, known: AddressesByType): void {
    // A name that is not found keeps its last addresses: see NameLookupOptions.before.
    if (known.A.length + known.AAAA.length === 0) return;
    this.#known.delete(name);
    const [oldest] = this.#known.keys();
    if (this.#known.size === MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(name, known);
  }

  async #isDoneWithin(what: Promise<void>, timeout: number | undefined): Promise<boolean> {
    if (timeout === undefined) return await what.then(() => true);
    let cancel = () => {};
    const late = new Promise<false>((done) => {
      cancel = this.#host.after(timeout, () => done(false));
    });
    const isDone = await Promise.race([what.then(() => true), late]);
    cancel();
    return isDone;
  }

  async #read(path: string): Promise<string> {
    try {
      const { bytes } = await this.#host.readFile(path, MAX_FILE);
      return new TextDecoder().decode(bytes);
    } catch {
      return "";
    }
  }
}

/** A server's IPv4 endpoint is what is registered. */
function ipv4First(addresses: readonly string[]): string[] {
  return [
    ...addresses.filter((address) => !address.includes(":")),
    ...addresses.filter((address) => address.includes(":")),
  ];
}
