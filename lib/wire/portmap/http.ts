/**
 * As much of HTTP/1.1 as a UPnP gateway needs: one question a connection (RFC 9112), and answers with
 * a length, in chunks, or up to the connection's end. Texts of SSDP have the same form.
 *
 * @module
 */

/** The most bytes of an answer that are read: descriptions of gateways have up to 20 000. */
export const MAX_HTTP_ANSWER = 65_536;
/** The most bytes of its head. */
const MAX_HEAD = 8192;
const END_OF_HEAD = "\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";
const CHUNK_SIZE = /^([0-9A-Fa-f]{1,6})[^\r\n]*\r\n/;
const STATUS = /^HTTP\/1\.[01] (\d{3})(?: |\r|$)/;
const HEADER = /^([\w-]{1,64}):[ \t]*(.*?)[ \t]*$/;

/** A question. */
export interface HttpQuestion {
  readonly method: "GET" | "POST";
  /** As `HOST:PORT`. */
  readonly host: string;
  /** From the slash on: visible ASCII alone. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The head of an answer, or of a text of SSDP. */
export interface HttpHead {
  readonly status: number;
  /** By their names in small letters. */
  readonly headers: ReadonlyMap<string, string>;
}

/** An answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** The bytes of a question. The connection is closed behind its answer. */
export function encodeHttpQuestion(question: HttpQuestion): Uint8Array {
  const { method, host, path, headers = {}, body = "" } = question;
  const content = new TextEncoder().encode(body);
  const lines = Object.entries({
    Host: host,
    Connection: "close",
    ...headers,
    ...(method === "POST" ? { "Content-Length": String(content.length) } : {}),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}

/** Reads the head of a text; undefined where it is no answer. */
export function parseHttpHead(text: string): HttpHead | undefined {
  const status = STATUS.exec(text)?.[1];
  if (status === undefined) return undefined;
  const headers = new Map<string, string>();
  for (const line of text.split("\r\n").slice(1)) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name !== undefined && value !== undefined) headers.set(name.toLowerCase(), value);
  }
  return { status: Number(status), headers };
}

/**
 * Reads an answer, of which `bytes` have come so far.
 *
 * @param isEnded Whether no more will come.
 * @returns Undefined where it isn't whole, or is none.
 */
export function readHttpAnswer(bytes: Uint8Array, isEnded: boolean): HttpAnswer | undefined {
  const start = latin(bytes.subarray(0, MAX_HEAD));
  const end = start.indexOf(END_OF_HEAD);
  const head = end < 0 ? undefined : parseHttpHead(start.slice(0, end));
  if (head === undefined) return undefined;
  const { status, headers } = head;
  const body = bytes.subarray(end + END_OF_HEAD.length);
  if (/\bchunked\b/i.test(headers.get("transfer-encoding") ?? "")) {
    const isWhole = isEnded || latin(body.subarray(-LAST_CHUNK.length)) === LAST_CHUNK;
    const whole = isWhole ? unchunked(body) : undefined;
    return whole && { status, body: decode(whole) };
  }
  const length = headers.get("content-length");
  if (length !== undefined && /^\d{1,7}$/.test(length)) {
    const size = Number(length);
    return body.length < size ? undefined : { status, body: decode(body.subarray(0, size)) };
  }
  return isEnded ? { status, body: decode(body) } : undefined;
}

/** What chunks have in them; undefined where one is missing. */
function unchunked(bytes: Uint8Array): Uint8Array | undefined {
  const whole = new Uint8Array(bytes.length);
  let size = 0;
  for (let at = 0; at < bytes.length;) {
    const [line, digits] = CHUNK_SIZE.exec(latin(bytes.subarray(at, at + 256))) ?? [];
    if (line === undefined || digits === undefined) return undefined;
    const length = parseInt(digits, 16);
    if (length === 0) return whole.subarray(0, size);
    const from = at + line.length;
    if (from + length > bytes.length) return undefined;
    whole.set(bytes.subarray(from, from + length), size);
    size += length;
    at = from + length + 2;
  }
  return undefined;
}

/** Bytes as text, a character each. */
function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
