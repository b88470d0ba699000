/**
 * Whether the built server's memory grows with the requests that it answers.
 *
 * @module
 */

import { bundle, bunProgram, ownTarget, ROOT, say } from "../../scripts/tools.ts";
import { memoryOf } from "../support/program.ts";
import { Loader } from "./loader.ts";
import { startServer } from "./targets.ts";

const PEERS = 100_000;
const CLIENTS = 64;
/** Of a load. */
const SECONDS = 10;
const KINDS = ["plain", "encrypted"] as const;
/** At most; what is wanted. */
const MOST_MEGABYTES = 80;

/** Asks so many times, and prints the memory on the way. */
export async function benchMemory(requests: number): Promise<void> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/load.js`;
  await bundle(`${ROOT}/test/bench/load.ts`, file);
  const loader = new Loader(await bunProgram(ownTarget()), file, SECONDS);
  const target = await startServer(folder, { peers: PEERS });
  try {
    say(`\n${`${PEERS} peers`.padEnd(24)}resident MB (wanted: at most ${MOST_MEGABYTES})`);
    let asked = 0;
    for (let turn = 0;; turn++) {
      const megabytes = await memoryOf(target.running.pid) / 1000;
      say(`${`${Math.round(asked)} requests`.padEnd(24)}${megabytes.toFixed(1).padStart(11)}`);
      if (asked >= requests) return;
      const kind = KINDS[turn % KINDS.length]!;
      const { rate } = await loader.run(target, { kind, clients: CLIENTS, pause: 0 });
      asked += rate * SECONDS;
    }
  } finally {
    await target.running.stop();
    await Deno.remove(folder, { recursive: true });
  }
}
