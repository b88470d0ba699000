/**
 * Another time for one program, and not for the WireGuard beside it.
 *
 * @module
 */

import { assert } from "@std/assert";
import { BINARY, isRouterBinary, MOVABLE_CLOCK_BINARY, type Running } from "../support/program.ts";
import type { Lab } from "./lab.ts";
import { must } from "./namespace.ts";
import type { WireGuardHost } from "./wireguard_host.ts";

/** What this needs of the machine: a static binary loads no library. */
export const CLOCK_NEED: string = isRouterBinary()
  ? "the router binary with a clock that moves"
  : "faketime";

/** A clock of `sync` that goes on from 5 minutes past 1970, until it is set right. */
export class OtherClock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /** Has it in a folder. */
  static async in1970(folder: string): Promise<OtherClock> {
    const clock = new OtherClock(`${folder}/clock`);
    const ahead = 300 - Math.round(Date.now() / 1000);
    const text = isRouterBinary() ? `${ahead}\n` : "@1970-01-01 00:05:00\n";
    await Deno.writeTextFile(clock.#file, text);
    return clock;
  }

  /** Sets it right, under what runs with it. */
  async setRight(): Promise<void> {
    await Deno.writeTextFile(this.#file, "+0\n");
  }

  /** Starts `wgsig sync` with it. */
  async sync(lab: Lab, host: WireGuardHost, ...args: readonly string[]): Promise<Running> {
    if (isRouterBinary()) {
      const env = { WGSIG_TEST_CLOCK: this.#file };
      return lab.syncWith(host, args, { binary: MOVABLE_CLOCK_BINARY, env });
    }
    const env = {
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      TZ: "UTC",
    };
    const through = ["env", `LD_PRELOAD=${await faketimeLibrary()}`];
    return lab.syncWith(host, args, { through, binary: BINARY, env });
  }
}

/** What the program `faketime` preloads; that one would stand between the test and wgsig. */
async function faketimeLibrary(): Promise<string> {
  const files = await must(["dpkg", "-L", "libfaketime"]);
  const path = /^.*\/libfaketime\.so\.1$/m.exec(files)?.[0];
  assert(path !== undefined, files);
  return path;
}
