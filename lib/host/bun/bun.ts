/**
 * The host on Bun.
 *
 * @module
 */

import process from "node:process";
import { BUN_PRIMITIVES } from "./crypto.ts";
import { runProgram } from "./run.ts";
import { openBunUdp } from "./udp.ts";
import type { Host } from "../host.ts";
import { bunLibc } from "../linux/libc_bun.ts";
import { lockFile } from "../linux/file_lock.ts";
import { openConnectedSocket } from "../linux/connected_socket.ts";
import { openRawUdp } from "../linux/raw_udp.ts";
import { sendLocalDatagram } from "../linux/local_datagram.ts";
import { forbidDumps } from "../linux/process.ts";
import { nodeHost, SYSTEM_RESOLVER } from "../node/node.ts";
import { tcpHost } from "../node/tcp.ts";
import { Resolver } from "../resolver/resolver.ts";

declare const Bun: { readonly version: string; readonly argv: readonly string[] };

/** How the host goes about it. */
export interface BunHostOptions {
  /** Whether UDP servers may use libc; true where this is left out. For tests. */
  readonly libc?: boolean;
}

/** The host on Bun. */
export function bunHost({ libc = true }: BunHostOptions = {}): Host {
  const host: Host = {
    ...nodeHost(),
    ...tcpHost(),
    runtime: `bun ${Bun.version}`,
    args: Bun.argv.slice(2),
    primitives: BUN_PRIMITIVES,
    forbidDumps: () => forbidDumps(bunLibc),
    sendLocal: (to, bytes) => sendLocalDatagram(bunLibc, to, bytes),
    run: runProgram,
    onSignal(signal, run) {
      process.on(signal, run);
      return () => void process.off(signal, run);
    },
    // deno-lint-ignore require-await -- what throws becomes a rejection
    lockFile: async (path) => lockFile(bunLibc, path),
    udp: (options) => openBunUdp(options, libc),
    // deno-lint-ignore require-await -- what throws becomes a rejection
    connectedUdp: async (options) => openConnectedSocket(bunLibc(), options),
    // deno-lint-ignore require-await -- what throws becomes a rejection
    rawUdp: async (options) => openRawUdp(bunLibc(), options),
    resolve: (name, options) => resolver.resolve(name, options),
  };
  const resolver = new Resolver(host, undefined, SYSTEM_RESOLVER);
  return host;
}
