/**
 * `wgsig doctor`: what is in the way of peers finding each other, and what mends it.
 *
 * @module
 */

import type { Check, Fact } from "../lib/core/doctor/check.ts";
import { examine } from "../lib/core/doctor/examine.ts";
import { DOCTOR_FLAGS, SYNC } from "../lib/core/settings/client_options.ts";
import { NO_FLAGS, resolve } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus } from "../lib/core/settings/user_error.ts";
import type { Host } from "../lib/host/host.ts";
import { type DoctorConfig, findFacts } from "../lib/service/doctor/doctor.ts";
import { attempt } from "../lib/service/doctor/attempt.ts";
import {
  type LoadedSettings,
  loadSettings,
  readPrivateKey,
  readSecret,
} from "../lib/service/files/files.ts";
import { checkInterfaceName } from "../lib/wireguard/device.ts";
import { interfaceSettings, namedKey, peersByKey, serverKeysOf, unusedSections } from "./asking.ts";
import type { Arguments } from "./arguments.ts";
import { VERSION } from "./version.ts";

/** Reading a file that is a pipe must not take for ever, in seconds. */
const FILE_TIME = 1;
const STATE_WIDTH = 4;

/** Runs `wgsig doctor`. */
export async function runDoctor(host: Host, args: Arguments): Promise<ExitStatus> {
  const flags = resolve(DOCTOR_FLAGS, args);
  const read = await attempt(host, FILE_TIME, () => loadSettings(host, flags.config));
  const loaded = "value" in read ? read.value : { settings: {}, path: undefined };
  const sections = [...(loaded.settings.sync?.keys() ?? [])];
  const name = args.operands[0] ?? (sections.length === 1 ? sections[0] : undefined);
  if (name !== undefined) checkInterfaceName(name);
  const settings = "value" in read ? { value: read.value.path } : read;
  const facts = await findFacts(host, await configOf(host, loaded, name, settings));
  const checks = examine(facts);
  const status = checks.some(({ state }) => state === "bad") ? EXIT.failed : EXIT.ok;
  host.out.write(
    flags.output === "json" ? formatJson(name, checks, status) : formatText(checks),
  );
  return status;
}

async function configOf(
  host: Host,
  loaded: LoadedSettings,
  name: string | undefined,
  settings: DoctorConfig["settings"],
): Promise<DoctorConfig> {
  const options = resolve(SYNC, NO_FLAGS, interfaceSettings(loaded, name));
  const { servers, group } = options;
  const asksRegistries = servers.some(({ scheme }) => scheme === "wgsig");
  const tried = <T>(what: () => Promise<T> | T): Promise<Fact<T>> =>
    attempt(host, FILE_TIME, async () => await what());
  return {
    ...{ name, servers, group, settings },
    unused: unusedSections(loaded, name),
    encrypt: options.encryption === "on",
    register: options.register,
    addresses: options.address,
    portMap: options["port-map"] === "auto",
    secret: asksRegistries
      ? await tried(async () => {
        const path = options["secret-file"];
        return { path, bytes: await readSecret(host, path, "peer") };
      })
      : undefined,
    serverKeys: await tried(() => serverKeysOf(options, servers)),
    tsigKeys: await tried(async () => {
      if (options["tsig-files"].length === 0) return new Map();
      const { tsigKeysOf } = await import("./tsig_keys.ts");
      return await tsigKeysOf(host, options, servers);
    }),
    key: await tried(() => namedKey(host, { loaded, options })),
    privateKey: await tried(async () => {
      const path = options["private-key-file"];
      return path === undefined ? undefined : await readPrivateKey(host, path);
    }),
    listed: await tried(() =>
      [...peersByKey(loaded)].map(([publicKey, peer]) => ({
        publicKey,
        name: peer.name,
        allowedIps: peer["allowed-ips"] ?? [],
        persistentKeepalive: peer["persistent-keepalive"],
      }))
    ),
    wgsig: `${VERSION} (${host.runtime}, ${host.target})`,
  };
}

/** A line a check. */
function formatText(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks.map(({ name, state, text, mend }) => {
    const line = `${state.padEnd(STATE_WIDTH)}  ${name.padEnd(width)}  ${oneLine(text)}`;
    return `${mend === undefined ? line : `${line}; mend it: ${oneLine(mend)}`}\n`;
  }).join("");
}

/** What other programs say may have several lines, and characters that a terminal obeys. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

function formatJson(
  name: string | undefined,
  checks: readonly Check[],
  status: ExitStatus,
): string {
  const shown = {
    schema: 1,
    interface: name ?? null,
    status,
    checks: checks.map(({ name, state, text, mend }) => ({
      check: name,
      state,
      text: oneLine(text),
      mend: mend === undefined ? null : oneLine(mend),
    })),
  };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}
