/**
 * What is tried for a while, and whose failure takes nothing with it.
 *
 * @module
 */

import type { Fact } from "../../core/doctor/check.ts";
import type { Clock } from "../../host/clock.ts";
import { inWords } from "../log/in_words.ts";

/** Tries something, for so many seconds at most. It isn't ended, but no more waited for. */
export async function attempt<T>(
  clock: Clock,
  seconds: number,
  what: () => Promise<T>,
): Promise<Fact<T>> {
  let cancel = () => {};
  const late = new Promise<Fact<T>>((done) => {
    cancel = clock.after(seconds, () => done({ problem: `it took more than ${seconds} s` }));
  });
  try {
    return await Promise.race([late, what().then((value) => ({ value }))]);
  } catch (error) {
    return { problem: inWords(error) };
  } finally {
    cancel();
  }
}
