/**
 * The order of many numbers, without calls that compare them: a million takes a tenth of the time.
 *
 * @module
 */

/** Whole numbers below two to this are exact. */
const EXACT_BITS = 52;

/**
 * The places of some numbers, the least first. Of those that are the same the first one comes first; so
 * it is with those that differ by less than some billionth of what lies between the least and the
 * greatest of them. No NaN, and no infinity.
 */
export function orderOf(numbers: Float64Array): Int32Array {
  const { length } = numbers;
  let least = Infinity;
  let greatest = -Infinity;
  for (let i = 0; i < length; i++) {
    least = Math.min(least, numbers[i]!);
    greatest = Math.max(greatest, numbers[i]!);
  }
  // Each key is a number's place in the span, and behind that its place among the numbers.
  const places = 2 ** Math.ceil(Math.log2(length + 1));
  const scale = greatest > least ? (2 ** EXACT_BITS / places - 1) / (greatest - least) : 0;
  const keys = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    keys[i] = Math.floor((numbers[i]! - least) * scale) * places + i;
  }
  keys.sort();
  const order = new Int32Array(length);
  for (let i = 0; i < length; i++) order[i] = keys[i]! % places;
  return order;
}
