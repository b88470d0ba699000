/** The files of groups, and what becomes of the secrets in them. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Registry } from "../../../lib/core/registry/registry.ts";
import { formatKey } from "../../../lib/core/net/peer_key.ts";
import { UserError } from "../../../lib/core/settings/user_error.ts";
import type { ServeConfig, ServedGroup } from "../../../lib/service/serve/config.ts";
import { GroupSettings, readGroups, wipeSecrets } from "../../../lib/service/serve/groups.ts";
import { idOf } from "../../support/fake_random.ts";
import { MemoryHost } from "../../support/memory_host.ts";

const CONFIG: ServeConfig = {
  version: "1.0.0",
  names: new Map(),
  listen: [],
  publicAddress: undefined,
  skipMissingAddresses: true,
  groups: [],
  state: undefined,
  key: undefined,
  maxPeers: 100,
  answerBudget: 0,
  maxAnswer: 10,
  maxAge: 60,
  encryption: "auto",
  window: 30,
  lease: undefined,
  dns: undefined,
  relay: undefined,
  punch: undefined,
  log: { format: "text", verbosity: "normal" },
};
const ZEROS = new Uint8Array(32);

function group(id: number, secretFiles: string | string[], allowFile?: string): ServedGroup {
  return {
    ...{ id, secretFiles: [secretFiles].flat(), isUsualSecret: false, allowFile },
    ...{ proof: "auto", interface: undefined, network: [] },
  };
}

/** A host that hands out its files' own bytes, so that it is seen what becomes of secrets. */
class Host extends MemoryHost {
  readonly secrets: Uint8Array[] = [];

  override async readFile(...args: Parameters<MemoryHost["readFile"]>) {
    const content = await super.readFile(...args);
    // parseSecret copies what has 32 bytes with slice().
    const bytes = Object.assign(content.bytes, {
      slice: () => {
        const copy = Uint8Array.prototype.slice.call(content.bytes);
        this.secrets.push(copy);
        return copy;
      },
    });
    return { ...content, bytes };
  }
}

Deno.test("where one file is wrong, the secrets of the others are overwritten", async () => {
  const files = {
    "/a": { content: idOf(1) },
    "/b": { content: idOf(2) },
    "/same": { content: formatKey(idOf(2)) },
    "/short": { content: "short" },
    "/list": { content: "no key" },
  };
  const wrong: readonly (readonly [ServedGroup, string])[] = [
    [group(3, "/none"), "cannot read secret file /none"],
    [group(3, "/short"), "has 5 bytes that are no secret"],
    [group(1, "/b"), "group 1 is configured twice"],
    [group(3, []), "group 3 has no secret file"],
    [group(3, ["/b", "/b"]), "group 3 names secret file /b twice; name the new secret's and"],
    [group(3, ["/b", "/same"]), "secret files /b and /same hold the same secret; name the new"],
    [group(3, ["/b", "/none"]), "cannot read secret file /none"],
    [group(3, ["/b", "/short"]), "secret file /short has 5 bytes that are no secret"],
    [group(3, ["/b", "/a", "/c"]), "group 3 has 3 secret files; name the new secret's and the"],
    [group(3, ["/b", "/a"], "/list"), "allow-list /list, line 1"],
    [group(3, "/b", "/list"), "allow-list /list, line 1"],
  ];
  for (const [last, why] of wrong) {
    const host = new Host({ files });
    const groups = [group(1, "/a"), group(2, "/b"), last];
    await assertRejects(() => readGroups(host, groups), UserError, why);
    assert(host.secrets.length >= 2);
    for (const secret of host.secrets) assertEquals(secret, ZEROS, why);
  }
});

Deno.test("groups are put into force: those that stay keep their peers and limits", async () => {
  const files = { "/a": { content: idOf(1) }, "/b": { content: idOf(2) } };
  const host = new Host({ files });
  const registry = new Registry(CONFIG, { endpointChanged() {}, dropped() {} });
  const settings = new GroupSettings(registry, host);
  const first = await readGroups(host, [group(1, "/a"), group(2, "/b")]);
  settings.apply(CONFIG, first, 0);
  wipeSecrets(first);
  assertEquals(host.secrets, [ZEROS, ZEROS]);
  const stays = registry.groups.get(2);
  const second = await readGroups(host, [group(2, ["/a", "/b"]), group(3, "/b")]);
  settings.apply({ ...CONFIG, maxAge: 5 }, second, 1);
  assertEquals([...registry.groups.keys()], [2, 3]);
  assert(registry.groups.get(2) === stays);
  assertEquals(stays?.secrets.length, 2);
  wipeSecrets(second);
  assertEquals(host.secrets, new Array(5).fill(ZEROS));
  assertEquals(registry.groups.get(3)?.table.maxPeers, 100);
});
