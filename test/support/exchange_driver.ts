/**
 * Drives a client's exchange as a host would: datagrams in and out as bytes.
 *
 * @module
 */

import {
  Exchange,
  type ExchangeOptions,
  MAX_REQUEST_SIZE,
  type Receipt,
  type SeenPeer,
} from "../../lib/core/ask/exchange.ts";
import { NonceSource, type RandomSource } from "../../lib/core/net/random.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { ODD_PLACE, placed } from "./bytes.ts";
import { countingRandom, idOf } from "./fake_random.ts";
import { SECRET } from "./registry_driver.ts";
import { fromBigEndian, twinOpen } from "./twins.ts";

/** The peer that asks, where a test names no other. */
export const OWN_ID: Uint8Array = idOf(0);

/** A request as a server reads it. */
export interface ReadRequest {
  readonly id: Uint8Array;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly flags: number;
  readonly group: number;
}

/** An exchange; what the options leave out has the value that most tests want. */
export class ExchangeDriver {
  readonly exchange: Exchange;
  readonly options: ExchangeOptions;

  constructor(options: Partial<ExchangeOptions> = {}, random: RandomSource = countingRandom()) {
    this.options = {
      id: OWN_ID,
      secret: SECRET,
      primitives: PORTABLE,
      group: 0,
      flags: 0,
      encrypt: false,
      maxAge: 86_400,
      ...options,
    };
    this.exchange = new Exchange(this.options, new NonceSource(random));
  }

  /** The bytes of the next request. */
  ask(unix: number): Uint8Array {
    const out = new WireBuffer(MAX_REQUEST_SIZE);
    const size = this.exchange.writeRequest(out, unix);
    return out.bytes.slice(0, size);
  }

  /** The fields of the next request. */
  askFields(unix: number): ReadRequest {
    const { encrypt, secret } = this.options;
    const payload = this.ask(unix);
    const plain = encrypt ? twinOpen(payload, secret).payload : payload;
    const number = (from: number, to: number) => Number(fromBigEndian(plain.slice(from, to)));
    return {
      id: plain.slice(0, 32),
      seconds: Number(fromBigEndian(plain.slice(32, 40)) - 2n ** 62n),
      nanoseconds: number(40, 44),
      flags: number(44, 46),
      group: number(46, 50),
    };
  }

  /** Hands a datagram in. */
  receive(datagram: Uint8Array): Receipt {
    return this.exchange.receive(placed(datagram, ODD_PLACE), ODD_PLACE.at, datagram.length);
  }

  /** Hands datagrams in, one after the other. */
  receiveAll(datagrams: readonly Uint8Array[]): Receipt[] {
    return datagrams.map((datagram) => this.receive(datagram));
  }

  /** The peers as texts: `ID address:port seconds.nanoseconds`. */
  peers(unixSeconds: number): string[] {
    return this.exchange.peers(unixSeconds).map(seenText);
  }
}

/** A peer as text that can be compared with a record's. */
export function seenText({ publicKey, address, port, seconds, nanoseconds }: SeenPeer): string {
  return `${publicKey} ${address}:${port} ${seconds}.${nanoseconds}`;
}
