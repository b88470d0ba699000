/**
 * Errors in words, whoever threw them.
 *
 * @module
 */

import { UserError } from "../../core/settings/user_error.ts";
import { explain } from "../../host/error.ts";

/** What went wrong: what is said to a user as it is, all else explained. */
export function inWords(error: unknown): string {
  return error instanceof UserError ? error.message : explain(error);
}
