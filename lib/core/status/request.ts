/**
 * What a running program is asked through its socket: `wgsig WORD SCHEMA[ JSON]` and a line feed.
 *
 * @module
 */

import { joinBytes } from "../../wire/bytes/wire_buffer.ts";
import { SCHEMA } from "./report.ts";

/** A request is no longer, in bytes, its line feed among them. */
export const MAX_REQUEST = 16_384;

/** A request, taken apart. */
export interface SocketRequest {
  readonly word: string;
  readonly schema: number;
  /** What the JSON says; undefined where there is none. */
  readonly body: unknown;
}

/** With what each begins. */
const BEGINNING = "wgsig ";
const FORM = /^wgsig ([a-z][a-z-]{0,31}) (\d{1,9})(?: (.+))?$/s;
const LINE_FEED = 10;

/**
 * Puts a request into its line.
 *
 * @param body JSON can be made of it; undefined is none.
 * @throws {RangeError} That is too long.
 */
export function formatRequest(word: string, body?: unknown): Uint8Array {
  const json = body === undefined ? "" : ` ${JSON.stringify(body)}`;
  const bytes = new TextEncoder().encode(`${BEGINNING}${word} ${SCHEMA}${json}\n`);
  if (bytes.length > MAX_REQUEST) throw new RangeError(`a request of ${bytes.length} bytes`);
  return bytes;
}

/** Reads a request as it comes in, in pieces of any size. It keeps `MAX_REQUEST` bytes at most. */
export class RequestReader {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;

  /**
   * Takes in what came next; the bytes are the caller's again. What comes behind a request is not read.
   *
   * @returns The request once it is all there, "more" until then, or "wrong" where it can be none.
   */
  push(bytes: Uint8Array): SocketRequest | "more" | "wrong" {
    const end = bytes.indexOf(LINE_FEED);
    const piece = end < 0 ? bytes : bytes.subarray(0, end);
    for (let i = 0; this.#size + i < BEGINNING.length && i < piece.length; i++) {
      if (piece[i] !== BEGINNING.charCodeAt(this.#size + i)) return "wrong";
    }
    this.#size += piece.length;
    if (this.#size >= MAX_REQUEST) return "wrong";
    this.#pieces.push(piece.slice());
    return end < 0 ? "more" : readLine(joinBytes(this.#pieces));
  }
}

function readLine(line: Uint8Array): SocketRequest | "wrong" {
  const [, word, schema, json] = FORM.exec(new TextDecoder().decode(line)) ?? [];
  if (word === undefined) return "wrong";
  try {
    const body: unknown = json === undefined ? undefined : JSON.parse(json);
    return { word, schema: Number(schema), body };
  } catch {
    return "wrong";
  }
}
