/**
 * A responder that forwards and does nothing else, on the same runtime and with the same host as the
 * server: each datagram says itself to which port of 127.0.0.1 it goes. Runs on Bun; the bench bundles
 * it.
 *
 * @module
 */

import { SLOT_SIZE } from "../../lib/core/net/datagram_batch.ts";
import { writeIpv4 } from "../../lib/core/net/ip_address.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { bunHost } from "../../lib/host/bun/bun.ts";

const LOOPBACK = 0x7f00_0001;
const PORT_AT = 12;

const host = bunHost();
const endpoint = new WireBuffer(18);
writeIpv4(endpoint, 0, LOOPBACK);
// By port: in which batch it was a destination last, and which one.
const batches = new Float64Array(0x1_0000);
const places = new Int32Array(0x1_0000);
let number = 0;
const socket = await host.udp({
  address: "127.0.0.1",
  port: 0,
  onSendError() {},
  onOverload() {},
  onBatch({ count, payloads, lengths }, replies) {
    replies.clear();
    number++;
    for (let i = 0; i < count; i++) {
      const at = i * SLOT_SIZE;
      const port = payloads.view.getUint16(at + PORT_AT);
      if (batches[port] !== number) {
        batches[port] = number;
        endpoint.view.setUint16(16, port);
        places[port] = replies.addDestination(endpoint, 0);
      }
      replies.add(places[port]!, payloads.bytes, at, lengths[i]!, 1);
    }
  },
});
host.out.write(`ready ${socket.port}\n`);
