/**
 * Puts the recorded runs of the real wgsigc before our exchange: the same clock and nonce, the same
 * answers. Our request is the recorded one byte by byte, and our configuration is what wgsigc
 * printed, or the case stands in the table of faults that are not copied.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Receipt, SeenPeer } from "../../../lib/core/ask/exchange.ts";
import { parseKey } from "../../../lib/core/net/peer_key.ts";
import { formatFragment, type KnownPeer } from "../../../lib/core/ask/wg_config.ts";
import { KEEP_ENDPOINT } from "../../../lib/wire/wgsig/request.ts";
import { hex } from "../../support/bytes.ts";
import { ExchangeDriver } from "../../support/exchange_driver.ts";
import { type ClientCase, clientVectors } from "../../support/vectors.ts";
import { test } from "../../testing.ts";

const FAULTS = {
  "twice": "a peer that an answer names twice is printed twice",
  "no label": "a label without bit 62, or with bit 63, is printed as seen 0 s ago",
  "SGROUP": "SGROUP is not looked at",
  "endpoint": "an endpoint that can be nobody's (port 0, a broadcast address) is printed",
  "talk": "what went wrong is printed on standard output, into the configuration",
} as const;

/** What we do where we do not copy a fault. */
interface Difference {
  readonly fault: keyof typeof FAULTS;
  /** What becomes of each datagram. */
  readonly receipts: readonly Receipt[];
  readonly output: string;
}

const OWN_AND_ONE = `# Public endpoint = 198.51.100.1:41000

[Peer]
# Seen 17 s ago
PublicKey = BdrugncH3cLX6uRGst8q7ulUW0A8a4/ne4nUwbZR5pY=
Endpoint = 198.51.100.2:41001

[Interface]
ListenPort = 10000
`;

const DIFFERENCES: ReadonlyMap<string, Difference> = new Map<string, Difference>([
  ["own id twice", { fault: "twice", receipts: ["accepted"], output: OWN_AND_ONE }],
  ["time field without bit 62", { fault: "no label", receipts: ["accepted"], output: "" }],
  ["time field with bit 63", { fault: "no label", receipts: ["accepted"], output: "" }],
  ["port 0 and broadcast address records", {
    fault: "endpoint",
    receipts: ["accepted"],
    output: "[Interface]\nListenPort = 10000\n",
  }],
  ["sgroup mismatch", { fault: "SGROUP", receipts: ["drop-group-mismatch"], output: "" }],
  ["wrong hmac only", { fault: "talk", receipts: ["drop-bad-mac"], output: "" }],
  ["hmac of other secret", { fault: "talk", receipts: ["drop-bad-mac"], output: "" }],
  ["no answer", { fault: "talk", receipts: [], output: "" }],
  ["wrong hmac then good", {
    fault: "talk",
    receipts: ["drop-bad-mac", "accepted"],
    output: OWN_AND_ONE,
  }],
  ...["one byte short then good", "zero length then good"].map((name): [string, Difference] => [
    name,
    { fault: "talk", receipts: ["drop-too-short", "accepted"], output: OWN_AND_ONE },
  ]),
]);

/** The nonce of an encrypted datagram, from a random source that gives nothing else. */
function nonceOf(datagram: Uint8Array): (bytes: Uint8Array) => void {
  return (bytes) => bytes.set(datagram.slice(4, 16));
}

function unadorned(seen: SeenPeer): KnownPeer {
  return {
    publicKey: seen.publicKey,
    name: undefined,
    seen,
    allowedIps: undefined,
    persistentKeepalive: undefined,
    presharedKey: undefined,
  };
}

/** wgsigc registers, and prints the port, where its port is even. */
function registers({ localPort }: ClientCase): boolean {
  return localPort % 2 === 0;
}

interface Run {
  readonly requests: readonly Uint8Array[];
  readonly receipts: readonly Receipt[];
  readonly isComplete: boolean;
  readonly output: string;
}

function run(recorded: ClientCase): Run {
  const id = parseKey(recorded.ownId);
  assert(id !== undefined);
  const [request] = recorded.requests;
  assert(request !== undefined);
  const driver = new ExchangeDriver({
    id,
    secret: clientVectors.secret,
    flags: registers(recorded) ? 0 : KEEP_ENDPOINT,
    encrypt: true,
  }, nonceOf(request));
  const requests = [driver.ask(recorded.clock)];
  const receipts = driver.receiveAll(recorded.responses.map(({ payload }) => payload));
  const own = {
    publicKey: driver.exchange.publicKey,
    privateKey: undefined,
    addresses: [],
    listenPort: registers(recorded) ? recorded.localPort : undefined,
  };
  const peers = driver.exchange.peers(recorded.clock).map(unadorned);
  const { isComplete } = driver.exchange;
  return {
    requests,
    receipts,
    isComplete,
    output: isComplete ? formatFragment(own, peers, recorded.clock) : "",
  };
}

for (const recorded of clientVectors.entries) {
  const difference = DIFFERENCES.get(recorded.name);

  test(`${recorded.name}: our request is the one of wgsigc`, () => {
    assertEquals(run(recorded).requests.map(hex), recorded.requests.map(hex));
  });

  test(`${recorded.name}: we print what wgsigc printed, but for its faults`, () => {
    const { receipts, isComplete, output } = run(recorded);
    if (difference === undefined) {
      assertEquals(receipts, recorded.responses.map((): Receipt => "accepted"));
      assertEquals(output, recorded.output);
      return;
    }
    const message = FAULTS[difference.fault];
    assertEquals(receipts, [...difference.receipts], message);
    assertEquals(isComplete, difference.receipts.includes("accepted"), message);
    assertEquals(output, difference.output, message);
    assertNotEquals(output, recorded.output, "this is no difference any more");
  });
}

test("every difference from wgsigc is of a recorded run, and every fault that is named has one", () => {
  const names = clientVectors.entries.map(({ name }) => name);
  assertEquals([...DIFFERENCES.keys()].filter((name) => !names.includes(name)), []);
  const used = new Set<string>([...DIFFERENCES.values()].map(({ fault }) => fault));
  assertEquals(Object.keys(FAULTS).filter((fault) => !used.has(fault)), []);
});
