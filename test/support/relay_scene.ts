/**
 * A registry that relays, and peers with a WireGuard each: what these say is made up, but for what a
 * relay sees of it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { CounterName } from "../../lib/core/net/counters.ts";
import type { RelayOptions } from "../../lib/core/relay/relay.ts";
import type { QuestionClient, QuestionClientOptions } from "./question_driver.ts";
import { QuestionScene } from "./question_scene.ts";
import { type DriverGroup, RegistryDriver, type Relayed } from "./registry_driver.ts";
import { dataTo, initiationTo, responseTo } from "./wireguard_messages.ts";

/** No limits. */
export const UNLIMITED: RelayOptions = {
  pairRate: 0,
  peerRate: 0,
  totalRate: 0,
  macRate: 5000,
  idle: 300,
};

/** A peer of a {@linkcode RelayScene}. */
export interface ScenePeer {
  readonly client: QuestionClient;
  /** `address port`: where its WireGuard speaks from. */
  from: string;
  /** Through which socket of the registry. */
  socket: number;
}

/** A session, by the indices that both sides have chosen. */
export interface Session {
  readonly ofA: number;
  readonly ofB: number;
}

/** A registry with one group that relays; sockets 4 and 6 are of IPv4 and IPv6. */
export class RelayScene extends QuestionScene {
  #index = 0x1000;

  constructor(group: DriverGroup = {}, relay: RelayOptions | undefined = UNLIMITED) {
    super(group, new RegistryDriver({ groups: [group], ...relay && { relay } }));
    this.driver.registry.sockets.set(4, true).set(6, false);
  }

  /** A peer that is registered. */
  peer(number: number, from: string, options: Partial<QuestionClientOptions> = {}): ScenePeer {
    const socket = from.includes(":") ? 6 : 4;
    const peer = { client: this.client(number, options), from, socket };
    this.register(peer);
    return peer;
  }

  /** A peer registers, and may say whom it wants through the relay, and whom not. */
  register(
    { client, from, socket }: ScenePeer,
    relayed?: readonly ScenePeer[],
    directs?: readonly ScenePeer[],
  ): void {
    this.driver.pass(1);
    this.socket = socket;
    this.ask(client, from, {
      ...relayed && { relayed: relayed.map((each) => each.client.id) },
      ...directs && { directs: directs.map((each) => each.client.id) },
    });
  }

  /** What is relayed of what comes from a peer, or from elsewhere in its name. */
  relay(
    { from, socket }: Pick<ScenePeer, "from" | "socket">,
    ...payloads: Uint8Array[]
  ): Relayed[] {
    return this.driver.relay(payloads.map((payload) => ({ payload, from })), socket);
  }

  /** The reason for which nothing of a datagram is relayed. */
  refusal(from: Pick<ScenePeer, "from" | "socket">, payload: Uint8Array): CounterName | undefined {
    const before = this.driver.drops.length;
    assertEquals(this.relay(from, payload), []);
    return this.driver.drops[before]?.reason;
  }

  /** Whether a datagram comes to another peer as it was, through the socket that it knows. */
  reaches(from: ScenePeer, to: ScenePeer, payload: Uint8Array): boolean {
    const relayed = this.relay(from, payload);
    if (relayed.length === 0) return false;
    assertEquals(relayed, [{ payload, to: to.from, socket: to.socket }]);
    return true;
  }

  /** A handshake, which must come through. */
  handshake(a: ScenePeer, b: ScenePeer): Session {
    const session = { ofA: this.#index++, ofB: this.#index++ };
    assertEquals(this.reaches(a, b, initiationTo(b.client.id, session.ofA)), true, "initiation");
    const response = responseTo(a.client.id, session.ofB, session.ofA);
    assertEquals(this.reaches(b, a, response), true, "response");
    return session;
  }

  /** Whether data pass both ways. */
  isUp(a: ScenePeer, b: ScenePeer, { ofA, ofB }: Session): boolean {
    const there = this.reaches(a, b, dataTo(ofB, 128));
    assertEquals(this.reaches(b, a, dataTo(ofA, 1452)), there);
    return there;
  }
}
