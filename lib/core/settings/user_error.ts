/**
 * What a user can mend, and how a command ends.
 *
 * @module
 */

/** Exit statuses; 0, 1, 2, 3 and 6 as `wgsigc` has them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  timedOut: 2,
  hostNotFound: 3,
  notAuthenticated: 4,
  somePeersFailed: 5,
  usage: 6,
} as const;

/** An exit status. */
export type ExitStatus = typeof EXIT[keyof typeof EXIT];

/** Ends a command with one line on standard error: what, where, how to mend it. */
export class UserError extends Error {
  override readonly name = "UserError";

  constructor(message: string, readonly status: ExitStatus = EXIT.usage) {
    super(message);
  }
}
