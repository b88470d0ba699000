/**
 * The library behind `wgsig`: the wgsig protocol's wire formats, a registry, and a client's side of
 * an exchange; DNS zones of peers and the asking of them; leases of addresses. All of it is pure:
 * bytes, clocks and randomness go in as arguments, nothing is sent.
 *
 * ```ts
 * import { encodeRequest, MacKey, newRequest, PORTABLE, WireBuffer } from "./mod.ts";
 *
 * const request = newRequest();
 * request.id.bytes.fill(7);
 * request.seconds = 1_700_000_000;
 * const datagram = new WireBuffer(82);
 * encodeRequest(request, new MacKey(new Uint8Array(32), PORTABLE), datagram, 0);
 * ```
 *
 * @module
 */

export * from "./lib/wire/crypto/cipher_key.ts";
export * from "./lib/wire/dns/answer.ts";
export * from "./lib/wire/dns/message.ts";
export * from "./lib/wire/dns/query.ts";
export * from "./lib/wire/wgsig/envelope.ts";
export * from "./lib/wire/lease/message.ts";
export * from "./lib/wire/crypto/mac.ts";
export * from "./lib/wire/crypto/portable.ts";
export * from "./lib/wire/crypto/primitives.ts";
export * from "./lib/wire/punch/message.ts";
export * from "./lib/wire/wgsig/record.ts";
export * from "./lib/wire/wgsig/request.ts";
export * from "./lib/wire/wgsig/response.ts";
export * from "./lib/wire/wgsig/tai64n.ts";
export * from "./lib/wire/bytes/wire_buffer.ts";

export * from "./lib/core/zone/server/allowed_strings.ts";
export * from "./lib/core/net/answer_budget.ts";
export * from "./lib/core/net/clock.ts";
export * from "./lib/core/net/counters.ts";
export * from "./lib/core/net/datagram_batch.ts";
export * from "./lib/core/dns/records.ts";
export * from "./lib/core/ask/exchange.ts";
export * from "./lib/core/net/host_port.ts";
export * from "./lib/core/zone/client/instance_text.ts";
export * from "./lib/core/net/ip_address.ts";
export * from "./lib/core/net/ip_prefix.ts";
export * from "./lib/core/net/key_set.ts";
export * from "./lib/core/lease/address.ts";
export * from "./lib/core/lease/server/book.ts";
export * from "./lib/core/lease/server/budget.ts";
export * from "./lib/core/lease/client/client.ts";
export * from "./lib/core/lease/server/options.ts";
export * from "./lib/core/lease/news.ts";
export * from "./lib/core/lease/server/session.ts";
export * from "./lib/core/lease/server/pool.ts";
export * from "./lib/core/lease/server/family_leases.ts";
export * from "./lib/core/lease/server/state.ts";
export * from "./lib/core/ask/nat_verdict.ts";
export * from "./lib/core/net/random.ts";
export * from "./lib/core/net/peer_key.ts";
export * from "./lib/core/registry/peer_table.ts";
export * from "./lib/core/punch/table.ts";
export * from "./lib/core/dns/question_queue.ts";
export * from "./lib/core/registry/registry.ts";
export * from "./lib/core/registry/group.ts";
export * from "./lib/core/registry/replay_filter.ts";
export * from "./lib/core/ask/server_name.ts";
export * from "./lib/core/ask/sighting.ts";
export * from "./lib/core/registry/state_file.ts";
export * from "./lib/core/sync/plan.ts";
export * from "./lib/core/ask/wg_config.ts";
export * from "./lib/core/zone/server/zone.ts";
export * from "./lib/core/zone/client/exchange.ts";
export * from "./lib/core/zone/name.ts";
export * from "./lib/core/zone/server/peers.ts";
export * from "./lib/core/zone/server/self.ts";
export * from "./lib/core/zone/server/set.ts";
