/**
 * What a WireGuard device says of itself, through `wg`.
 *
 * @module
 */

import { parseKey } from "../core/peer_key.ts";
import { errorCode, explain, type Host } from "../host/host.ts";
import { EXIT, UserError } from "../core/user_error.ts";

const INTERFACE_NAME = /^[\w=+.][\w=+.-]{0,14}$/;

/** The public key of a WireGuard interface, 32 bytes. */
export async function interfaceKey(host: Host, name: string): Promise<Uint8Array> {
  if (!INTERFACE_NAME.test(name)) {
    throw new UserError(`"${name}" is no name of a network interface; expected one such as wg0`);
  }
  const { code, out, err } = await runWg(host, ["show", name, "public-key"]);
  if (code !== 0) {
    const why = err.trim().split("\n").at(-1) ?? "";
    throw new UserError(`cannot read WireGuard interface ${name}: ${why}`, EXIT.failed);
  }
  const key = parseKey(out.trim());
  if (key === undefined) {
    throw new UserError(
      `WireGuard interface ${name} has no key; set one with: wg set ${name} private-key FILE`,
      EXIT.failed,
    );
  }
  return key;
}

async function runWg(host: Host, args: readonly string[]) {
  try {
    return await host.run(["wg", ...args]);
  } catch (error) {
    const hint = errorCode(error) === "ENOENT" ? "; install wireguard-tools" : "";
    throw new UserError(`cannot run wg: ${explain(error)}${hint}`, EXIT.failed);
  }
}
