/** A zone's or a hole-punching server that is dead costs its time once, while others answer. */

import { assertEquals } from "@std/assert";
import type { ServerStatus } from "../../../lib/core/query/query_result.ts";
import { ServersAside } from "../../../lib/service/query/aside.ts";
import { test } from "../../testing.ts";

const ZONE = "dns://192.0.2.1/vpn.example";
const OTHER = "192.0.2.2:1223";

/** Servers that a test answers for. */
class Scene {
  mono = 0;
  readonly aside: ServersAside = new ServersAside({
    now: () => ({ unix: this.mono, mono: this.mono }),
  });
  /** How it was asked. */
  asked: ("brief" | "long")[] = [];
  #answer: ((status: ServerStatus) => void) | undefined;

  /** Asks in a round in which another server answers. */
  async ask(mayGoOn = true, othersAnswer = true): Promise<ServerStatus | "waits"> {
    const asking = this.aside.ask(ZONE, {
      ask: (isBrief) => {
        this.asked.push(isBrief ? "brief" : "long");
        return new Promise((done) => {
          this.#answer = (status) => done({ outcome: outcome(ZONE, status), ...NOTHING });
        });
      },
      mayGoOn,
    }).then(({ outcome: { status } }) => status);
    const status = await Promise.race([asking, soon()]);
    if (status !== "waits") this.took(status, othersAnswer);
    return status;
  }

  /** A round is over. */
  took(status: ServerStatus, othersAnswer = true): void {
    this.aside.take([outcome(ZONE, status), outcome(OTHER, othersAnswer ? "ok" : "no-answer")]);
  }

  /** It answers, or is not waited for any more. */
  async answer(status: ServerStatus): Promise<void> {
    this.#answer?.(status);
    await soon();
  }
}

const NOTHING = { peers: [], warning: undefined };

function outcome(server: string, status: ServerStatus) {
  return { server, status, received: undefined, expected: undefined, ownEndpoint: undefined };
}

async function soon(): Promise<"waits"> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  return "waits";
}

for (const status of ["no-answer", "not-authenticated"] as const) {
  test(`${status}: a zone is asked beside the rounds, and waited for again once it answers`, async () => {
    const scene = new Scene();
    assertEquals(await scene.ask(), "waits");
    scene.mono = 10;
    await scene.answer(status);
    // While it is known by no answer but its silence, a round each second for a minute.
    scene.took(status);
    for (; scene.mono < 70; scene.mono++) {
      assertEquals(await scene.ask(), status);
      if (scene.asked.length > 1) await scene.answer(status);
    }
    assertEquals(scene.asked, ["long", "brief", "brief", "brief"]);
    // It takes its time, and the rounds go on meanwhile.
    scene.mono = 130;
    assertEquals([await scene.ask(), await scene.ask()], [status, status]);
    assertEquals(scene.asked.length, 5);
    await scene.answer("ok");
    assertEquals(await scene.ask(), "waits");
    assertEquals(scene.asked.at(-1), "long");
    await scene.answer("ok");
  });
}

test("where nobody else answers, or it can't be asked beside others, it is waited for", async () => {
  const scene = new Scene();
  await scene.ask();
  await scene.answer("no-answer");
  scene.took("no-answer", false);
  scene.mono = 1;
  assertEquals(await scene.ask(true, false), "waits");
  await scene.answer("no-answer");
  scene.took("no-answer");
  assertEquals(await scene.ask(false), "no-answer");
  scene.mono = 20;
  assertEquals(await scene.ask(false), "waits");
  assertEquals(scene.asked, ["long", "long", "brief"]);
  await scene.answer("no-answer");
});
