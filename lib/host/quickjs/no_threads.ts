/**
 * In the place of what the threads of `wgsig serve` need (`worker_pool.ts`, `replica.ts`): there are
 * none here, so nothing of it is ever made, and a small router needs not hold it in memory.
 *
 * @module
 */

class Unavailable {
  constructor() {
    throw new Error("there are no threads on this host");
  }
}

/** See `lib/core/replica.ts`. */
export { Unavailable as Replica };
/** See `lib/service/worker_pool.ts`. */
export { Unavailable as WorkerPool };
