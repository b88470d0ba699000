/**
 * A registry of peers: the server's side of the wgsig protocol. A {@linkcode Responder} takes one
 * datagram and says what to send back. {@linkcode Registry.answer} is the same for up to 64 at once,
 * in buffers that are kept: nothing is made for a datagram.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { oneGroupRegistry, Responder } from "@wgsig/wgsig/registry";
 *
 * const registry = oneGroupRegistry({
 *   secret: new Uint8Array(32).fill(0x17),
 *   random: (bytes) => void crypto.getRandomValues(bytes),
 * });
 * const responder = new Responder(registry);
 * const now = { unix: Date.now() / 1000, mono: performance.now() / 1000 };
 * const source = { address: "203.0.113.21", port: 51820 };
 *
 * // Whoever doesn't know the secret gets no answer.
 * assert.deepEqual(responder.answerOne(new Uint8Array(82), source, now), []);
 * assert.equal(registry.counters.get("drop-bad-label"), 1);
 * ```
 *
 * A restart forgets nothing where what a {@linkcode MemberJournal}, a {@linkcode RegistryJournal} and,
 * after these, a {@linkcode SubscriptionJournal} say is saved: all of it with {@linkcode encodeFile},
 * and what has changed since, added to the end, with {@linkcode encodeChanges}. {@linkcode restoreFile} takes it over again.
 *
 * @module
 */

export { Registry } from "../core/registry/registry.ts";
export { Relay, type RelayedPair, type RelayOptions, type SendBatch } from "../core/relay/relay.ts";
export type { RelayGroup } from "../core/relay/relay_group.ts";
export type { RelayRates } from "../core/relay/relay_limits.ts";
export type {
  EncryptionPolicy,
  RegistryObserver,
  RegistryOptions,
} from "../core/registry/registry.ts";
export {
  type EndpointChange,
  type GroupOptions,
  type ObservedPeer,
  type ProofPolicy,
  RegistryGroup,
} from "../core/registry/group.ts";
export {
  AnswerBudget,
  type AnswerBudgetOptions,
  registryBudget,
} from "../core/net/answer_budget.ts";
export type { AnswerPages } from "../core/registry/answer_pages.ts";
export type { GroupKeys } from "../core/registry/group_keys.ts";
export type { OtherPorts } from "../core/registry/other_ports.ts";
export type { ParsedRequest } from "../core/registry/parsed_request.ts";
export {
  type DatagramSource,
  type OneGroupOptions,
  oneGroupRegistry,
  Responder,
} from "../core/registry/responder.ts";
export type { DiskNeeds, PeerChanges, TakenChanges } from "../core/registry/peer_changes.ts";
export type { PeerSharing, QuestionChanges } from "../core/registry/peer_sharing.ts";
export type { GroupSharing } from "../core/registry/group_sharing.ts";
export { DirectoryJournal } from "../core/registry/directory_journal.ts";
export { GroupJournal } from "../core/registry/group_journal.ts";
export { type GateMaker, gateMaker, type GateParts } from "../core/registry/gate_maker.ts";
export type { JoinDesk, JoinReply, WaitingJoin } from "../core/registry/join_desk.ts";
export type { Outcome } from "../core/registry/outcome.ts";
export type { ReplySlots } from "../core/registry/reply_slots.ts";
export type { RosterGate } from "../core/registry/roster_gate.ts";
export type { RosterTeller } from "../core/registry/roster_teller.ts";
export {
  type Invitation,
  type InvitationKeeper,
  Invitations,
  type Joiner,
  stateOf,
} from "../core/roster/server/invitations.ts";
export {
  type GoneEntry,
  Roster,
  type RosterEntry,
  type RosterKeeper,
  type RosterNews,
  type RosterPeer,
} from "../core/roster/server/roster.ts";
export { RosterJournal } from "../core/roster/server/roster_journal.ts";
export type { InvitationState } from "../core/roster/requests.ts";
export { type Invited, type JoinOutcome, Rosters } from "../core/roster/server/rosters.ts";
export { formatTunnelPrefix, parseTunnelPrefix } from "../core/roster/prefix.ts";
export type { TunnelPrefix } from "../wire/wgsig2/name.ts";
export type { KeptSubscription, SubscriptionKeeper } from "../core/registry/kept_subscription.ts";
export { MemberJournal } from "../core/registry/member_journal.ts";
export { SubscriptionJournal } from "../core/registry/subscription_journal.ts";
export { RegistryJournal } from "../core/registry/journal.ts";
export {
  encodeChanges,
  encodeFile,
  type RestoredFile,
  restoreFile,
} from "../core/store/encoding.ts";
export type { Batch, JournalEnd } from "../core/store/journal_file.ts";
export type { Journaled, Pieces, Restored } from "../core/store/journaled.ts";
export type { Kept, MayStay, Members } from "../core/registry/members.ts";
export type { PeerDirectory } from "../core/registry/peer_directory.ts";
export type { AskedQuestion } from "../core/registry/asked_question.ts";
export type { ChangeLog } from "../core/registry/change_log.ts";
export type { PeerWalk } from "../core/registry/group_entries.ts";
export type { Cookies } from "../core/registry/cookies.ts";
export type { PeerPlaces } from "../core/registry/peer_places.ts";
export type { PeerProofs } from "../core/registry/peer_proofs.ts";
export type { PushQueue } from "../core/registry/push_queue.ts";
export type { WrittenPush } from "../core/registry/pusher.ts";
export type { QuestionKeys } from "../core/registry/question_keys.ts";
export type { QuestionLabels } from "../core/registry/question_labels.ts";
export type { Subscriptions } from "../core/registry/subscriptions.ts";
export type { UsedLabels } from "../core/registry/used_labels.ts";
export type { PeerTable, PeerTableOptions } from "../core/registry/peer_table.ts";
export type { ReplayFilter } from "../core/registry/replay_filter.ts";
export { BATCH_SIZE, DatagramBatch, ReplyBatch, SLOT_SIZE } from "../core/net/datagram_batch.ts";
export { COUNTER_NAMES, type CounterName, type Counters } from "../core/net/counters.ts";
export { KeySet } from "../core/net/key_set.ts";
export { PORTABLE } from "../wire/crypto/portable.ts";
export type { Primitives } from "../wire/crypto/primitives.ts";
export { NonceSource, type RandomSource } from "../core/net/random.ts";
export { formatAddress, formatIpv4, parseAddress } from "../core/net/ip_address.ts";
export { WireBuffer } from "../wire/bytes/wire_buffer.ts";
export { NONE } from "../core/net/none.ts";
export type { Now } from "../core/net/clock.ts";
