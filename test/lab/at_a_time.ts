/**
 * Several labs beside each other.
 *
 * @module
 */

/** Does something with each, with so many at once, and returns the results in their order. */
export async function atATime<T, R>(
  count: number,
  all: readonly T[],
  work: (one: T) => Promise<R>,
): Promise<R[]> {
  const left = [...all.entries()];
  const results: R[] = [];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      results[next[0]] = await work(next[1]);
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  return results;
}
