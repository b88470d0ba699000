/**
 * A sorted set of large numbers that says which number is missing from it, by rank.
 *
 * It is kept in chunks, so that a change moves few numbers, however many there are.
 *
 * @module
 */

/** A chunk that grows beyond this is halved. */
const MAX_CHUNK = 256;

/** Numbers of 0 and more, each once. */
export class RankedSet {
  /** None is empty, but for the only one. */
  readonly #chunks: bigint[][] = [[]];
  #count = 0;

  /** How many numbers there are. */
  get count(): number {
    return this.#count;
  }

  /** Whether the number is in the set. */
  has(number: bigint): boolean {
    const chunk = this.#chunks[this.#chunkOf(number)]!;
    return chunk[placeIn(chunk, number)] === number;
  }

  /** Adds the number. Returns whether it was not there. */
  add(number: bigint): boolean {
    const i = this.#chunkOf(number);
    const chunk = this.#chunks[i]!;
    const place = placeIn(chunk, number);
    if (chunk[place] === number) return false;
    chunk.splice(place, 0, number);
    this.#count++;
    if (chunk.length > MAX_CHUNK) this.#chunks.splice(i + 1, 0, chunk.splice(MAX_CHUNK >> 1));
    return true;
  }

  /** Removes the number. Returns whether it was there. */
  remove(number: bigint): boolean {
    const i = this.#chunkOf(number);
    const chunk = this.#chunks[i]!;
    const place = placeIn(chunk, number);
    if (chunk[place] !== number) return false;
    chunk.splice(place, 1);
    this.#count--;
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(i, 1);
    return true;
  }

  /** Of the numbers that are not in the set, the one before which there are `rank` others. */
  missing(rank: bigint): bigint {
    // The number is `rank` and one more for each number of the set that lies before it.
    let before = 0;
    for (const chunk of this.#chunks) {
      const last = chunk.length - 1;
      if (last >= 0 && chunk[last]! - BigInt(before + last) > rank) {
        let low = 0;
        let high = last;
        while (low < high) {
          const middle = (low + high) >>> 1;
          if (chunk[middle]! - BigInt(before + middle) > rank) high = middle;
          else low = middle + 1;
        }
        return rank + BigInt(before + low);
      }
      before += chunk.length;
    }
    return rank + BigInt(before);
  }

  /** The chunk where a number is, or would be. */
  #chunkOf(number: bigint): number {
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = chunks[middle]!;
      if (chunk[chunk.length - 1]! < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The first place of a sorted list whose number is not less; its length where there is none. */
function placeIn(numbers: readonly bigint[], number: bigint): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
