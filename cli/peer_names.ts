/**
 * Names of peers on the command line.
 *
 * @module
 */

import { peerName } from "../lib/core/roster/requests.ts";
import { UserError } from "../lib/core/settings/user_error.ts";

/** @throws {UserError} No peer can have that name. */
export function checkName(name: string): void {
  try {
    peerName(name, "this name");
  } catch (error) {
    throw error instanceof SyntaxError ? new UserError(error.message) : error;
  }
}
