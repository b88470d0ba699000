/**
 * What the load asks: the built server, with 1000 peers and a zone of them, and responders.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { bundle, has, ROOT, run } from "../../scripts/tools.ts";
import { encodeState } from "../support/saved_state.ts";
import { BINARY, Running } from "../support/program.ts";
import { pinned, SERVER_CORE } from "./cores.ts";
import { ZONE } from "./dns_questions.ts";
import type { Kind } from "./job.ts";
import { FULL_ANSWER, PEERS, registryOf, SECRET } from "./requests.ts";

/** One datagram of ten records an answer, */
const ONE_DATAGRAM = 10;
/** or all that there are. */
const ALL_DATAGRAMS = FULL_ANSWER * 10;

/**
 * The port that the system chooses for UDP may be one that a TCP connection has; another one is
 * tried then.
 */
const TRIES = 5;

/** A process that answers. */
export interface Target {
  readonly running: Running;
  /** Where it answers what, on 127.0.0.1. */
  readonly ports: Readonly<Record<Kind, number>>;
  /** Sizes of its answers if they say nothing, else 0. */
  readonly bareSizes: Readonly<Record<Kind, number>>;
}

/** What a server knows, and answers. */
export interface ServerOptions {
  /** {@linkcode PEERS} where this is left out. */
  readonly peers?: number;
  /** Whether it answers with all peers, instead of with ten. */
  readonly full?: boolean;
  /** Whether it says over HTTP how it is doing. */
  readonly status?: boolean;
}

/** Starts the built server. Its files go into a folder in `parent`. */
export async function startServer(
  parent: string,
  { peers = PEERS, full = false, status = false }: ServerOptions = {},
): Promise<Target> {
  const folder = await Deno.makeTempDir({ dir: parent });
  const maxAnswer = full ? ALL_DATAGRAMS : ONE_DATAGRAM;
  const state = encodeState(registryOf(peers, maxAnswer), { unix: Date.now() / 1000, mono: 0 });
  await Deno.writeFile(`${folder}/state`, state, { mode: 0o600 });
  await Deno.writeTextFile(`${folder}/secret`, encodeHex(SECRET), { mode: 0o600 });
  // Else the answers to one source would soon be empty.
  const http = status ? 'status = "127.0.0.1:0"\n' : "";
  await Deno.writeTextFile(
    `${folder}/wgsig.toml`,
    `[serve]\nanswer-budget = 0\n${http}[serve.dns]\nanswer-budget = 0\n`,
  );
  for (let tries = TRIES;; tries--) {
    try {
      return await startServerOnce(folder, maxAnswer);
    } catch (error) {
      if (tries <= 1) throw error;
    }
  }
}

async function startServerOnce(folder: string, maxAnswer: number): Promise<Target> {
  const running = new Running(pinned(SERVER_CORE, [
    ...[BINARY, "serve", "--config", `${folder}/wgsig.toml`],
    ...["--secret", `${folder}/secret`, "--state", `${folder}/state`],
    ...["--listen", "127.0.0.1:0", "--max-answer", String(maxAnswer)],
    ...["--dns", "127.0.0.1:0", "--zone", ZONE],
  ]));
  const [, wgsig, dns] = await printed(
    running,
    / listening address=\S+:(\d+)\n[^]* dns-listening address=\S+:(\d+)\n[^]* ready /,
  );
  return {
    running,
    ports: { plain: wgsig!, encrypted: wgsig!, poll: wgsig!, srv: dns!, full: wgsig!, ptr: dns! },
    bareSizes: { plain: 0, encrypted: 0, poll: 0, srv: 0, full: 0, ptr: 0 },
  };
}

/** Starts the responder, whose answers have such sizes. @param bun The program of Bun. */
export async function startResponder(
  bun: string,
  folder: string,
  bareSizes: Target["bareSizes"],
): Promise<Target> {
  const file = `${folder}/responder.js`;
  await bundle(`${ROOT}/test/bench/responder.ts`, file);
  const { plain, encrypted, poll, srv, full, ptr } = bareSizes;
  const sizes = [plain, encrypted, poll, srv, full, ptr];
  const running = new Running(pinned(SERVER_CORE, [bun, file, ...sizes.map(String)]));
  const [, ...ports] = await printed(running, /ready (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)\n/);
  return {
    running,
    ports: {
      plain: ports[0]!,
      encrypted: ports[1]!,
      poll: ports[2]!,
      srv: ports[3]!,
      full: ports[4]!,
      ptr: ports[5]!,
    },
    bareSizes,
  };
}

/**
 * Builds and starts the responder in C, which answers over UDP with one datagram each; undefined
 * where there is no compiler.
 */
export async function startResponderInC(
  folder: string,
  bareSizes: Target["bareSizes"],
): Promise<Target | undefined> {
  if (!has("gcc")) return undefined;
  const file = `${folder}/responder`;
  await run(["gcc", "-O2", "-pthread", "-o", file, `${ROOT}/test/bench/responder.c`]);
  const { plain, encrypted, poll, srv } = bareSizes;
  const sizes = [plain, encrypted, poll, srv];
  const running = new Running(pinned(SERVER_CORE, [file, ...sizes.map(String)]));
  const [, ...ports] = await printed(running, /ready (\d+) (\d+) (\d+) (\d+)\n/);
  const [first, second, third, fourth] = ports as [number, number, number, number];
  return {
    running,
    ports: { plain: first, encrypted: second, poll: third, srv: fourth, full: 0, ptr: 0 },
    bareSizes,
  };
}

/** The numbers of what it prints; it is ended where it doesn't. */
async function printed(running: Running, pattern: RegExp): Promise<number[]> {
  try {
    return (await running.printed(pattern)).map(Number);
  } catch (error) {
    await running.stop("SIGKILL");
    throw error;
  }
}
