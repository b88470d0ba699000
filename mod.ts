/**
 * The library behind `wgsig`: the wgsig protocol's wire formats, a registry, and a client's side of
 * an exchange; DNS zones of peers and the asking of them; leases of addresses. All of it is pure:
 * bytes, clocks and randomness go in as arguments, nothing is sent.
 *
 * ```ts
 * import { encodeRequest, MacKey, newRequest, WireBuffer } from "./mod.ts";
 *
 * const request = newRequest();
 * request.id.bytes.fill(7);
 * request.seconds = 1_700_000_000;
 * const datagram = new WireBuffer(82);
 * encodeRequest(request, new MacKey(new Uint8Array(32)), datagram, 0);
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
export * from "./lib/wire/punch/message.ts";
export * from "./lib/wire/wgsig/record.ts";
export * from "./lib/wire/wgsig/request.ts";
export * from "./lib/wire/wgsig/response.ts";
export * from "./lib/wire/wgsig/tai64n.ts";
export * from "./lib/wire/bytes/wire_buffer.ts";

export * from "./lib/core/allowed_strings.ts";
export * from "./lib/core/answer_budget.ts";
export * from "./lib/core/counters.ts";
export * from "./lib/core/datagram_batch.ts";
export * from "./lib/core/dns_records.ts";
export * from "./lib/core/exchange.ts";
export * from "./lib/core/host_port.ts";
export * from "./lib/core/instance_text.ts";
export * from "./lib/core/ip_address.ts";
export * from "./lib/core/ip_prefix.ts";
export * from "./lib/core/key_set.ts";
export * from "./lib/core/lease_address.ts";
export * from "./lib/core/lease_book.ts";
export * from "./lib/core/lease_budget.ts";
export * from "./lib/core/lease_client.ts";
export * from "./lib/core/lease_options.ts";
export * from "./lib/core/lease_news.ts";
export * from "./lib/core/lease_session.ts";
export * from "./lib/core/lease_pool.ts";
export * from "./lib/core/lease_shelf.ts";
export * from "./lib/core/lease_state.ts";
export * from "./lib/core/nat_verdict.ts";
export * from "./lib/core/nonce_source.ts";
export * from "./lib/core/peer_key.ts";
export * from "./lib/core/peer_table.ts";
export * from "./lib/core/punch_table.ts";
export * from "./lib/core/question_queue.ts";
export * from "./lib/core/registry.ts";
export * from "./lib/core/registry_group.ts";
export * from "./lib/core/replay_filter.ts";
export * from "./lib/core/server_name.ts";
export * from "./lib/core/sighting.ts";
export * from "./lib/core/state_file.ts";
export * from "./lib/core/sync_plan.ts";
export * from "./lib/core/wg_config.ts";
export * from "./lib/core/zone.ts";
export * from "./lib/core/zone_exchange.ts";
export * from "./lib/core/zone_name.ts";
export * from "./lib/core/zone_peers.ts";
export * from "./lib/core/zone_self.ts";
export * from "./lib/core/zone_set.ts";
