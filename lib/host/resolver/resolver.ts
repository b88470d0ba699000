/**
 * Looks names up without the C library, whose resolver holds the event loop up: /etc/hosts, then the
 * name servers of /etc/resolv.conf, over UDP, and over TCP what doesn't fit (RFC 1035, RFC 7766).
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "../../core/net/ip_address.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { codedError } from "../error.ts";
import type { Files } from "../files.ts";
import { askForAddresses, type AskingHost } from "./name_question.ts";
import { isDnsName } from "../../wire/dns/message.ts";
import {
  candidateNames,
  findInHosts,
  parseResolverSettings,
  type ResolverSettings,
} from "./files.ts";

const MAX_FILE = 1_048_576;
const LOCALHOST = ["127.0.0.1", "::1"];

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

/** Looks names up. The files are read each time: routers write them anew. */
export class Resolver {
  readonly #host: ResolverHost;
  readonly #places: ResolverPlaces;

  constructor(host: ResolverHost, places: ResolverPlaces = USUAL_PLACES) {
    this.#host = host;
    this.#places = places;
  }

  /**
   * The IP addresses of a name, IPv4 first; of an address itself.
   *
   * @throws An error with the code `ENOTFOUND`.
   */
  async resolve(name: string): Promise<string[]> {
    if (parseAddress(name, new WireBuffer(ADDRESS_SIZE), 0)) return [name];
    const plain = name.replace(/\.$/, "");
    const known = findInHosts(await this.#read(this.#places.hosts), plain);
    if (known.length > 0) return ipv4First(known);
    if (/^(?:.*\.)?localhost$/i.test(plain)) return [...LOCALHOST];
    const settings = parseResolverSettings(await this.#read(this.#places.settings));
    for (const candidate of candidateNames(name, settings)) {
      if (!isDnsName(candidate)) continue;
      const found = await this.#ask(candidate, settings);
      if (found.length > 0) return ipv4First(found);
    }
    throw codedError("ENOTFOUND");
  }

  #ask(name: string, { servers, patience }: ResolverSettings): Promise<string[]> {
    const ports = servers.map((host) => ({ host, port: this.#places.port }));
    return askForAddresses(this.#host, name, ports, patience);
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
