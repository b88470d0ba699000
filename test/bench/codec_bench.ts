/**
 * Nanoseconds per operation of each codec, and of the registry and of DNS zones per 64 requests.
 *
 * @module
 */

import { chacha20, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { DatagramBatch, ReplyBatch } from "../../lib/core/net/datagram_batch.ts";
import { DENO_PRIMITIVES } from "../../lib/host/deno/deno.ts";
import { AeadKey } from "../../lib/wire/crypto/aead_key.ts";
import { CipherKey } from "../../lib/wire/crypto/cipher_key.ts";
import { envelopeKey, openEnvelope, sealEnvelope } from "../../lib/wire/wgsig/envelope.ts";
import { MacKey } from "../../lib/wire/crypto/mac.ts";
import { PORTABLE } from "../../lib/wire/crypto/portable.ts";
import { decodeRecord, encodeRecord, newRecord } from "../../lib/wire/wgsig/record.ts";
import {
  decodeRequest,
  encodeRequest,
  newRequest,
  verifyRequest,
} from "../../lib/wire/wgsig/request.ts";
import {
  authenticateResponse,
  decodeResponseRecord,
  encodeResponse,
  RESPONSE_SIZE,
  verifyResponse,
} from "../../lib/wire/wgsig/response.ts";
import { readSeconds, writeLabel } from "../../lib/wire/wgsig/tai64n.ts";
import { WireBuffer } from "../../lib/wire/bytes/wire_buffer.ts";
import { fillBatch, PEERS, registryOf, SECRET, UNIX } from "./requests.ts";
import { Wgsig2Poll } from "./wgsig2_datagrams.ts";
import { BenchZone, SOURCES } from "./zones.ts";

const key = new MacKey(SECRET, PORTABLE);
const cipher = new CipherKey(SECRET, PORTABLE);
const sealing = envelopeKey(SECRET, PORTABLE);
const buffer = new WireBuffer(2048);
const out = new WireBuffer(2048);
const nonce = new WireBuffer(12);
const label = { seconds: UNIX, nanoseconds: 1 };
const request = { ...newRequest(), ...label };
const record = { ...newRecord(), ...label, address: 1, port: 1 };
const records = Array.from({ length: 10 }, () => record);
const trailer = { extensions: 0, others: 0, group: 0 };

Deno.bench("label: write", { group: "label" }, () => writeLabel(buffer, 3, label));
Deno.bench("label: read", { group: "label" }, () => void readSeconds(buffer, 3));

Deno.bench("record: encode", { group: "record" }, () => encodeRecord(record, buffer, 3));
Deno.bench("record: decode", { group: "record" }, () => void decodeRecord(buffer, 3, record));

Deno.bench("request: encode with MAC", { group: "request" }, () => {
  encodeRequest(request, key, buffer, 3);
});
Deno.bench("request: decode", { group: "request" }, () => {
  decodeRequest(buffer, 3, 82, request);
});
Deno.bench("request: verify", { group: "request" }, () => void verifyRequest(key, buffer, 3));

Deno.bench("response: encode with MAC", { group: "response" }, () => {
  encodeResponse(records, trailer, key, buffer, 3);
});
Deno.bench("response: seal (records in place)", { group: "response" }, () => {
  authenticateResponse(trailer, key, buffer, 3);
});
Deno.bench("response: verify", { group: "response" }, () => void verifyResponse(key, buffer, 3));
Deno.bench("response: decode 10 records", { group: "response" }, () => {
  for (let i = 0; i < 10; i++) decodeResponseRecord(buffer, 3, i, record);
});

Deno.bench("envelope: seal a response", { group: "envelope" }, () => {
  sealEnvelope(sealing, 0, nonce, 0, buffer, 3, RESPONSE_SIZE, out, 5);
});
Deno.bench("envelope: open a response", { group: "envelope" }, () => {
  openEnvelope(sealing, out, 5, RESPONSE_SIZE, buffer, 3);
});

const message = buffer.bytes.subarray(0, 50);
Deno.bench("HMAC of 50 bytes: wgsig", { group: "hmac", baseline: true }, () => {
  key.compute(buffer, 0, 50, out, 0);
});
Deno.bench("HMAC of 50 bytes: noble", { group: "hmac" }, () => void hmac(sha256, SECRET, message));

const long = buffer.bytes.subarray(0, 540);
const target = out.bytes.subarray(0, 540);
Deno.bench("ChaCha20 of 540 bytes: wgsig", { group: "chacha20", baseline: true }, () => {
  cipher.xor(nonce, 0, 1, buffer, 0, out, 0, 540);
});
Deno.bench("ChaCha20 of 540 bytes: noble", { group: "chacha20" }, () => {
  chacha20(SECRET, nonce.bytes, long, target, 1);
});

for (const [name, primitives] of [["portable", PORTABLE], ["Deno", DENO_PRIMITIVES]] as const) {
  const poll = new Wgsig2Poll(SECRET, primitives);
  Deno.bench(`wgsig 2, ${name}: keys of a peer`, { group: "wgsig 2 keys" }, () => poll.agree());
}
const poll = new Wgsig2Poll(SECRET, PORTABLE);
Deno.bench("wgsig 2 question: encode, prove, seal", { group: "wgsig 2" }, () => void poll.ask());
Deno.bench("wgsig 2 question: open, decode, verify", { group: "wgsig 2" }, () => void poll.hear());
Deno.bench("wgsig 2 question: refuse", { group: "wgsig 2" }, () => void poll.refuse());
for (const records of [0, 8]) {
  const answered = new Wgsig2Poll(SECRET, PORTABLE);
  const name = `wgsig 2 answer of ${records} records`;
  Deno.bench(`${name}: encode, seal`, { group: "wgsig 2" }, () => void answered.reply(records));
  Deno.bench(`${name}: open, decode`, { group: "wgsig 2" }, (bench) => {
    answered.reply(records);
    bench.start();
    answered.learn();
    bench.end();
  });
}

const sealed = new AeadKey(SECRET, PORTABLE);
Deno.bench("XChaCha20-Poly1305 of 112 bytes: wgsig", { group: "aead", baseline: true }, () => {
  sealed.seal(out, 0, out, 0, 32, out, 100, 112);
});
Deno.bench("XChaCha20-Poly1305 of 112 bytes: noble", { group: "aead" }, () => {
  const head = out.bytes.subarray(0, 32);
  const cipher = xchacha20poly1305(SECRET, out.bytes.subarray(0, 24), head);
  cipher.encrypt(out.bytes.subarray(100, 212), out.bytes.subarray(100, 228));
});

for (const encrypt of [false, true]) {
  for (const peers of [10, 1000, 100_000]) {
    const registry = registryOf(peers, 10);
    const batch = new DatagramBatch();
    const replies = new ReplyBatch();
    const form = encrypt ? "encrypted" : "plain";
    Deno.bench(`registry: 64 ${form} requests, ${peers} peers`, { group: "registry" }, (bench) => {
      fillBatch(batch, peers, encrypt);
      bench.start();
      registry.answer(batch, { unix: UNIX, mono: 1 }, replies);
      bench.end();
    });
  }
}

for (const source of SOURCES) {
  const zone = new BenchZone(source, PEERS);
  Deno.bench(`zone: 64 SRV queries, 1000 peers of a ${source}`, { group: "zone" }, (bench) => {
    zone.fill();
    bench.start();
    zone.answer();
    bench.end();
  });
  Deno.bench(`zone: list of 1000 peers of a ${source}`, { group: "zone" }, () => {
    zone.answerList();
  });
}
