/**
 * The messages of wg-dynamic: how a peer is leased its addresses, over TCP inside the tunnel.
 *
 * ```
 * message = *( key "=" value LF ) LF          a line is at most 4096 bytes with its LF, no NUL in it
 *
 * request_ip=1              the command and its version
 * ip=0.0.0.0/32             an address that is asked for, one a family; 0.0.0.0 or :: is any
 * ip=::/128
 * leasestart=0              ignored
 * leasetime=0               ignored
 * want=routes,peers         only of wgsig: others ignore keys that they don't know
 *
 * ip=192.168.4.2/32         what is leased; the length says nothing
 * ip=2001:db8:1234::a/128
 * leasestart=1795291448     Unix time at the server
 * leasetime=3600            seconds from then on
 * errno=0                   always there
 * errmsg=…                  where errno is not 0
 * route=10.9.0.0/16         only for who wants it
 * peer=…                    only for who wants it
 * ```
 *
 * @module
 */

/** Both ends speak from this TCP port. */
export const LEASE_PORT = 970;
/** The server's address in the tunnel. */
export const LEASE_SERVER_ADDRESS = "fe80::";
/** The longest line, in bytes, with its LF. */
export const MAX_LINE_SIZE = 4096;
/** The largest number that a value can be. */
export const MAX_LEASE_NUMBER = 0xffff_ffff;

/** What the server says went wrong; with any but 0 and 3 it closes the connection. */
export const LEASE_ERRNO = {
  ok: 0,
  invalidRequest: 1,
  unsupportedProtocol: 2,
  unavailable: 3,
} as const;

/** A value of {@linkcode LEASE_ERRNO}. */
export type LeaseErrno = typeof LEASE_ERRNO[keyof typeof LEASE_ERRNO];

const ERROR_MESSAGES = ["", "Invalid request", "Unsupported protocol", "Chosen IP(s) unavailable"];
const LF = 0x0a;
const EQUALS = 0x3d;
const NUMBER = /^0*(\d{1,10})$/;

/** What a client asks for: text, without the prefix length. */
export interface LeaseRequestMessage {
  /** An IPv4 address, `0.0.0.0` for any; undefined gives back what is held. */
  readonly ipv4?: string | undefined;
  /** An IPv6 address, `::` for any; undefined gives back what is held. */
  readonly ipv6?: string | undefined;
  /** The value of `want`: names with commas between them. */
  readonly want?: string | undefined;
}

/** What the server answers: addresses as text, without the prefix length. */
export interface LeaseReplyMessage {
  /** The IPv4 address that is leased. */
  readonly ipv4?: string | undefined;
  /** The IPv6 address that is leased. */
  readonly ipv6?: string | undefined;
  /** Unix seconds. Left out without an address. */
  readonly leaseStart: number;
  /** Seconds. Left out without an address. */
  readonly leaseTime: number;
  /** What went wrong. */
  readonly errno: LeaseErrno;
  /** Values of `route`. */
  readonly routes: readonly string[];
  /** Values of `peer`. */
  readonly peers: readonly string[];
}

/** What a reader has come to: bytes are needed, a line was read, a message ends, all is wrong. */
export type LeaseFound = "nothing" | "field" | "end" | "damage";

/**
 * Takes a stream apart into the lines of its messages, in whatever pieces it comes. It holds one
 * line and nothing else; how many lines a message may have is the caller's to say.
 */
export class LeaseReader {
  /** What the last call of {@linkcode read} came to. After "damage" it never is anything else. */
  found: LeaseFound = "nothing";
  /** The key of the last line, one byte a character, not empty. */
  key: string = "";
  /** The value of the last line, one byte a character. */
  value: string = "";
  readonly #line = new Uint8Array(MAX_LINE_SIZE - 1);
  #size = 0;
  #equalsAt = -1;

  /**
   * Reads up to the end of a line, or of the bytes, and sets {@linkcode found}.
   *
   * @returns Where to go on; `bytes.length` where nothing is left to be read.
   */
  read(bytes: Uint8Array, from: number): number {
    if (this.found === "damage") return bytes.length;
    this.found = "nothing";
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === LF) {
        this.found = this.#endLine();
        return this.found === "damage" ? bytes.length : at + 1;
      }
      if (byte === 0 || this.#size === this.#line.length) {
        this.found = "damage";
        return bytes.length;
      }
      if (byte === EQUALS && this.#equalsAt < 0) this.#equalsAt = this.#size;
      this.#line[this.#size++] = byte;
    }
    return bytes.length;
  }

  #endLine(): LeaseFound {
    const size = this.#size;
    const equalsAt = this.#equalsAt;
    this.#size = 0;
    this.#equalsAt = -1;
    if (size === 0) return "end";
    if (equalsAt <= 0) return "damage";
    this.key = this.#text(0, equalsAt);
    this.value = this.#text(equalsAt + 1, size);
    return "field";
  }

  #text(from: number, to: number): string {
    let text = "";
    for (let i = from; i < to; i++) text += String.fromCharCode(this.#line[i]!);
    return text;
  }
}

/** The number that a value is (decimal digits, at most 4294967295), or -1 where it is none. */
export function parseLeaseNumber(value: string): number {
  const number = Number(NUMBER.exec(value)?.[1] ?? -1);
  return number > MAX_LEASE_NUMBER ? -1 : number;
}

/**
 * The bytes of a request.
 *
 * @throws {RangeError} If a value is no line.
 */
export function encodeLeaseRequest({ ipv4, ipv6, want }: LeaseRequestMessage): Uint8Array {
  const lines = ["request_ip=1"];
  if (ipv4 !== undefined) lines.push(`ip=${ipv4}/32`);
  if (ipv6 !== undefined) lines.push(`ip=${ipv6}/128`);
  if (lines.length > 1) lines.push("leasestart=0", "leasetime=0");
  if (want !== undefined) lines.push(`want=${want}`);
  return encodeLines(lines);
}

/**
 * The bytes of a reply.
 *
 * @throws {RangeError} If a value is no line.
 */
export function encodeLeaseReply(reply: LeaseReplyMessage): Uint8Array {
  const { ipv4, ipv6, errno } = reply;
  const lines: string[] = [];
  if (ipv4 !== undefined) lines.push(`ip=${ipv4}/32`);
  if (ipv6 !== undefined) lines.push(`ip=${ipv6}/128`);
  if (lines.length > 0) {
    lines.push(`leasestart=${reply.leaseStart}`, `leasetime=${reply.leaseTime}`);
  }
  lines.push(`errno=${errno}`);
  if (errno !== LEASE_ERRNO.ok) lines.push(`errmsg=${ERROR_MESSAGES[errno]}`);
  for (const route of reply.routes) lines.push(`route=${route}`);
  for (const peer of reply.peers) lines.push(`peer=${peer}`);
  return encodeLines(lines);
}

function encodeLines(lines: readonly string[]): Uint8Array {
  let size = 1;
  for (const line of lines) size += line.length + 1;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const line of lines) {
    if (line.length >= MAX_LINE_SIZE) {
      throw new RangeError(`Cannot write a line of ${line.length} bytes`);
    }
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      if (code < 0x20 || code > 0x7e) {
        throw new RangeError(`Cannot write character ${code} in a line`);
      }
      bytes[at++] = code;
    }
    bytes[at++] = LF;
  }
  bytes[at] = LF;
  return bytes;
}
