/**
 * One way to write a test for all runtimes: `Deno.test` on Deno, `bun:test` on Bun.
 *
 * @module
 */

type TestBody = () => void | Promise<void>;
type TestFunction = (name: string, body: TestBody) => void;

interface MaybeDeno {
  readonly Deno?: { test: TestFunction };
}

const deno = (globalThis as MaybeDeno).Deno;
const bunTest = "bun:test";

/** Declares a test. */
export const test: TestFunction = deno !== undefined
  ? (name, body) => deno.test(name, body)
  : (await import(bunTest) as { test: TestFunction }).test;
