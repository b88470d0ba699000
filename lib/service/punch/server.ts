/**
 * A server of WireGuard's hole-punching example among the servers that are asked.
 *
 * @module
 */

import type { RegistryStatus } from "../../core/ask/asked_registry.ts";
import { formatServerName, type PunchServerName } from "../../core/ask/server_name.ts";
import type { Clock } from "../../host/clock.ts";
import type { ConnectedUdp } from "../../host/udp.ts";
import { askPunch, type PunchQuestion } from "./asker.ts";
import type { ServerReply } from "../ask/server_reply.ts";
import { portInUse } from "../ask/warning.ts";

/**
 * Asks one. To ask is to register there: where the own port is not to be registered, it is asked from
 * another, as nobody.
 *
 * @param addresses Its IP addresses; it is asked at the first that is IPv4.
 */
export async function askPunchServer(
  host: Clock & ConnectedUdp,
  name: PunchServerName,
  addresses: readonly string[],
  question: PunchQuestion,
): Promise<ServerReply> {
  const server = formatServerName(name);
  const address = addresses.find((each) => !each.includes(":"));
  const reply = (status: RegistryStatus, warning?: string): ServerReply => ({
    outcome: { server, status, received: undefined, expected: undefined, ownEndpoint: undefined },
    peers: [],
    warning,
  });
  if (address === undefined) {
    return reply("not-found", `${server} has no IPv4 address; check the name and this host's DNS`);
  }
  if (question.keys.length === 0) {
    return reply("ok", `${server} is asked for known peers only; name them in [[peer]]`);
  }
  const to = { host: address, port: name.port };
  const { answered, peers, isRegistered } = await askPunch(host, to, question);
  if (answered === 0) {
    const why =
      `no answer from ${server}; check that it runs and that UDP port ${name.port} gets through`;
    return reply("no-answer", why);
  }
  return {
    ...reply(
      "ok",
      isRegistered || question.id === undefined ? undefined : portInUse(question.port),
    ),
    peers: peers.map((peer) => ({
      ...peer,
      seconds: undefined,
      nanoseconds: 0,
      isClaim: true,
    })),
  };
}
