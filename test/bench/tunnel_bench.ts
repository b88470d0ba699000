/**
 * What a tunnel through the relay carries, beside the same one directly: iperf3 between two real
 * WireGuards in network namespaces. Needs root, and what the tests in `test/lab` need.
 *
 * @module
 */

import { say } from "../../scripts/tools.ts";
import { RelayScene, type Way } from "../lab/relay_scene.ts";

/** How a pair is kept on each way. */
const WAYS: readonly (readonly [Way, readonly string[]])[] = [
  ["direct", ["--relay", "never"]],
  ["relay", ["--relay", "always"]],
];
const LIMIT = 20;

/** Prints megabits per second for each way, in turn. */
export async function benchTunnel(seconds: number, rounds: number): Promise<void> {
  say("| round | direct, Mbit/s | relayed, Mbit/s | relayed / direct |");
  say("| ----: | -------------: | --------------: | ---------------: |");
  for (let round = 1; round <= rounds; round++) {
    const figures: number[] = [];
    for (const [way, args] of WAYS) figures.push(await measure(way, args, seconds));
    const [direct = 0, relayed = 0] = figures;
    const ratio = (relayed / direct).toFixed(2);
    say(`| ${round} | ${direct.toFixed(0)} | ${relayed.toFixed(0)} | ${ratio} |`);
  }
}

async function measure(way: Way, args: readonly string[], seconds: number): Promise<number> {
  await using scene = await RelayScene.open(["preserve", "eim"], ...args);
  await scene.goes(way, LIMIT);
  const { alice, bob } = scene.lab;
  const server = bob.namespace.start(["iperf3", "--server", "--one-off", "--forceflush"]);
  await server.printed(/listening/);
  const text = await alice.namespace.must([
    "iperf3",
    "--client",
    bob.address,
    "--time",
    `${seconds}`,
    "--json",
  ]);
  const bits = /"sum_received":\s*{[^}]*"bits_per_second":\s*([\d.e+]+)/.exec(text)?.[1];
  if (bits === undefined) throw new Error(`iperf3 says no speed: ${text.slice(0, 200)}`);
  return Number(bits) / 1e6;
}
