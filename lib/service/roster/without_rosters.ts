/**
 * What a server without rosters says to whoever asks for them.
 *
 * @module
 */

import { DESK_WORDS } from "../../core/roster/server/desk_words.ts";
import { UserError } from "../../core/settings/user_error.ts";
import type { AnswerRequest } from "../status/socket.ts";

/** Answers where there are no rosters: why not, and what to do. */
export function withoutRosters(hasGroups: boolean): Readonly<Record<string, AnswerRequest>> {
  const why = hasGroups
    ? "this wgsig serve has no --state, and would have forgotten all that after a restart; start it " +
      "with one, such as: wgsig serve --state /var/lib/wgsig/state"
    : "this wgsig serve has no group; see [[serve.group]] in docs/settings.md";
  const refuse = () => Promise.reject(new UserError(why));
  return Object.fromEntries(DESK_WORDS.map((word) => [word, refuse]));
}
