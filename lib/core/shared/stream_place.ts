/**
 * Places in a stream of the store: `MILLISECONDS-NUMBER`, by the store's clock.
 *
 * @module
 */

/** Before all that there can be. */
export const STREAM_BEGIN = "0-0";

/** When what is at a place was added, in Unix seconds by the store's clock. */
export function timeOfPlace(place: string): number {
  return partsOf(place)[0] / 1000;
}

/** Which of two places is the later one: more than 0 where `a` is. */
export function comparePlaces(a: string, b: string): number {
  const [aTime, aNumber] = partsOf(a);
  const [bTime, bNumber] = partsOf(b);
  return aTime - bTime || aNumber - bNumber;
}

/** Places that are none count as the first. */
function partsOf(place: string): readonly [number, number] {
  const [, time = "0", number = "0"] = /^(\d{1,20})-(\d{1,20})$/.exec(place) ?? [];
  return [Number(time), Number(number)];
}
