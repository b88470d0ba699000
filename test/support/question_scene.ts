/**
 * A registry and clients of wgsig 2, side by side with peers that speak the first protocol.
 *
 * @module
 */

import { assert } from "@std/assert";
import { formatHostPort } from "../../lib/core/net/host_port.ts";
import { formatAddress } from "../../lib/core/net/ip_address.ts";
import { QUESTION_FLAG } from "../../lib/wire/wgsig2/question.ts";
import {
  type Asking,
  type Heard,
  privateKeyOf,
  QuestionClient,
  type QuestionClientOptions,
} from "./question_driver.ts";
import {
  type DriverGroup,
  RegistryDriver,
  requestOf,
  SECRET,
  SERVER_KEY,
} from "./registry_driver.ts";

/** FLAGS of a question that only asks. */
export const KEEP = { flags: QUESTION_FLAG.keep } as const;

/** An answer that was heard. */
export type HeardAnswer = Extract<Heard, { kind: "answer" }>;

/** A registry with one group. */
export class QuestionScene {
  readonly driver: RegistryDriver;

  /** Through which socket datagrams come. */
  socket = 0;

  /** @param driver The registry, if it is there already. */
  constructor(group: DriverGroup = {}, driver = new RegistryDriver({ groups: [group] })) {
    this.driver = driver;
  }

  /** A client that can prove its key, and knows the registry's. */
  client(number: number, options: Partial<QuestionClientOptions> = {}): QuestionClient {
    return new QuestionClient({
      secret: SECRET,
      privateKey: privateKeyOf(number),
      serverKey: SERVER_KEY.publicKey.bytes,
      ...options,
    });
  }

  /** What the registry sends for a datagram. */
  send(payload: Uint8Array, from: string): Uint8Array[] {
    return this.driver.exchange([{ payload, from }], this.socket)[0]!;
  }

  /** A question, again as often as retries say. */
  tell(client: QuestionClient, from: string, asking: Asking = {}): Heard | undefined {
    return client.converse(this.driver.unix, asking, (payload) => this.send(payload, from));
  }

  /** The same, where it must be answered. */
  ask(client: QuestionClient, from: string, asking: Asking = {}): HeardAnswer {
    const heard = this.tell(client, from, asking);
    assert(
      heard?.kind === "answer",
      `${JSON.stringify(heard)}, ${this.driver.drops.at(-1)?.reason}`,
    );
    return heard;
  }

  /** What is pushed in one turn, and to where: `address:port #socket`. */
  turn(): { readonly bytes: Uint8Array; readonly to: string }[] {
    const { registry } = this.driver;
    const pushes: { bytes: Uint8Array; to: string }[] = [];
    registry.beginPushes();
    for (;;) {
      const push = registry.nextPush(this.driver);
      if (push === undefined) return pushes;
      const host = formatAddress(push.sources, push.sourceAt);
      const to = `${formatHostPort({ host, port: push.port })} #${push.socket}`;
      pushes.push({ bytes: push.bytes.slice(), to });
    }
  }

  /** What is pushed now, in as many turns as it takes. */
  pushes(): { readonly bytes: Uint8Array; readonly to: string }[] {
    const pushes = this.turn();
    for (let more = pushes; more.length > 0; pushes.push(...more)) more = this.turn();
    return pushes;
  }

  /** A request of the first protocol for a public key; whether it was answered. */
  ask1(id: Uint8Array, from: string, flags = 0): boolean {
    this.driver.pass(1);
    const request = requestOf({ id, seconds: Math.floor(this.driver.unix), flags, from });
    return this.driver.exchange([request])[0]!.length > 0;
  }

  /** What peers of the first protocol see of a key: its endpoint, or undefined. */
  seen1(key: string): string | undefined {
    const line = this.driver.held().find((each) => each.startsWith(`${key} `));
    return line?.split(" ")[1];
  }
}
