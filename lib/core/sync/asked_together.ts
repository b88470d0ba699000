/**
 * Registries that are asked at the same time: until when they are waited for.
 *
 * @module
 */

/** How far one of them is. */
export interface AskedOne {
  /** Whether nothing is to be done for it any more. */
  readonly isDone: boolean;
  /** Whether it has answered all that it was asked. */
  readonly isAnswered: boolean;
  /** Whether it was of no use when it was asked before. */
  readonly hasFailed: boolean;
}

/**
 * Whether a round is over: each has answered, or its time is over. Whoever was of no use before is not
 * waited for once another has answered: it has cost its time already.
 *
 * @param othersAnswer Whether others that are no registries do so.
 */
export function isRoundOver(asked: readonly AskedOne[], othersAnswer = false): boolean {
  const open = asked.filter(({ isDone }) => !isDone);
  return open.every(({ hasFailed }) => hasFailed) &&
    (open.length === 0 || othersAnswer ||
      asked.some(({ isDone, isAnswered }) => isDone && isAnswered));
}
