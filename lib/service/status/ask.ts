/**
 * Asks a running program, through its socket.
 *
 * @module
 */

import { type Fields, fieldsOf } from "../../core/net/fields.ts";
import { EXIT, UserError } from "../../core/settings/user_error.ts";
import { readReport } from "../../core/status/read_report.ts";
import { type Report, SCHEMA } from "../../core/status/report.ts";
import { formatRequest } from "../../core/status/request.ts";
import { joinBytes } from "../../wire/bytes/wire_buffer.ts";
import type { Clock } from "../../host/clock.ts";
import { codedError } from "../../host/error.ts";
import type { LocalStreams } from "../../host/local_streams.ts";

/** An answer is no larger, in bytes. */
const MAX_SIZE = 16_000_000;
/** It is awaited for so long, in seconds. */
const TIMEOUT = 5;
/** The connection is over before the answer. */
const CUT = "ECONNRESET";
/** What came is no answer. */
const UNREADABLE = "EPROTO";

/**
 * Asks at a socket: `ENOENT` or `ECONNREFUSED` where nobody answers, `EACCES`, `ETIMEDOUT`,
 * `ECONNRESET` where it was cut, `EPROTO` where the answer is none of this schema.
 *
 * @param word What is asked for.
 * @param body What it is told with that; JSON of some kilobytes at most.
 * @throws {UserError} What runs there refuses, with what it says.
 */
export async function askSocket(
  host: Clock & LocalStreams,
  path: string,
  word: string,
  body?: unknown,
): Promise<Fields> {
  const fields = fieldsIn(await exchange(host, path, formatRequest(word, body)));
  if (typeof fields["error"] === "string") throw new UserError(fields["error"], EXIT.failed);
  if (fields["schema"] !== SCHEMA) throw codedError(UNREADABLE);
  return fields;
}

/** Asks how it is doing; see {@linkcode askSocket} for what is thrown. */
export async function askStatus(host: Clock & LocalStreams, path: string): Promise<Report> {
  const report = readReport(await askSocket(host, path, "status"));
  if (report === undefined) throw codedError(UNREADABLE);
  return report;
}

/** The line that comes. */
async function exchange(
  host: Clock & LocalStreams,
  path: string,
  request: Uint8Array,
): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  let done: (code: string | undefined) => void = () => {};
  const finished = new Promise<string | undefined>((resolve) => done = resolve);
  const connection = await host.connectLocal({ path, timeout: TIMEOUT }, {
    onData(bytes) {
      size += bytes.length;
      if (size > MAX_SIZE) done("EFBIG");
      else pieces.push(bytes.slice());
    },
    onEnd: () => done(undefined),
    onClose: (code) => done(code === undefined || code === "EPIPE" ? CUT : code),
  });
  const cancel = host.after(TIMEOUT, () => done("ETIMEDOUT"));
  try {
    connection.write(request);
    const code = await finished;
    if (code !== undefined) throw codedError(code);
  } finally {
    cancel();
    connection.abort();
  }
  const text = new TextDecoder().decode(joinBytes(pieces));
  if (!text.endsWith("\n")) throw codedError(CUT);
  return text;
}

function fieldsIn(line: string): Fields {
  try {
    return fieldsOf(JSON.parse(line));
  } catch {
    throw codedError(UNREADABLE);
  }
}
