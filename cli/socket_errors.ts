/**
 * What is said where a running program can't be asked through its socket.
 *
 * @module
 */

import { EXIT, UserError } from "../lib/core/settings/user_error.ts";
import { errorCode, explain, isCoded } from "../lib/host/error.ts";

const NOBODY = new Set(["ENOENT", "ECONNREFUSED"]);

/** Whether that is since nobody answers there. */
export function isNobody(error: unknown): boolean {
  return NOBODY.has(errorCode(error));
}

/** An error in words for who wanted to ask; others stay as they are. */
export function cannotAsk(path: string, error: unknown): unknown {
  if (!isCoded(error)) return error;
  const code = errorCode(error);
  const hint = code === "EACCES" || code === "EPERM"
    ? "; run this as root, or as the user who runs what is asked"
    : code === "EPROTO"
    ? "; it is of another release: restart it"
    : code === "ECONNRESET"
    ? "; others ask it at the same time: try again"
    : "";
  return new UserError(`cannot ask at ${path}: ${explain(error)}${hint}`, EXIT.failed);
}
