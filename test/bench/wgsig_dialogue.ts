/**
 * Clients of the wgsig protocol: each registers itself with a fresh label, and verifies the one
 * datagram of the answer.
 *
 * @module
 */

import { NonceSource } from "../../lib/core/net/random.ts";
import type { Host } from "../../lib/host/host.ts";
import {
  ENVELOPE_SIZE,
  envelopeKey,
  openEnvelope,
  sealEnvelope,
} from "../../lib/wire/wgsig/envelope.ts";
import { MacKey } from "../../lib/wire/crypto/mac.ts";
import { encodeRequest, newRequest, REQUEST_SIZE } from "../../lib/wire/wgsig/request.ts";
import { RESPONSE_SIZE, verifyResponse } from "../../lib/wire/wgsig/response.ts";
import { compareLabels, labelOf } from "../../lib/wire/wgsig/tai64n.ts";
import { copyBytes, equalBytes, WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import type { Dialogue } from "./dialogue.ts";
import { SECRET } from "./requests.ts";

const plain = new WireBuffer(RESPONSE_SIZE);
/** The answer that was verified last, as it came. */
const verified = new WireBuffer(ENVELOPE_SIZE + RESPONSE_SIZE);

/** The protocol for up to 255 clients; see {@linkcode Job} for `bareSize`. */
export function wgsigDialogue(
  host: Host,
  clients: number,
  encrypt: boolean,
  bareSize: number,
): Dialogue {
  const macKey = new MacKey(SECRET, host.primitives);
  const cipherKey = envelopeKey(SECRET, host.primitives);
  const nonces = new NonceSource((bytes) => host.random(bytes));
  const extra = encrypt ? ENVELOPE_SIZE : 0;
  const requests = Array.from({ length: clients }, (_, client) => {
    const request = newRequest();
    request.id.bytes.fill(client + 1);
    return request;
  });
  return {
    size: extra + REQUEST_SIZE,
    // An answer doesn't say whose it is.
    perSocket: 1,
    clientOf: () => 0,
    ask(client, out, at) {
      const request = requests[client]!;
      const label = labelOf(host.now().unix);
      // The clock stands still for longer than an answer takes, now and then.
      if (compareLabels(label, request) <= 0) request.nanoseconds++;
      else Object.assign(request, label);
      if (!encrypt) encodeRequest(request, macKey, out, at);
      else {
        encodeRequest(request, macKey, plain, 0);
        const nonceAt = nonces.next();
        sealEnvelope(cipherKey, 0, nonces.buffer, nonceAt, plain, 0, REQUEST_SIZE, out, at);
      }
      return extra + REQUEST_SIZE;
    },
    isAnswer(_client, answers, at, length) {
      if (bareSize > 0) return length === bareSize;
      if (length !== extra + RESPONSE_SIZE) return false;
      // Clients that ask at the same time get the same bytes: these are verified once.
      if (equalBytes(answers, at, verified, 0, length)) return true;
      if (encrypt) openEnvelope(cipherKey, answers, at, RESPONSE_SIZE, plain, 0);
      else copyBytes(answers, at, plain, 0, RESPONSE_SIZE);
      if (!verifyResponse(macKey, plain, 0)) return false;
      copyBytes(answers, at, verified, 0, length);
      return true;
    },
  };
}
