/** Who joins is told nothing before it is on the disk: what `kill -9` leaves of a token. */

import { assertEquals } from "@std/assert";
import { formatKey } from "../../lib/core/net/peer_key.ts";
import { parseTunnelPrefix } from "../../lib/core/roster/prefix.ts";
import { RosterJournal } from "../../lib/core/roster/server/roster_journal.ts";
import { Rosters } from "../../lib/core/roster/server/rosters.ts";
import { encodeFile } from "../../lib/core/store/encoding.ts";
import { ExchangeKey } from "../../lib/wire/crypto/exchange_key.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { MadeJoin } from "../support/join_client.ts";
import { randomBytes, Scene, type UdpEnd } from "./scene.ts";

const INVITED = 3;

Deno.test("a token that was used stays used, when the registry is killed as it answers", async () => {
  await using scene = await Scene.open();
  const state = `${scene.folder}/state`;
  const now = { unix: Date.now() / 1000, mono: 0 };
  const key = randomBytes(32);
  const serverKey = new ExchangeKey(key, PORTABLE).publicKey.bytes;
  await Deno.writeTextFile(`${state}.key`, formatKey(key), { mode: 0o600 });
  const rosters = new Rosters(serverKey, PORTABLE, 1);
  const journal = new RosterJournal(rosters);
  rosters.of(0).setNetworks([parseTunnelPrefix("10.9.0.0/24")!]);
  const tokens = Array.from({ length: INVITED }, () => randomBytes(16));
  tokens.forEach((token, i) => {
    const invited = { group: 0, name: `peer-${i}`, prefixes: [], uses: 1, endsAt: now.unix + 600 };
    rosters.invite(invited, token, now.unix);
  });
  await Deno.writeFile(state, encodeFile([journal], now), { mode: 0o600 });

  const end: UdpEnd = scene.peer();
  const privates = tokens.map(() => randomBytes(32));
  const join = (token: Uint8Array, privateKey: Uint8Array) =>
    new MadeJoin({ serverKey, token, privateKey, nonce: randomBytes(24) });
  for (const [i, token] of tokens.entries()) {
    const served = await scene.serve(["--state", state]);
    await served.running.printed(/ info roster-restored file=\S+ peers=\d invitations=3\n/);
    // Those of before are told the same again; others that they come too late.
    for (let k = 0; k < i; k++) {
      for (
        const [privateKey, wanted] of [[privates[k]!, "joined"], [randomBytes(32), "used"]] as const
      ) {
        const made = join(tokens[k]!, privateKey);
        await end.send(made.payload, served.port);
        assertEquals(made.read((await end.next()).bytes).result, wanted);
      }
    }
    const made = join(token, privates[i]!);
    await end.send(made.payload, served.port);
    const { bytes } = await end.next();
    await served.running.stop("SIGKILL");
    const { result, told } = made.read(bytes);
    assertEquals([result, told.name], ["joined", `peer-${i}`]);
    assertEquals(told.secret.bytes, scene.secret);
  }
});
