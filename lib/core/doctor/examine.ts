/**
 * All checks of `wgsig doctor`, in the order in which a tunnel is set up. Each stands alone.
 *
 * @module
 */

import { bad, type Check } from "./check.ts";
import type { DoctorFacts } from "./facts.ts";
import { checkFirewall } from "./firewall.ts";
import { checkHandshakes, checkInterface, checkListenPort, checkMtu } from "./interface_checks.ts";
import { checkKeepalive, checkNat, checkPortMapping, checkRegistering } from "./nat_checks.ts";
import {
  checkPermissions,
  checkSecretFile,
  checkSettings,
  checkSync,
  checkVersions,
} from "./own_checks.ts";
import { checkAllowedIps, checkForwarding } from "./prefix_checks.ts";
import {
  checkAnswers,
  checkClock,
  checkNames,
  checkProof,
  checkSecret,
  checkServerKeys,
  checkTsig,
  checkZones,
} from "./server_checks.ts";

type Judge = (facts: DoctorFacts) => Check | readonly Check[] | undefined;

const JUDGES: Readonly<Record<string, Judge>> = {
  versions: checkVersions,
  permissions: checkPermissions,
  settings: checkSettings,
  "secret-file": checkSecretFile,
  interface: checkInterface,
  "listen-port": checkListenPort,
  name: checkNames,
  udp: checkAnswers,
  clock: checkClock,
  secret: checkSecret,
  "server-key": checkServerKeys,
  proof: checkProof,
  tsig: checkTsig,
  zone: checkZones,
  register: checkRegistering,
  nat: checkNat,
  "port-map": checkPortMapping,
  "allowed-ips": checkAllowedIps,
  keepalive: checkKeepalive,
  handshake: checkHandshakes,
  mtu: checkMtu,
  forwarding: checkForwarding,
  firewall: checkFirewall,
  sync: checkSync,
};

/** Judges. What one check can't cope with is said in its place. */
export function examine(facts: DoctorFacts): readonly Check[] {
  return Object.entries(JUDGES).flatMap(([name, judge]) => {
    try {
      return judge(facts) ?? [];
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return bad(name, `cannot be judged: ${why}`);
    }
  });
}
