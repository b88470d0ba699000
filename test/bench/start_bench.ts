/**
 * How long the built server takes from its start to its first answer, and how much memory it has
 * then, with few peers and with many.
 *
 * @module
 */

import { encodeHex } from "@std/encoding/hex";
import { MacKey } from "../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { encodeRequest, newRequest, REQUEST_SIZE } from "../../lib/wire/wgsig/request.ts";
import { labelOf } from "../../lib/wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { say } from "../../scripts/tools.ts";
import { encodeState } from "../support/saved_state.ts";
import { BINARY, memoryOf, Running } from "../support/program.ts";
import { median } from "./report.ts";
import { registryOf, SECRET } from "./requests.ts";

const PEERS = [0, 100_000];
/** Milliseconds between requests, until one is answered. */
const PAUSE = 1;
/** Until what it needed to start is gone. */
const SETTLE = 1000;

interface Start {
  readonly ms: number;
  readonly kilobytes: number;
}

/** Prints medians of starts. */
export async function benchStart(rounds: number): Promise<void> {
  say(`\n${"from the start to the first answer".padEnd(36)}    ms   resident MB`);
  for (const peers of PEERS) {
    const starts: Start[] = [];
    for (let round = 0; round < rounds; round++) starts.push(await start(peers));
    const ms = median(starts.map((each) => each.ms));
    const megabytes = median(starts.map((each) => each.kilobytes)) / 1000;
    say(
      `${`${peers} peers`.padEnd(36)}${ms.toFixed(0).padStart(6)}${
        megabytes.toFixed(1).padStart(14)
      }`,
    );
  }
}

async function start(peers: number): Promise<Start> {
  const folder = await Deno.makeTempDir();
  const state = encodeState(registryOf(peers, 1000), { unix: Date.now() / 1000, mono: 0 });
  await Deno.writeFile(`${folder}/state`, state, { mode: 0o600 });
  await Deno.writeTextFile(`${folder}/secret`, encodeHex(SECRET), { mode: 0o600 });
  const port = freePort();
  const began = performance.now();
  const running = new Running([
    ...[BINARY, "serve", "--secret", `${folder}/secret`, "--state", `${folder}/state`],
    ...["--listen", `127.0.0.1:${port}`],
  ]);
  try {
    await firstAnswer(port);
    const ms = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, SETTLE));
    return { ms, kilobytes: await memoryOf(running.pid) };
  } finally {
    await running.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** A port that nobody has at the moment. */
function freePort(): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { addr } = socket;
  socket.close();
  if (addr.transport !== "udp") throw new TypeError("not a UDP socket");
  return addr.port;
}

/** Asks again and again until there is an answer. */
async function firstAnswer(port: number): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const key = new MacKey(SECRET, PORTABLE);
  const request = newRequest();
  const buffer = new WireBuffer(REQUEST_SIZE);
  const timer = setInterval(() => {
    Object.assign(request, labelOf(Date.now() / 1000));
    encodeRequest(request, key, buffer, 0);
    const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
    // Nobody may be there yet.
    socket.send(buffer.bytes, to).catch(() => {});
  }, PAUSE);
  try {
    for (;;) {
      try {
        await socket.receive();
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
    }
  } finally {
    clearInterval(timer);
    socket.close();
  }
}
