/** When a peer was heard: what was before the first look says nothing of now. */

import { assertEquals } from "@std/assert";
import type { Device } from "../../../lib/core/net/device.ts";
import { Handshakes } from "../../../lib/core/sync/handshakes.ts";
import { test } from "../../testing.ts";

const UNIX = 1_700_000_000;

/** An interface with one peer. */
function device(latestHandshake: number, received: number): Device {
  return {
    publicKey: "own",
    listenPort: 51820,
    mark: 0,
    peers: [{
      publicKey: "peer",
      endpoint: undefined,
      allowedIps: [],
      latestHandshake,
      received,
      sent: 0,
      persistentKeepalive: 0,
    }],
  };
}

test("a peer was heard once it sends, or has a handshake, after the first look", () => {
  const heard = (...looks: readonly (readonly [number, number])[]) => {
    const handshakes = new Handshakes(180);
    return looks.map(([handshake, received], i) => {
      const now = { unix: UNIX + 5 * i, mono: 100 + 5 * i };
      handshakes.look(device(handshake, received), now);
      return handshakes.isHeard("peer");
    });
  };
  assertEquals(heard([UNIX - 60, 9000], [UNIX - 60, 9000], [UNIX - 60, 9032]), [
    false,
    false,
    true,
  ]);
  assertEquals(heard([UNIX - 60, 9000], [UNIX + 5, 9000], [UNIX + 5, 9000]), [false, true, true]);
  // An age grows by itself.
  assertEquals(heard([60, 9000], [65, 9000], [70, 9000], [3, 9000]), [false, false, false, true]);
  assertEquals(heard([0, 0], [0, 148], [UNIX + 10, 240]), [false, false, true]);
});
