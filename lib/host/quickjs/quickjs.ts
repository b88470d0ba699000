/**
 * QuickJS: a host of its own, because the engine brings none. Its C sources stand beside its other
 * files in `quickjs/`.
 *
 * @module
 */

import type { Host } from "../host.ts";
import { localAddresses } from "./address.ts";
import { QUICKJS_PRIMITIVES } from "./crypto.ts";
import { quickjsFiles } from "./files.ts";
import { connectLocal, listenLocal } from "./local_streams.ts";
import { onSignal, setTimer } from "./loop.ts";
import { checked, native } from "./native.ts";
import { standardOutput } from "./output.ts";
import { runProgram } from "./program.ts";
import { connectTcp, listenTcp } from "./tcp.ts";
import { openConnectedUdp, openRawUdp, openUdp } from "./udp.ts";
import { Resolver } from "../resolver/resolver.ts";

/** The host on QuickJS. */
export function quickjsHost(): Host {
  const host: Host = {
    ...quickjsFiles(),
    runtime: `quickjs ${native.version}`,
    target: native.target,
    user: native.user(),
    args: native.args,
    out: standardOutput(1),
    err: standardOutput(2),
    primitives: QUICKJS_PRIMITIVES,
    signing: undefined,
    env: native.env,
    forbidDumps: native.forbidDumps,
    sendLocal: (to, bytes) => void checked(native.sendLocal(to, bytes)),
    now: () => ({ unix: native.now() / 1000, mono: native.mono() / 1000 }),
    random: native.random,
    after: (seconds, run) => setTimer(seconds * 1000, run),
    onSignal,
    run: runProgram,
    resolve: (name, options) => resolver.resolve(name, options),
    localAddresses,
    udp: openUdp,
    connectedUdp: openConnectedUdp,
    rawUdp: openRawUdp,
    listenLocal,
    connectLocal,
    tcpListen: listenTcp,
    tcpConnect: connectTcp,
  };
  const resolver = new Resolver(host);
  return host;
}

/** Ends the process. */
export function exit(status: number): never {
  return native.exit(status);
}
