/**
 * The host on Bun.
 *
 * @module
 */

import process from "node:process";
import { BUN_PRIMITIVES } from "./bun_crypto.ts";
import { runProgram } from "./bun_run.ts";
import { openBunUdp } from "./bun_udp.ts";
import type { Host } from "./host.ts";
import { bunLibc } from "./linux/libc_bun.ts";
import { openConnectedSocket } from "./linux/connected_socket.ts";
import { nodeHost } from "./node.ts";
import { tcpHost } from "./tcp.ts";
import { CAN_SHARE_PORTS, threadHost } from "./threads.ts";

declare const Bun: { readonly version: string; readonly argv: readonly string[] };

/** How the host goes about it. */
export interface BunHostOptions {
  /** Whether UDP servers may use libc; true where this is left out. For tests. */
  readonly libc?: boolean;
  /** The address of the program's module, if threads can be started with it. */
  readonly program?: string;
}

/** The host on Bun. */
export function bunHost({ libc = true, program }: BunHostOptions = {}): Host {
  return {
    ...nodeHost(),
    ...tcpHost(),
    ...(program !== undefined && CAN_SHARE_PORTS ? threadHost(program) : {}),
    runtime: `bun ${Bun.version}`,
    args: Bun.argv.slice(2),
    primitives: BUN_PRIMITIVES,
    run: runProgram,
    onSignal(signal, run) {
      process.on(signal, run);
      return () => void process.off(signal, run);
    },
    udp: (options) => openBunUdp(options, libc),
    // deno-lint-ignore require-await -- what throws becomes a rejection
    connectedUdp: async (options) => openConnectedSocket(bunLibc(), options),
  };
}
