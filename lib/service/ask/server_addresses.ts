/**
 * The addresses of the servers that are to be asked.
 *
 * @module
 */

import { ADDRESS_SIZE, parseAddress } from "../../core/net/ip_address.ts";
import { formatServerName, type ServerName } from "../../core/ask/server_name.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import type { Clock } from "../../host/clock.ts";
import { explainLookUp, type LookUpOptions, type Names } from "../../host/names.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";

/** A name that takes so long to be found is not waited for the next time, in seconds. */
const LATE = 1;

/** What is known of a name. */
interface Known {
  addresses: readonly string[];
  /** Whether it took long the last time. */
  isLate: boolean;
  /** Why it was not found. */
  problem: string;
  /** The look that is under way; it never fails. */
  looking: Promise<void> | undefined;
}

/** Looks servers' names up, again and again. */
export class ServerNames {
  readonly #host: Clock & Names;
  readonly #names = new Map<string, Known>();
  #isFound: () => void = () => {};

  /** Knows none. */
  constructor(host: Clock & Names) {
    this.#host = host;
  }

  /**
   * Looks the servers' names up, all at once. One that was late the last time is not waited for where
   * there is an address to ask: what it had before is taken, and what comes is for the next time.
   *
   * @param timeout A name server that is silent must not take longer than the whole question may; nor
   *   more than half of that where another server is found: it is to be asked in the rest.
   * @param mark Of the tunnel's own datagrams; 0 is none.
   * @returns By server: its IP addresses, none where it isn't found.
   * @throws {UserError} If none is found.
   */
  async find(
    servers: readonly ServerName[],
    timeout: number,
    mark: number,
  ): Promise<ReadonlyMap<ServerName, readonly string[]>> {
    const named = new Map(servers.map((server) => [server, this.#of(server.host)]));
    const names = new Map(servers.map(({ host }) => [host, this.#of(host)]));
    for (const name of this.#names.keys()) if (!names.has(name)) this.#names.delete(name);
    const hasFound = () => [...names.values()].some(({ addresses }) => addresses.length > 0);
    const isFound = new Promise<void>((done) => void (this.#isFound = done));
    const looks = [...names].filter(([name]) => !isAddress(name)).map(([name, known]) => ({
      isLate: known.isLate,
      look: known.looking ??= this.#look(name, known, { timeout, mark }),
    }));
    const all = Promise.all(looks.map(({ look }) => look));
    const inTime = Promise.all(looks.flatMap(({ isLate, look }) => isLate ? [] : [look]))
      .then(() => hasFound() ? undefined : Promise.race([all, isFound]));
    if (hasFound()) this.#isFound();
    let cancel = () => {};
    const halfTime = new Promise<void>((done) => {
      cancel = this.#host.after(timeout / 2, done);
    });
    await Promise.race([inTime, Promise.all([halfTime, isFound])]);
    cancel();
    for (const known of names.values()) known.isLate ||= known.looking !== undefined;
    if (!hasFound()) {
      const [server, { problem }] = [...named].findLast(([, known]) => known.problem !== "") ??
        [...named].at(-1)!;
      const why = `cannot find server ${formatServerName(server)}: ${problem}`;
      throw new UserError(`${why}; check the name and this host's DNS`, EXIT.hostNotFound);
    }
    // What comes after this is for the next look.
    return new Map([...named].map(([server, { addresses }]) => [server, addresses]));
  }

  #of(name: string): Known {
    const before = this.#names.get(name);
    if (before !== undefined) return before;
    const addresses = isAddress(name) ? [name] : [];
    const known = { addresses, isLate: false, problem: "", looking: undefined };
    this.#names.set(name, known);
    return known;
  }

  async #look(name: string, known: Known, options: LookUpOptions): Promise<void> {
    const startedAt = this.#host.now().mono;
    try {
      known.addresses = await this.#host.resolve(name, options);
      known.problem = "";
      if (known.addresses.length > 0) this.#isFound();
    } catch (error) {
      known.addresses = [];
      known.problem = explainLookUp(error);
    }
    known.isLate = this.#host.now().mono - startedAt >= LATE;
    known.looking = undefined;
  }
}

/** The same once. */
export async function findServers(
  host: Clock & Names,
  servers: readonly ServerName[],
  timeout: number,
  mark: number,
): Promise<ReadonlyMap<ServerName, readonly string[]>> {
  return await new ServerNames(host).find(servers, timeout, mark);
}

function isAddress(name: string): boolean {
  return parseAddress(name, new WireBuffer(ADDRESS_SIZE), 0);
}
