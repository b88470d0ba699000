/**
 * Answers of HTTP/1.1, behind which the connection is over (RFC 9112).
 *
 * @module
 */

/** The statuses that there are, with what is said of them. */
const REASONS = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
} as const;

/** A status. */
export type HttpStatus = keyof typeof REASONS;

/** An answer. */
export interface HttpAnswer {
  readonly status: HttpStatus;
  /** Names and values, beside those that each answer has. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** In each answer: nothing is kept by who asks, nor taken for what it is not. */
const HEADERS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Connection": "close",
} as const;

/** An answer in a line of plain text. */
export function textAnswer(
  status: HttpStatus,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", ...headers },
    body: new TextEncoder().encode(`${text}\n`),
  };
}

/** The answer where all that there is to say is the status. */
export function bareAnswer(status: HttpStatus): HttpAnswer {
  return textAnswer(status, REASONS[status], status === 405 ? { Allow: "GET, HEAD" } : {});
}

/** The head of an answer as bytes. The body's length is in it, also where the body isn't sent. */
export function encodeAnswerHead({ status, headers, body }: HttpAnswer): Uint8Array {
  const all = { ...HEADERS, ...headers, "Content-Length": String(body.length) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return new TextEncoder().encode(
    `HTTP/1.1 ${status} ${REASONS[status]}\r\n${lines.join("")}\r\n`,
  );
}
