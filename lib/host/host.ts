/**
 * What the program needs of a runtime: a role per file beside this one. One implementation per
 * runtime stands in a folder of its own; nothing else in the project touches one.
 *
 * Whoever needs something of a host asks for the roles that it uses, such as `Clock & Files`.
 * Above the host, all times are seconds. Errors that a host throws carry a POSIX name; see
 * {@linkcode errorCode}.
 *
 * @module
 */

import type { Primitives } from "../wire/crypto/primitives.ts";
import type { MakeSigningKey } from "../wire/crypto/signing.ts";
import type { Clock } from "./clock.ts";
import type { Files, Input } from "./files.ts";
import type { LocalDatagrams } from "./local_datagrams.ts";
import type { LocalStreams } from "./local_streams.ts";
import type { FileLocks } from "./locks.ts";
import type { LocalAddresses, Names } from "./names.ts";
import type { Outputs } from "./output.ts";
import type { Processes } from "./processes.ts";
import type { Random } from "./random.ts";
import type { RawUdp } from "./raw_udp.ts";
import type { SharedStores } from "./shared_stores.ts";
import type { Signals } from "./signals.ts";
import type { TcpConnecting, TcpListening } from "./tcp.ts";
import type { ConnectedUdp, Udp } from "./udp.ts";

/** The runtime and what it was started with. */
export interface System {
  /** `deno`, `bun`, `quickjs`, with its version. */
  readonly runtime: string;
  /** The operating system and the processor, such as `linux-x64`. */
  readonly target: string;
  /** The number of the user that the program runs as, where users have numbers. */
  readonly user: number | undefined;
  /** The command line without the program. */
  readonly args: readonly string[];
  /** A variable of the environment. */
  env(name: string): string | undefined;
  /**
   * From now on the system writes no core dump of this process, and shows its memory to no other
   * process of its user. Does nothing where that is not to be had.
   */
  forbidDumps(): void;
}

/** What keys are made with. */
export interface Cryptography {
  /** The runtime's own where they are faster than portable code. */
  readonly primitives: Primitives;
}

/** What zones are signed with. */
export interface Signing {
  /** Undefined where the runtime has nothing for that. */
  readonly signing: MakeSigningKey | undefined;
}

/** A runtime. */
export interface Host
  extends
    System,
    Cryptography,
    Signing,
    Outputs,
    Clock,
    Random,
    Signals,
    Files,
    FileLocks,
    Input,
    Processes,
    Names,
    LocalAddresses,
    LocalDatagrams,
    LocalStreams,
    Udp,
    ConnectedUdp,
    RawUdp,
    TcpListening,
    TcpConnecting,
    SharedStores {}
