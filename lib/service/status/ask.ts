/**
 * Asks a running program how it is doing.
 *
 * @module
 */

import { readReport } from "../../core/status/read_report.ts";
import type { Report } from "../../core/status/report.ts";
import { joinBytes } from "../../wire/bytes/wire_buffer.ts";
import type { Clock } from "../../host/clock.ts";
import { codedError } from "../../host/error.ts";
import type { LocalStreams } from "../../host/local_streams.ts";
import { QUESTION } from "./socket.ts";

/** An answer is no larger, in bytes. */
const MAX_SIZE = 16_000_000;
/** It is awaited for so long, in seconds. */
const TIMEOUT = 5;
/** The connection is over before the answer. */
const CUT = "ECONNRESET";

/**
 * Asks at a socket: `ENOENT` or `ECONNREFUSED` where nobody answers, `EACCES`, `ETIMEDOUT`,
 * `ECONNRESET` where it was cut, `EPROTO` where the answer is none.
 */
export async function askStatus(host: Clock & LocalStreams, path: string): Promise<Report> {
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
    connection.write(new TextEncoder().encode(QUESTION));
    const code = await finished;
    if (code !== undefined) throw codedError(code);
  } finally {
    cancel();
    connection.abort();
  }
  const text = new TextDecoder().decode(joinBytes(pieces));
  if (!text.endsWith("\n")) throw codedError(CUT);
  const report = readReport(text);
  if (report === undefined) throw codedError("EPROTO");
  return report;
}
