/**
 * Lets WireGuard's datagrams towards single endpoints leave through another local port than its own,
 * and come back by it: through a hard NAT, another port can have a mapping that WireGuard's own can't
 * get. WireGuard knows nothing of it, and other peers are not touched.
 *
 * Two rules of nftables each, in a table of the interface's own, for IPv4 and IPv6:
 *
 * ```
 * output      before conntrack   to the endpoint from WireGuard's port: from the other port
 * prerouting  behind conntrack   from the endpoint to the other port: to WireGuard's
 * ```
 *
 * So conntrack sees the other port both ways, and a firewall that lets in only what belongs to a known
 * connection lets it in. The table is all that there is of it: where the program is killed, the next
 * start finds and removes it. Source: nft(8).
 *
 * @module
 */

import { formatHostPort, type HostPort } from "../core/net/host_port.ts";
import { ADDRESS_SIZE, formatAddress, isIpv4, parseAddress } from "../core/net/ip_address.ts";
import { codedError } from "../host/error.ts";
import type { Processes } from "../host/processes.ts";
import { WireBuffer } from "../wire/bytes/wire_buffer.ts";
import { checkInterfaceName } from "./device.ts";

/** nft has to wait for others that change rules. */
const TIMEOUT = 10;
const MAX_PORT = 0xffff;
const NO_PERMISSION = /Operation not permitted|Permission denied/;

/** Which datagrams leave how. */
export interface PortMove {
  /** An IP address without a scope, and a port: WireGuard's endpoint of a peer. */
  readonly endpoint: HostPort;
  /** WireGuard's port. */
  readonly port: number;
  /** The port of this host that is used instead. */
  readonly through: number;
}

/** The moves of one interface. What is asked for is done one after the other. */
export class PortMoves {
  readonly #host: Processes;
  readonly #table: string;
  readonly #moves = new Map<string, PortMove>();
  #last: Promise<void> = Promise.resolve();

  /**
   * Changes nothing yet.
   *
   * @throws {UserError} Where `name` is no name of an interface.
   */
  constructor(host: Processes, name: string) {
    this.#host = host;
    this.#table = tableOf(name);
  }

  /** How many endpoints are moved. */
  get size(): number {
    return this.#moves.size;
  }

  /**
   * Moves what goes to an endpoint, also where it is moved already. The other moves stay.
   *
   * Fails with an error with a POSIX `code`, and all is as it was then: `ENOENT` where there is no
   * `nft`, `EPERM` without CAP_NET_ADMIN, `EINVAL` for what is no endpoint or port, `ENOTSUP` where nft
   * says another thing, such as that the kernel has no nftables (the error's text says it).
   */
  async move(move: PortMove): Promise<void> {
    const key = formatHostPort(move.endpoint);
    rulesOf(move);
    await this.#change((moves) => void moves.set(key, move));
  }

  /** Fails where {@linkcode move} would: `ENOENT`, `EPERM` and `ENOTSUP`. */
  async check(): Promise<void> {
    await runNft(this.#host, ["list", "tables"]);
  }

  /** What goes to an endpoint leaves through WireGuard's port again. Fails as {@linkcode move} does. */
  async undo(endpoint: HostPort): Promise<void> {
    const key = formatHostPort(endpoint);
    await this.#change((moves) => void moves.delete(key));
  }

  /** All leave through WireGuard's port again. Fails as {@linkcode move} does. */
  async end(): Promise<void> {
    await this.#change((moves) => moves.clear());
  }

  #change(edit: (moves: Map<string, PortMove>) => void): Promise<void> {
    const done = this.#last.then(async () => {
      const after = new Map(this.#moves);
      edit(after);
      // Where nothing was moved, nothing is to be undone, nor is nft needed.
      if (after.size > 0 || this.#moves.size > 0) {
        await runNft(this.#host, ["-f", "-"], scriptOf(this.#table, [...after.values()]));
      }
      this.#moves.clear();
      for (const [key, move] of after) this.#moves.set(key, move);
    });
    this.#last = done.catch(() => {});
    return done;
  }
}

/**
 * Removes the moves that a process has left which was killed; nobody else may have any of this
 * interface now. Where there is no nft, or it is not permitted, there are none.
 *
 * @returns Whether there were some. Fails with `ENOTSUP` where they can't be removed.
 */
export async function mendPortMoves(host: Processes, name: string): Promise<boolean> {
  const table = tableOf(name);
  try {
    await runNft(host, ["list", "table", "inet", table]);
  } catch {
    return false;
  }
  await runNft(host, ["delete", "table", "inet", table]);
  return true;
}

/** nft's names have letters, digits, `_`, `.`, `-` and `/`; those of interfaces `=` and `+` as well. */
function tableOf(name: string): string {
  checkInterfaceName(name);
  return `wgsig-${name.replaceAll("=", "/e").replaceAll("+", "/p")}`;
}

/** One transaction. A table has to be there to be deleted. */
function scriptOf(table: string, moves: readonly PortMove[]): string {
  const anew = `table inet ${table} {}\ndelete table inet ${table}\n`;
  if (moves.length === 0) return anew;
  const rules = moves.map(rulesOf);
  return `${anew}table inet ${table} {
  chain output {
    type filter hook output priority -300; policy accept;
${linesOf(rules.flatMap(({ output }) => output))}  }
  chain prerouting {
    type filter hook prerouting priority -150; policy accept;
${linesOf(rules.flatMap(({ prerouting }) => prerouting))}  }
}
`;
}

function linesOf(rules: readonly string[]): string {
  return rules.map((rule) => `    ${rule}\n`).join("");
}

interface Rules {
  readonly output: readonly string[];
  readonly prerouting: readonly string[];
}

function rulesOf({ endpoint, port, through }: PortMove): Rules {
  for (const each of [endpoint.port, port, through]) {
    if (!Number.isInteger(each) || each < 1 || each > MAX_PORT) throw codedError("EINVAL");
  }
  const address = new WireBuffer(ADDRESS_SIZE);
  // It comes from others, and goes into nft's language: written anew, it is an address.
  if (endpoint.host.includes("%") || !parseAddress(endpoint.host, address, 0)) {
    throw codedError("EINVAL");
  }
  const ipv4 = isIpv4(address, 0);
  const family = ipv4 ? "ip" : "ip6";
  const host = formatAddress(address, 0);
  const out = `${family} daddr ${host} udp dport ${endpoint.port} udp sport ${port}`;
  const back = `${family} saddr ${host} udp sport ${endpoint.port} udp dport ${through}`;
  return {
    output: changing(out, `udp sport set ${through}`, ipv4),
    prerouting: changing(back, `udp dport set ${port}`, ipv4),
  };
}

/**
 * nft mends the checksum, also where there is none: over IPv4 that is a 0, and what raw sockets send
 * has that.
 */
function changing(match: string, change: string, ipv4: boolean): string[] {
  const bare = ipv4 ? [`${match} udp checksum 0 ${change} udp checksum set 0`] : [];
  return [...bare, `${match} ${change}`];
}

async function runNft(host: Processes, args: readonly string[], input?: string): Promise<void> {
  const options = { timeout: TIMEOUT, ...(input === undefined ? {} : { input }) };
  const { code, err } = await host.run(["nft", ...args], options);
  if (code === 0) return;
  const why = err.trim().split("\n")[0] || `exit status ${code}`;
  throw codedError(NO_PERMISSION.test(why) ? "EPERM" : "ENOTSUP", `nft: ${why}`);
}
