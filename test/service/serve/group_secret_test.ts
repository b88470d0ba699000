/** The secret that a registry makes at its first start. */

import { assert, assertEquals } from "@std/assert";
import { parseKeyFile } from "../../../lib/core/net/peer_key.ts";
import type { ServedGroup } from "../../../lib/service/serve/config.ts";
import { makeGroupSecret } from "../../../lib/service/serve/group_secret.ts";
import { MemoryHost, type MemoryOptions } from "../../support/memory_host.ts";

const FILE = "/etc/wgsig/secret";
const STATE = "/var/lib/wgsig/state";
const USUAL: ServedGroup = {
  id: 7,
  secretFiles: [FILE],
  isUsualSecret: true,
  allowFile: undefined,
  proof: "auto",
  interface: undefined,
  network: [],
};

async function made(
  options: MemoryOptions,
  groups: readonly ServedGroup[] = [USUAL],
  state: string | undefined = STATE,
) {
  const host = new MemoryHost(options);
  const made = await makeGroupSecret(host, { groups, state });
  const files = await Promise.all(
    [FILE, STATE].map((path) =>
      host.readFile(path, 100).then(({ bytes, mode }) => ({ bytes, mode }), () => undefined)
    ),
  );
  return { made, secret: files[0] };
}

Deno.test("a new registry makes the secret of which nothing was said, readable by its owner", async () => {
  const { made: told, secret } = await made({});
  assertEquals(told, { group: 7, file: FILE });
  assert(secret !== undefined && parseKeyFile(secret.bytes)?.length === 32);
  assertEquals(secret.mode! & 0o777, 0o600);
});

Deno.test("no secret is made over one, for a state that there was, or in a place that was named", async () => {
  const content = { content: "x" };
  assertEquals((await made({ files: { [FILE]: content } })).made, undefined);
  assertEquals((await made({ files: { [STATE]: content } })).secret, undefined);
  for (
    const groups of [
      [],
      [{ ...USUAL, isUsualSecret: false }],
      [{ ...USUAL, secretFiles: [FILE, "/other"] }],
      [USUAL, { ...USUAL, id: 8 }],
    ]
  ) {
    assertEquals(await made({}, groups), { made: undefined, secret: undefined });
  }
  const host = new MemoryHost({});
  assertEquals(await makeGroupSecret(host, { groups: [USUAL], state: undefined }), undefined);
});

Deno.test("where it can't be written, nothing is made: whoever reads it says what to do", async () => {
  for (const refuses of [{ writeFile: "EROFS" }, { makeFolder: "EACCES" }]) {
    assertEquals(await made({ refuses }), { made: undefined, secret: undefined });
  }
});
