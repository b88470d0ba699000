/** Tunnels that have a relay, when something dies or moves. */

import { assert, assertEquals } from "@std/assert";
import { memoryOf, testWith } from "../support/program.ts";
import { atATime } from "./at_a_time.ts";
import { figure, Lab, LAB_NEEDS, OTHER_REGISTRY, REGISTRY, REGISTRY_NAME } from "./lab.ts";
import { sleep } from "./namespace.ts";
import { RelayCrowd, RelayScene, serveRelay, type Way } from "./relay_scene.ts";
import type { SiteKind } from "./site.ts";

/** Two symmetric NATs have nothing but the relay. */
const RELAYED: readonly [SiteKind, SiteKind] = ["sym", "sym"];
const DIRECT: readonly [SiteKind, SiteKind] = ["preserve", "eim"];
const NEW_A = "203.0.113.31";
/** Until something that must come has come, in seconds; figures say how long it took. */
const LIMIT = 30;
/** What is wanted is 5 s; this machine has other things to do. */
const BACK_LIMIT = 15;
/** All that a path has to say at its beginning is said by then, in seconds. */
const SETTLED = 15;
/** How long a healthy tunnel is watched, in seconds. */
const SOAK = Deno.env.get("WGSIG_SOAK") === "1" ? 600 : 30;
const AT_A_TIME = 4;
const FAST = ["--interval", "3s"];

/** What happens to a tunnel; the scenes are beside each other, as they mostly wait. */
const SCENES: readonly (readonly [string, () => Promise<void>])[] = [
  ["a relayed tunnel survives that the registry restarts", async () => {
    await using scene = await RelayScene.open(RELAYED, ...FAST);
    await scene.goes("relay", LIMIT);
    await scene.killServer();
    await sleep(1);
    assertEquals(await scene.ping.answers(1), false);
    await scene.serveAgain();
    const seconds = await scene.comesBack(LIMIT);
    figure(
      `the registry restarts while relayed: ping back ${seconds.toFixed(1)} s after its start`,
    );
    assertEquals(await scene.way(), "relay");
  }],

  ["a direct tunnel does without the relay", async () => {
    await using scene = await RelayScene.open(DIRECT, ...FAST);
    await scene.goes("direct", LIMIT);
    await scene.alice.printed(/ peer-alive /);
    await scene.killServer();
    // The registry is silent for several looks.
    const lost = await scene.lostIn(12);
    figure(`the relay of a direct tunnel dies: ${lost} pings lost`);
    assertEquals(lost, 0);
    assertEquals(await scene.way(), "direct");
  }],

  ["the relay in use dies, and another registry relays", async () => {
    const servers = ["--server", REGISTRY, "--server", OTHER_REGISTRY];
    await using lab = await Lab.between(...RELAYED);
    const registries = [
      await lab.serve(REGISTRY, "--relay"),
      await lab.serve(OTHER_REGISTRY, "--relay"),
    ];
    const scene = await RelayScene.among(lab, registries, ...servers, ...FAST);
    await scene.goes("relay", LIMIT);
    const used = await scene.relayInUse();
    await scene.killServer(used === REGISTRY ? 0 : 1);
    const seconds = await scene.comesBack(LIMIT);
    figure(`the relay dies, and there is another: ping back after ${seconds.toFixed(1)} s`);
    assertEquals(await scene.relayInUse(), used === REGISTRY ? OTHER_REGISTRY : REGISTRY);
  }],

  ["the direct path dies in use: over the relay, and back again", async () => {
    await using scene = await RelayScene.open(DIRECT, ...FAST);
    await scene.goes("direct", LIMIT);
    await scene.alice.printed(/ peer-alive /);
    const { routerA, routerB } = scene.lab;
    await routerA.cut(routerB.address);
    const away = await scene.comesBack(BACK_LIMIT);
    figure(`the direct path dies: ping back over the relay after ${away.toFixed(1)} s`);
    assertEquals(await scene.way(), "relay");
    await routerA.cut(routerB.address, false);
    const seconds = await scene.goes("direct", 3 * LIMIT);
    figure(`the direct path is there again: taken after ${seconds.toFixed(1)} s`);
    await scene.comesBack(BACK_LIMIT);
  }],

  ["the address changes while relayed", async () => {
    await using scene = await RelayScene.open(RELAYED, ...FAST);
    await scene.goes("relay", LIMIT);
    await sleep(1);
    await scene.lab.routerA.move(NEW_A);
    const seconds = await scene.comesBack(LIMIT);
    figure(`the address changes while relayed: ping back after ${seconds.toFixed(1)} s`);
    assertEquals(await scene.way(), "relay");
  }],
  ["a healthy relayed tunnel is never touched", () => staysUntouched(RELAYED, "relay")],
  ["a healthy direct tunnel is never touched", () => staysUntouched(DIRECT, "direct")],
];

async function staysUntouched(kinds: readonly [SiteKind, SiteKind], way: Way): Promise<void> {
  await using scene = await RelayScene.open(kinds, "--interval", "500ms");
  await scene.goes(way, LIMIT);
  for (const sync of [scene.alice, scene.bob]) await sync.printed(/ peer-alive /);
  await sleep(SETTLED);
  const before = [scene.alice.out, scene.bob.out];
  const endpoints = await scene.endpoints();
  const lost = await scene.lostIn(SOAK);
  figure(`${kinds.join("/")}: ${lost} pings lost in ${SOAK} s that nothing happens in`);
  assertEquals([scene.alice.out, scene.bob.out], before);
  assertEquals(await scene.endpoints(), endpoints);
  assertEquals(lost, 0);
}

testWith(
  LAB_NEEDS,
  "lab: a relay, a registry or a path dies, and the tunnel lives on",
  async () => {
    const failures = await atATime(
      AT_A_TIME,
      SCENES,
      async ([name, scene]) =>
        await scene().then(() => "", (error: unknown) => `${name}: ${error}\n`),
    );
    assertEquals(failures.join(""), "");
  },
);

/** So many interfaces on two hosts are 50 pairs. */
const CROWD = [5, 10] as const;

testWith(LAB_NEEDS, "lab: 50 pairs on one relay", async () => {
  await using lab = await Lab.between(...RELAYED);
  const server = await serveRelay(lab);
  const alone = await memoryOf(server.pid);
  const crowd = await RelayCrowd.open(lab, ...CROWD);
  const start = performance.now();
  const syncs = crowd.sync("--server", REGISTRY_NAME, "--punch-hard", "off");
  const logs = () =>
    `${syncs[0]?.out}\n${syncs.at(-1)?.out}\nregistry:\n${server.out}${server.err}`;
  const first = await Promise.all(crowd.pings(1).map((ping) => ping.answers(3 * LIMIT)));
  figure(`50 pairs: all had an answer after ${((performance.now() - start) / 1000).toFixed(1)} s`);
  assertEquals(first.filter((answered) => !answered).length, 0, logs());
  const counts = await Promise.all(crowd.pings(0.2, 50).map((ping) => ping.count(LIMIT)));
  const lost = counts.reduce((sum, { unanswered }) => sum + unanswered.length, 0);
  const memory = await memoryOf(server.pid);
  figure(
    `50 pairs on one relay: ${lost} of 2500 pings lost, ${alone} kB resident before, ${memory} kB with them`,
  );
  assertEquals(await crowd.ways(), { relay: 100 }, logs());
  assert(lost < 25, logs());
});
