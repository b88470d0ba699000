/**
 * What tests use of a runtime, on QuickJS: timers, clocks, and a place where tests are declared.
 *
 * @module
 */

import "../../../lib/host/quickjs/globals.ts";
import { exit, quickjsHost } from "../../../lib/host/quickjs/quickjs.ts";

const host = quickjsHost();
/** An interpreter with sanitizers is slow: whoever waits shall have patience. */
const SLOWER = 8;
const tests: [name: string, body: () => void | Promise<void>][] = [];
const timers = new Map<number, () => void>();
let timerCount = 0;

function setTimeout(run: (...values: unknown[]) => void, ms = 0, ...values: unknown[]): number {
  const id = ++timerCount;
  timers.set(
    id,
    host.after(ms / 1000, () => {
      timers.delete(id);
      run(...values);
    }),
  );
  return id;
}

function clearTimeout(id: number): void {
  timers.get(id)?.();
  timers.delete(id);
}

/** A copy of plain objects, arrays and bytes. */
function cloned(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(cloned);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, cloned(each)]));
}

/** The assertions compare objects of these classes in their own way; there are none. */
class Nothing {}

Object.assign(globalThis, {
  Intl: { Locale: Nothing },
  URL: Nothing,
  URLSearchParams: Nothing,
  setTimeout,
  clearTimeout,
  performance: { now: () => host.now().mono * 1000 / SLOWER },
  crypto: {
    getRandomValues<T extends Uint8Array>(bytes: T): T {
      host.random(bytes);
      return bytes;
    },
  },
  queueMicrotask: (run: () => void) => void Promise.resolve().then(run),
  structuredClone: cloned,
  // Where test/testing.ts looks for it.
  Deno: {
    noColor: true,
    test: (name: string, body: () => void | Promise<void>) => void tests.push([name, body]),
  },
});

/** Runs the tests that were declared, and prints what became of them. */
export async function runTests(): Promise<void> {
  let failed = 0;
  for (const [name, body] of tests) {
    try {
      await body();
    } catch (error) {
      failed++;
      const trace = error instanceof Error ? `${error}\n${error.stack}` : String(error);
      host.out.write(`FAILED ${name}\n${trace}\n`);
    }
  }
  host.out.write(`${tests.length - failed} passed, ${failed} failed\n`);
  // A test that failed may have left something that would be waited for.
  if (failed > 0) exit(1);
}
