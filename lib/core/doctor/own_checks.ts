/**
 * Checks of this host's own files, permissions, and programs.
 *
 * @module
 */

import { bad, type Check, fromMessage, ok, warn } from "./check.ts";
import type { DoctorFacts } from "./facts.ts";

/** linux/capability.h */
const CAP_NET_ADMIN = 1n << 12n;
const CAP_NET_RAW = 1n << 13n;

/** The settings file. */
export function checkSettings({ settings, unused, servers, ...facts }: DoctorFacts): Check {
  const name = "settings";
  if ("problem" in settings) return fromMessage(name, settings.problem);
  const file = settings.value ?? "no settings file";
  if (unused !== undefined) return warn(name, unused, "name that interface, or add its section");
  if (servers.length === 0 && facts.name === undefined && facts.serving.length > 0) {
    return ok(name, `${file}; a server runs here, and no peer: wgsig status ${facts.serving[0]}`);
  }
  if (servers.length === 0) {
    return bad(
      name,
      settings.value === undefined ? "there is no settings file" : `${file} names no servers`,
      `join a group (wgsig join LINK), or set servers = ["HOST"] in [sync.NAME] of ` +
        (settings.value ?? "/etc/wgsig/wgsig.toml"),
    );
  }
  return ok(name, file);
}

/** The group's secret. */
export function checkSecretFile({ secret }: DoctorFacts): Check | undefined {
  const name = "secret-file";
  if (secret === undefined) return undefined;
  return "problem" in secret ? fromMessage(name, secret.problem) : ok(name, secret.value);
}

/** What this process may do. */
export function checkPermissions({ system: { capabilities } }: DoctorFacts): Check {
  const name = "permissions";
  if (capabilities === undefined) return warn(name, "not known: this system doesn't tell");
  const mend = "run it as root: sudo wgsig doctor";
  if ((capabilities & CAP_NET_ADMIN) === 0n) {
    return bad(name, "without CAP_NET_ADMIN, no interface can be read or changed", mend);
  }
  if ((capabilities & CAP_NET_RAW) === 0n) {
    return warn(
      name,
      "without CAP_NET_RAW, sync has to borrow WireGuard's port, and can't probe ways to peers",
      mend,
    );
  }
  return ok(name, "CAP_NET_ADMIN and CAP_NET_RAW");
}

/** The programs that take part. */
export function checkVersions({ system: { wg, kernel, wgsig } }: DoctorFacts): Check {
  const name = "versions";
  const others = `wgsig ${wgsig}${kernel === undefined ? "" : `, kernel ${kernel}`}`;
  if ("problem" in wg) {
    const { text, mend = "install wireguard-tools" } = fromMessage(name, wg.problem);
    return bad(name, `${others}; ${text}`, mend);
  }
  // wireguard-tools v1.0.20210914 - https://git.zx2c4.com/wireguard-tools/
  return ok(name, `${others}, ${wg.value.trim().replace(/ - .*/s, "")}`);
}

/** Whether somebody takes care of the interface. */
export function checkSync(
  { name: device, isSynced, device: read }: DoctorFacts,
): Check | undefined {
  const name = "sync";
  if (device === undefined) return undefined;
  if ("problem" in isSynced) return warn(name, `cannot see whether it runs: ${isSynced.problem}`);
  if (isSynced.value) return ok(name, `runs for ${device}`);
  const isThere = "value" in read && read.value !== undefined;
  return warn(
    name,
    `no sync takes care of ${device}`,
    isThere ? `systemctl start wgsig-sync@${device}, or: wgsig sync ${device}` : undefined,
  );
}
