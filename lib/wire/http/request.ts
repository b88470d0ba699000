/**
 * As much of HTTP/1.1 as a page that is only read needs (RFC 9112): the head of a GET or HEAD, without
 * a body, one for each connection. What else there may be is refused with a status of its own.
 *
 * @module
 */

/** A head has at most so many bytes, */
export const MAX_HEAD = 8192;
/** and so many lines of headers: browsers send about 20. */
export const MAX_HEADERS = 100;
const LINE_END = "\r\n";
const END_OF_HEAD = "\r\n\r\n";
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S+) HTTP\/1\.([01])$/;
/** Spaces around the value are left in it: to look for its end in an expression takes time of their square. */
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):([^\r\n]*)$/;
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
    const piece = String.fromCharCode(...bytes.subarray(0, MAX_HEAD + 1 - former));
    this.#text += piece;
    const end = this.#text.indexOf(END_OF_HEAD, Math.max(0, former - END_OF_HEAD.length));
    // What came before has been looked at: who sends byte by byte has nothing looked at again.
    if (NO_TEXT.test(end < 0 ? piece : piece.slice(0, Math.max(0, end - former)))) return 400;
    if (end >= 0 && end + END_OF_HEAD.length <= MAX_HEAD) {
      return readRequest(this.#text.slice(0, end));
    }
    return this.#text.length > MAX_HEAD ? 431 : undefined;
  }
}

/** Reads a head, without the empty line at its end. */
function readRequest(head: string): HttpRequest | HttpRefusal {
  const [first = "", ...lines] = head.split(LINE_END);
  const [, method, target = "", minor] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined) return 400;
  if (lines.length > MAX_HEADERS) return 431;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) return 400;
    const key = name.toLowerCase();
    // Which of two holds would be a guess.
    if (headers.has(key) && SINGLE.has(key)) return 400;
    headers.set(key, trimmed(value));
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

/** Without the spaces and tabs around it (RFC 9110, 5.5), and no other ones. */
function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isSpace(value[start])) start++;
  while (end > start && isSpace(value[end - 1])) end--;
  return value.slice(start, end);
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\t";
}

const SINGLE = new Set(["host", "authorization", "content-length", "transfer-encoding"]);
