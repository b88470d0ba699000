/**
 * Runs binaries of other processors, for the tests of the router build.
 *
 * @module
 */

import { ownRouterTarget, type RouterTarget } from "../../scripts/router/targets.ts";

/** Where `deno task build:router --all` puts a target's binary. */
export function routerBinary({ name }: RouterTarget): string {
  return new URL(`../../dist/router/wgsig-${name}`, import.meta.url).pathname;
}

/** What runs a target's binaries here: nothing, or an emulator. */
export function runnerOf(target: RouterTarget): string[] {
  return target === ownRouterTarget() ? [] : [target.qemu];
}

/** The programs that a test of a target needs. */
export function needsOf(target: RouterTarget): string[] {
  return [`${target.triplet}-gcc`, ...runnerOf(target)];
}
