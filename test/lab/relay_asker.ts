/**
 * Asks a registry from WireGuard's port, as a script does that wants a relay: registers, and says whom
 * it wants through the relay, or to whom it has a direct path. Prints what was answered.
 *
 * `deno run -A relay_asker.ts REGISTRY KEY-FILE SECRET-FILE [relay|direct|only] [KEY…]`
 *
 * @module
 */

import { parseHostPort } from "../../lib/core/net/host_port.ts";
import { parseKey } from "../../lib/core/net/peer_key.ts";
import { denoHost } from "../../lib/host/deno/deno.ts";
import { QuestionClient } from "../support/question_driver.ts";
import { WIREGUARD_PORT } from "./wireguard_host.ts";

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function keyOf(text: string): Uint8Array {
  const key = parseKey(text.trim());
  if (key === undefined) throw new TypeError("no key");
  return key;
}

const [registry = "", keyFile = "", secretFile = "", what = "only", ...others] = Deno.args;
const to = parseHostPort(registry);
if (to === undefined) throw new TypeError("no registry");
const client = new QuestionClient({
  secret: keyOf(Deno.readTextFileSync(secretFile)),
  privateKey: keyOf(Deno.readTextFileSync(keyFile)),
  random: (bytes) => void crypto.getRandomValues(bytes),
});
const waiting: Uint8Array[] = [];
let came: () => void = () => {};
const socket = await denoHost().connectedUdp({
  port: WIREGUARD_PORT,
  raw: true,
  to,
  mark: 0,
  onBatch(batch) {
    for (let i = 0; i < batch.count; i++) {
      waiting.push(batch.payloads.bytes.slice(2048 * i, 2048 * i + batch.lengths[i]!));
    }
    came();
  },
  onSendError: (code) => print(code),
});
const heard = await client.converseOver({
  // deno-lint-ignore require-await -- the interface wants a promise
  send: async (datagram) => socket.send(datagram, to),
  async next() {
    while (waiting.length === 0) await new Promise<void>((done) => came = done);
    return waiting.shift()!;
  },
}, {
  ...what === "relay" && { relayed: others.map(keyOf) },
  ...what === "direct" && { directs: others.map(keyOf) },
});
socket.close();
print(JSON.stringify({ kind: heard.kind, seen: client.seen }));
Deno.exit(heard.kind === "answer" ? 0 : 1);
