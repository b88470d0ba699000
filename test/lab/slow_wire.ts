/**
 * Wires with a length: not every kernel has netem.
 *
 * @module
 */

import { must, type Namespace } from "./namespace.ts";

/** What this needs of the machine. */
export const WIRE_NEED = "gcc";

const SOURCE = new URL("slow_wire.c", import.meta.url).pathname;

let made: Promise<string> | undefined;

/** Compiles the program that the wires are; once. */
async function program(): Promise<string> {
  const folder = new URL("../../dist/test", import.meta.url).pathname;
  await Deno.mkdir(folder, { recursive: true });
  const file = `${folder}/slow_wire`;
  // Another process may run the one that is there.
  const fresh = await Deno.makeTempFile({ dir: folder, prefix: "slow_wire-" });
  await must(["gcc", "-O1", "-o", fresh, SOURCE], { env: { PATH: Deno.env.get("PATH") ?? "" } });
  await Deno.rename(fresh, file);
  return file;
}

/** Lays wires: pairs of interfaces in a namespace, of which each may move to another. */
export async function layWires(
  namespace: Namespace,
  milliseconds: number,
  names: readonly string[],
): Promise<void> {
  const file = await (made ??= program());
  await namespace.start([file, `${milliseconds}`, ...names]).printed(/ready/);
}
