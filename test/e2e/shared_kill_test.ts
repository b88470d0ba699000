/** Registries on one store that are killed at random moments. */

import { assert } from "@std/assert";
import { say } from "../../scripts/tools.ts";
import { testWith } from "../support/program.ts";
import { Redis } from "../support/redis.ts";
import { Scene } from "./scene.ts";
import { killRegistries } from "./shared_kill_moments.ts";

const NEEDS = ["redis-server"];

/** `WGSIG_SOAK=1` has 300 of them. */
const KILLS = Deno.env.get("WGSIG_SOAK") === "1" ? 300 : 15;
/** In so many scenes, one after the other: each begins with nobody. */
const PER_SCENE = 15;

testWith(
  NEEDS,
  "a registry that is killed takes nothing with it that another one has answered",
  async () => {
    for (let left = KILLS; left > 0; left -= PER_SCENE) {
      await using redis = await Redis.start();
      await using scene = await Scene.open();
      const found = await killRegistries(scene, redis, Math.min(left, PER_SCENE));
      assert(found.peers > found.kills && found.answers > found.peers);
      const { kills, peers, answers, median, most } = found;
      const times = `${median.toFixed(0)} and ${most.toFixed(0)} ms`;
      say(
        `${kills} kills, ${peers} peers, ${answers} answers; all agree after ${times} (median, most)`,
      );
    }
  },
);
