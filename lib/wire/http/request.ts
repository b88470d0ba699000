/**
 * As much of HTTP/1.1 as a page that is only read needs (RFC 9112): the head of a GET or HEAD, without
 * a body, one for each connection. What else there may be is refused with a status of its own.
 *
 * @module
 */

/** A head has at most so many bytes. */
export const MAX_HEAD = 8192;
const LINE_END = "\r\n";
const END_OF_HEAD = "\r\n\r\n";
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S+) HTTP\/1\.([01])$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):[ \t]*(.*?)[ \t]*$/;
// deno-lint-ignore no-control-regex -- no head has these, nor what begins a handshake of TLS
const NO_TEXT = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const PATH = /^\/[!-~]*$/;

/** What is asked for. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD";
  /** From the slash to the question mark, as it was sent: visible ASCII. */
  readonly path: string;
  /** Whom it is meant for, `HOST` or `HOST:PORT`; undefined where HTTP/1.0 doesn't say. */
  readonly host: string | undefined;
  /** What is to show that this one may ask. */
  readonly authorization: string | undefined;
}

/** Why a request has no other answer: a status of HTTP. */
export type HttpRefusal = 400 | 405 | 413 | 431;

/** A request, why there is none, or undefined: there is more to come. */
export type HeadResult = HttpRequest | HttpRefusal | undefined;

/** Puts a head together. */
export class HeadReader {
  #text = "";

  /** Whether nothing has come yet. */
  get isEmpty(): boolean {
    return this.#text === "";
  }

  /**
   * Takes what came next. What is behind the head is passed over.
   *
   * @param bytes Only lent.
   */
  push(bytes: Uint8Array): HeadResult {
    const former = this.#text.length;
    let piece = "";
    for (const byte of bytes.subarray(0, MAX_HEAD + 1 - former)) piece += String.fromCharCode(byte);
    this.#text += piece;
    const end = this.#text.indexOf(END_OF_HEAD, Math.max(0, former - END_OF_HEAD.length));
    const head = end < 0 ? this.#text : this.#text.slice(0, end);
    if (NO_TEXT.test(head)) return 400;
    if (end >= 0 && end + END_OF_HEAD.length <= MAX_HEAD) return readRequest(head);
    return this.#text.length > MAX_HEAD ? 431 : undefined;
  }
}

/** Reads a head, without the empty line at its end. */
function readRequest(head: string): HttpRequest | HttpRefusal {
  const [first = "", ...lines] = head.split(LINE_END);
  const [, method, target = "", minor] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined) return 400;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) return 400;
    const key = name.toLowerCase();
    // Which of two holds would be a guess.
    if (headers.has(key) && SINGLE.has(key)) return 400;
    headers.set(key, value);
  }
  const host = headers.get("host");
  if (host === undefined && minor === "1") return 400;
  if (method !== "GET" && method !== "HEAD") return 405;
  if (headers.has("transfer-encoding") || !/^0*$/.test(headers.get("content-length") ?? "")) {
    return 413;
  }
  if (!PATH.test(target)) return 400;
  const path = target.replace(/[?#].*$/, "");
  return { method, path, host, authorization: headers.get("authorization") };
}

const SINGLE = new Set(["host", "authorization", "content-length", "transfer-encoding"]);
