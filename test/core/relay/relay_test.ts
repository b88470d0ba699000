import { assert, assertEquals } from "@std/assert";
import { RelayScene } from "../../support/relay_scene.ts";
import { cookieReplyTo, initiationTo } from "../../support/wireguard_messages.ts";
import { test } from "../../testing.ts";

const A = "198.51.100.1 1000";
const B = "203.0.113.9 2000";
const SIX = "2001:db8:1:2::9 3000";

test("two peers of which one has asked for the other are relayed to each other", () => {
  for (const [from, to] of [[A, B], [A, SIX], [SIX, A]] as const) {
    const scene = new RelayScene();
    const [a, b] = [scene.peer(1, from), scene.peer(2, to)];
    assertEquals(scene.refusal(a, initiationTo(b.client.id, 1)), "relay-drop-stranger");
    scene.register(a, [b]);
    assertEquals(scene.driver.registry.relay?.pairCount, 1);
    const session = scene.handshake(a, b);
    assert(scene.isUp(a, b, session));
    assert(scene.reaches(b, a, cookieReplyTo(session.ofA)));
    // The other one begins as well, and both sessions go on.
    const second = scene.handshake(b, a);
    assert(scene.isUp(b, a, second));
    assert(scene.isUp(a, b, session));
  }
});
