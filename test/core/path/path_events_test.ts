/** Whatever happens to two hosts, they come together again. */

import { assert } from "@std/assert";
import { formatHostPort } from "../../../lib/core/net/host_port.ts";
import { seededNumbers } from "../../support/seeded_random.ts";
import { test } from "../../testing.ts";
import { PathWorld, type WorldNat, type WorldPeer } from "./path_world.ts";

const KINDS: readonly WorldNat[] = [
  "none",
  "cone",
  "restricted",
  "sym",
  "seq",
  "random",
  "blocked",
];
const RUNS = 30;
const FIRST = 1;

/** One run: a log of it. */
function runOf(seed: number): { readonly log: readonly string[]; readonly world: PathWorld } {
  const chance = seededNumbers(seed);
  const draw = <T>(all: readonly T[]): T => all[Math.floor(chance() * all.length)]!;
  const world = new PathWorld([draw(KINDS), draw(KINDS)], {
    seed,
    shared: chance() < 0.1,
    delay: draw([0.002, 0.01, 0.05, 0.3]),
  });
  const log: string[] = [
    `${world.a.nat.kind}/${world.b.nat.kind} shared=${world.isShared} delay=${world.delay}`,
  ];
  world.loss = draw([0, 0, 0.1, 0.3]);
  log.push(`loss ${world.loss}`);
  world.start();
  world.at(5, () => world.poll());
  world.at(1, () => world.keepalive());
  const both = [world.a, world.b];
  const nameOf = (peer: WorldPeer) => peer === world.a ? "a" : "b";
  const events: readonly ((peer: WorldPeer) => string)[] = [
    () => `cut ${world.isCut = !world.isCut}`,
    () => `registry up ${world.isRegistryUp = !world.isRegistryUp}`,
    () => {
      for (const peer of both) peer.relays = false;
      return "registry forgot relays";
    },
    (peer) => {
      peer.nat.forget();
      return `nat of ${nameOf(peer)} restarted`;
    },
    (peer) => {
      peer.nat.forget(`198.51.100.${10 + Math.floor(chance() * 200)}`);
      return `nat of ${nameOf(peer)} has another address: ${peer.nat.address}`;
    },
    (peer) => {
      peer.isAsleep = !peer.isAsleep;
      return `${nameOf(peer)} asleep ${peer.isAsleep}`;
    },
    (peer) => {
      peer.isRunning = !peer.isRunning;
      if (peer.isRunning) peer.restart();
      return `${nameOf(peer)} runs ${peer.isRunning}`;
    },
    (peer) => {
      peer.setRelay(draw(["auto", "always", "never"]), world.now);
      return `relay of ${nameOf(peer)}: ${peer.relay}`;
    },
  ];
  const count = Math.floor(chance() * 8);
  for (let i = 0; i < count; i++) {
    world.run(chance() * (chance() < 0.5 ? 2 : 40));
    const what = draw(events)(draw(both));
    log.push(`${world.mono.toFixed(2)} ${what}`);
  }
  world.isCut = false;
  world.isRegistryUp = true;
  world.loss = 0;
  for (const peer of both) {
    peer.isAsleep = false;
    if (!peer.isRunning) peer.restart();
    peer.isRunning = true;
    if (peer.relay === "never") peer.setRelay("auto", world.now);
  }
  log.push(`${world.mono.toFixed(2)} all is well`);
  return { log, world };
}

function stateOf({ finder, other, tunnel, relays, seen }: WorldPeer): string {
  const way = finder.wayTo(other.publicKey);
  const held = way?.held;
  return `held ${held?.kind} ${held && formatHostPort(held.endpoint)} tunnel ${
    tunnel.endpoint && formatHostPort(tunnel.endpoint)
  } relays ${relays} seen ${seen && formatHostPort(seen)} shook ${tunnel.handshakeAt}`;
}

test("path: whatever happens, within 30 s after the last event they reach each other", () => {
  const failures: string[] = [];
  for (let seed = FIRST; seed < FIRST + RUNS; seed++) {
    const { log, world } = runOf(seed);
    const say = (what: string) =>
      failures.push(
        [`seed ${seed}: ${what}`, ...log, stateOf(world.a), stateOf(world.b)].join("\n  "),
      );
    try {
      world.run(30);
      if (!world.pinged(world.mono - 3)) {
        say("no ping");
        continue;
      }
      // Then it stays so: nothing is set again and again. Whoever is told so of its relay tries
      // once or twice to have the other side come there; hundreds of ports may be tried once more.
      world.run(60);
      const sets = world.a.sets + world.b.sets;
      const probes = world.a.probes + world.b.probes;
      const from = world.mono;
      world.run(120);
      const lost = world.lost(from, world.mono - 2);
      if (world.a.sets + world.b.sets - sets > 40) {
        say(`sets ${world.a.sets + world.b.sets - sets}`);
      } else if (world.a.probes + world.b.probes - probes > 2600) {
        say(`probes ${world.a.probes + world.b.probes - probes}`);
      } else if (lost > 20) say(`lost ${lost}`);
    } catch (error) {
      say(`${error}`);
    }
  }
  assert(
    failures.length === 0,
    `${failures.length} of ${RUNS}\n${failures.slice(0, 6).join("\n")}`,
  );
});
