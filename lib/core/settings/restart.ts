/**
 * What of other settings needs a restart: what is bound, or in use.
 *
 * @module
 */

/** Settings that can't be changed while the program runs, by what the log calls them. */
export type Fixed<S> = Readonly<Record<string, (settings: S) => unknown>>;

/** What is wanted otherwise than at the start, and needs a restart. */
export function needsRestart<S>(fixed: Fixed<S>, first: S, wanted: S): string[] {
  return Object.entries(fixed)
    .filter(([, of]) => JSON.stringify(of(first)) !== JSON.stringify(of(wanted)))
    .map(([name]) => name);
}
