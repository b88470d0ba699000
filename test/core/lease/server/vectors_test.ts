/**
 * Puts the recorded exchanges with the real programs of wg-dynamic before our code: each byte that we
 * send is the recorded one, whatever pieces came in.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { LeaseBook } from "../../../../lib/core/lease/server/book.ts";
import { LeaseClient } from "../../../../lib/core/lease/client/client.ts";
import { LeaseSession } from "../../../../lib/core/lease/server/session.ts";
import { formatKey } from "../../../../lib/core/net/peer_key.ts";
import { idOf } from "../../../support/fake_random.ts";
import { seededRandom } from "../../../support/seeded_random.ts";
import { test } from "../../../testing.ts";
import recorded from "../../../vectors/wg-dynamic.json" with { type: "json" };

const KEY = formatKey(idOf(1));
const RELEASE = "request_ip=1\n\n";
const STRAY = "errno=1\nerrmsg=Invalid request\n\n";
const LEASED = /^ip=(.*)\/\d+$/gm;

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Text in pieces of so many bytes. */
function pieces(text: string, size: number): Uint8Array[] {
  const bytes = ascii(text);
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.slice(i * size, (i + 1) * size));
}

/** The number of a line, such as leasestart. */
function numberOf(key: string, text: string): number | undefined {
  const digits = new RegExp(`^${key}=(\\d+)$`, "m").exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

for (const { name, steps } of recorded.serve) {
  for (const size of [1, 7, 4096]) {
    test(`the real wg-dynamic-client: ${name}, in pieces of ${size}`, () => {
      // What was granted is all that there is.
      const granted = steps.flatMap(({ text, from }) =>
        from === "server" ? Array.from(text.matchAll(LEASED), ([, address = ""]) => address) : []
      );
      const pools = [...new Set(granted)].map((address) =>
        address + (address.includes(":") ? "/128" : "/32")
      );
      const replies = steps.filter(({ from }) => from === "server");
      const leaseTime = replies.map(({ text }) => numberOf("leasetime", text)).find(Boolean) ?? 0;
      const book = new LeaseBook(
        { pools, reserved: [], fixed: new Map(), leaseTime, maxLeases: 9 },
        seededRandom(1),
      );
      // Somebody has it meanwhile, where it was refused at first.
      const isTaken = numberOf("leasetime", replies[0]!.text) === undefined;
      if (isTaken) book.request(formatKey(idOf(2)), { ipv4: 0n, ipv6: undefined }, -1);

      const sessions = new Map<number, LeaseSession>();
      let answer = "";
      for (const [i, { connection, at, from, text }] of steps.entries()) {
        if (from === "server") {
          assertEquals(answer, text, `step ${i}`);
          answer = "";
          continue;
        }
        book.expire(at);
        const session = sessions.get(connection) ?? new LeaseSession(KEY, book);
        sessions.set(connection, session);
        const unix = numberOf("leasestart", steps[i + 1]?.text ?? "") ?? 0;
        for (const piece of pieces(text, size)) {
          const { bytes, close } = session.receive(piece, { mono: at, unix });
          assert(!close);
          answer += String.fromCharCode(...bytes);
        }
      }
      assertEquals(answer, "");
    });
  }
}

for (const { name, steps } of recorded.sync) {
  for (const size of [1, 7, 4096]) {
    test(`the real wg-dynamic-server: ${name}, in pieces of ${size}`, () => {
      const client = new LeaseClient({ wants: { routes: false, peers: false } });
      for (const { at, from, text } of steps) {
        if (from === "client") {
          const step = text === RELEASE
            ? { kind: "ask" as const, bytes: client.end() }
            : client.next(at);
          assert(step.kind === "ask", `at ${at}: ${JSON.stringify(step)}`);
          assertEquals(String.fromCharCode(...step.bytes), text);
          continue;
        }
        client.takeEvents();
        for (const piece of pieces(text, size)) client.receive(piece, at);
        const events = client.takeEvents();
        if (text === STRAY || numberOf("leasetime", text) === undefined) {
          assertEquals(events.filter(({ kind }) => kind !== "refused"), []);
        }
        // It holds what it was told last.
        const told = Array.from(text.matchAll(LEASED), ([line]) => line.slice("ip=".length));
        assertEquals(client.addresses, told);
      }
    });
  }
}
