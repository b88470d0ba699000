/**
 * The interface through which addresses are leased, read and changed as a lease server says.
 *
 * @module
 */

import { LEASE_SERVER_ADDRESS } from "../../../wire/lease/message.ts";
import type { LeaseSetup } from "../../../core/lease/server/setup.ts";
import type { LeaseServerResult, LeaseServerStep } from "../../../core/lease/server/steps.ts";
import type { LocalAddresses } from "../../../host/names.ts";
import type { Processes } from "../../../host/processes.ts";
import {
  addAddress,
  addRoute,
  anycastBy,
  readIpv6Routes,
  readLink,
  removeAddress,
} from "../../../wireguard/addresses.ts";
import { readAllowedIps, readDump, setAllowedIps } from "../../../wireguard/device.ts";

/** The steps of a lease server that are about its interface. */
export type DeviceStep = Extract<
  LeaseServerStep,
  {
    readonly kind:
      | "read-device"
      | "read-allowed-ips"
      | "set-allowed-ips"
      | "read-own-addresses"
      | "read-link"
      | "read-routes"
      | "set-up";
  }
>;

const DONE: LeaseServerResult = { kind: "done" };
const SET_UP = {
  "add-address": addAddress,
  "remove-address": removeAddress,
  "add-route": addRoute,
};

/** Does a step. */
export async function doOnDevice(
  host: Processes & LocalAddresses,
  name: string,
  step: DeviceStep,
): Promise<LeaseServerResult> {
  switch (step.kind) {
    case "read-device":
      return { kind: "dump", text: await readDump(host, name) };
    case "read-allowed-ips":
      return { kind: "allowed-ips", peers: await readAllowedIps(host, name, step.publicKeys) };
    case "set-allowed-ips":
      await setAllowedIps(host, name, step.peers);
      return DONE;
    case "read-own-addresses":
      return { kind: "addresses", addresses: host.localAddresses() };
    case "read-link":
      return { kind: "link", ...await readLink(host, name) };
    case "read-routes": {
      const shadows = await anycastBy(host, name, LEASE_SERVER_ADDRESS, step.addresses);
      return { kind: "routes", shadows, routes: await readIpv6Routes(host, name) };
    }
    case "set-up":
      await setUp(host, name, step.setup);
      return DONE;
  }
}

async function setUp(host: Processes, name: string, { what, prefix }: LeaseSetup): Promise<void> {
  await SET_UP[what](host, name, prefix);
}
