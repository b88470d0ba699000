/**
 * How fast this host is at what a relay does for each handshake.
 *
 * @module
 */

import type { Clock } from "../../host/clock.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ID_SIZE } from "../../wire/wgsig/record.ts";
import { Mac1Key } from "../../wire/wireguard/mac1.ts";
import { INITIATION_SIZE, MESSAGE } from "../../wire/wireguard/message.ts";

/** It is tried for so long, in seconds, */
const TRIAL = 0.03;
/** or so often, and half as often at least: engines become faster. */
const TRIALS = 256;
/** Which part of the time a relay may spend on it. */
const SHARE = 0.25;
/** No relay needs more, */
const MOST = 5000;
/** or does with less. */
const LEAST = 20;

/** How many MACs a relay may compute a second here. */
export function macsPerSecond(host: Clock): number {
  const key = new Mac1Key(new WireBuffer(ID_SIZE), 0);
  const message = new WireBuffer(INITIATION_SIZE);
  const start = host.now().mono;
  let halfway = start;
  let count = 0;
  let counted = 0;
  let now = start;
  while (count < TRIALS && now - start < TRIAL) {
    key.isFor(message, 0, MESSAGE.initiation);
    count++;
    now = host.now().mono;
    if (count > TRIALS / 2 || now - start > TRIAL / 2) counted++;
    else halfway = now;
  }
  const rate = SHARE * counted / Math.max(now - halfway, Number.EPSILON);
  return Math.max(LEAST, Math.min(MOST, Math.floor(rate)));
}
