/**
 * A client's side of a zone that publishes WireGuard peers: which questions to ask, what the answers
 * mean, until all is known.
 *
 * Either some keys are wanted: SRV for each. Or all peers: PTR for the service, then SRV for each
 * instance. A server that can't list all in one message says so, and lists them by the beginnings
 * of their keys. What an answer leaves out (recursors drop what stands beside it) is asked for.
 *
 * Pure: the caller sends what {@linkcode ZoneExchange.due} gives, and hands in what comes back.
 *
 * It is longer than a file should be because it is one machine: all of its parts share what has been
 * asked and found so far.
 *
 * @module
 */

import { RCODE } from "../../../wire/dns/answer.ts";
import {
  decodeResponse,
  type DnsRecord,
  type DnsResponse,
  isDnsName,
  isDnsResponse,
} from "../../../wire/dns/message.ts";
import {
  bestService,
  firstOf,
  follow,
  isReferral,
  MAX_ALIASES,
  usableAddress,
} from "../../dns/records.ts";
import {
  TsigDialog,
  type TsigDialogOptions,
  type TsigFault,
  type TsigReceipt,
} from "./tsig_dialog.ts";
import { type InstanceText, readInstanceText, readPeerCount } from "./instance_text.ts";
import type { RandomSource } from "../../net/random.ts";
import { parseKey } from "../../net/peer_key.ts";
import {
  type DueQuestion,
  type Question,
  QuestionQueue,
  type Transport,
} from "../../dns/question_queue.ts";
import {
  BASE32_DIGITS,
  instanceName,
  MAX_PREFIX,
  parseZone,
  readInstance,
  serviceName,
  subtypeName,
} from "../name.ts";

const DEFAULT_MAX_PEERS = 100_000;
const DEFAULT_MAX_OUTSTANDING = 32;
/** SRV, A, AAAA, TXT, and one of them over TCP. */
const QUESTIONS_PER_PEER = 5;
/** For lists: all prefixes, UDP and TCP. */
const QUESTIONS_FOR_LISTS = 2 * (1 + 32 + 32 ** 2 + 32 ** 3);
/**
 * How often a question is asked at least where what comes isn't signed, and nothing ever was. A true
 * answer to the first attempt has 1.5 s, and that to the second 1 s, whatever somebody sends before.
 */
const DOUBTED_ATTEMPTS = 2;
/** A list with so many names may have been cut, also where it doesn't say so. */
const MAYBE_CUT = 800;

/** What to ask for. */
export interface ZoneExchangeOptions {
  /** The zone's name, for which {@linkcode parseZone} gives one. */
  readonly zone: string;
  /** The public keys of the peers that are wanted, in base64; all peers where this is left out. */
  readonly keys?: readonly string[] | undefined;
  /** Whether to ask for TXT records that don't come by themselves. */
  readonly wantsTxt: boolean;
  /** Fills an array with bytes that nobody can guess: for the questions' IDs. */
  readonly random: RandomSource;
  /** Signs questions, and takes no answer that isn't signed; nothing is where this is left out. */
  readonly tsig?: TsigDialogOptions | undefined;
  /** How many addresses the server has, each of which is asked in turn: 1 where this is left out. */
  readonly addresses?: number | undefined;
  /** The most peers that are kept, 100 000 where this is left out. */
  readonly maxPeers?: number;
  /** The most questions on their way at once, 32 where this is left out. */
  readonly maxOutstanding?: number;
}

/** A peer as a zone publishes it. */
export interface ZonePeer extends InstanceText {
  /** The WireGuard public key in base64. */
  readonly publicKey: string;
  /** IPv4 or IPv6 address. */
  readonly address: string;
  /** UDP port, 1 to 65535. */
  readonly port: number;
}

/** What became of a message that was received. */
export type ZoneReceipt =
  | "accepted"
  | "drop-no-response"
  | "drop-malformed"
  | "drop-unknown-id"
  | "drop-other-question"
  /** Where questions are signed. */
  | Exclude<TsigReceipt, "signed" | "again">;

/**
 * How far a zone's answer came: `ok` all of it; `incomplete` a part; `no-answer` nothing;
 * `not-authenticated` nothing that is signed as it has to be, but something that isn't; `refused` only
 * refusals and failures (REFUSED, SERVFAIL, NOTAUTH, …, or a server that points to others);
 * `no-zone` the list is not there (NXDOMAIN), or no key that was asked for, and the server doesn't say
 * that at least the zone is its own; `no-endpoints` all of it, where the list names peers and nothing
 * says where any of them is, as behind a resolver that leaves SRV or address records out.
 */
export type ZoneStatus =
  | "ok"
  | "incomplete"
  | "no-answer"
  | "not-authenticated"
  | "refused"
  | "no-zone"
  | "no-endpoints";

/** A peer while it is asked for. */
interface Found {
  readonly publicKey: string;
  /** The name of its instance. */
  readonly name: string;
  port: number;
  /** What SRV points to. */
  target: string;
  address: string | undefined;
  text: InstanceText | undefined;
}

/** What a question is for. Each has how many aliases were followed to get there. */
type Purpose =
  | { readonly kind: "list"; readonly prefix: string; readonly aliases: number }
  | {
    readonly kind: "service" | "address" | "text";
    readonly peer: Found;
    readonly aliases: number;
  };
type Asked = Question<Purpose>;

/** How the questions went that were to find peers: the list's, else those for each key. */
interface Tally {
  asked: number;
  missing: number;
  refused: number;
}

/** One zone, asked at one server. Times are the caller's, in seconds, from a steady clock. */
export class ZoneExchange {
  readonly #options: ZoneExchangeOptions;
  readonly #zone: string;
  readonly #maxPeers: number;
  readonly #queue: QuestionQueue<Purpose>;
  readonly #tsig: TsigDialog | undefined;
  readonly #found = new Map<string, Found>();
  readonly #tally: Tally = { asked: 0, missing: 0, refused: 0 };
  #isHeard = false;
  #refusal: number | undefined;
  /** Questions of any kind that were refused or never answered. */
  #failed = 0;
  #skipped = 0;
  /** Peers that are there, and whose SRV record, or whose addresses, are not. */
  #unlocated = 0;
  /** Whether the zone itself is there, and only names in it are not. */
  #isZoneSeen = false;
  /** Whether a list was surely cut, and whether beginnings of keys have lists. */
  #isCut = false;
  #hasSubtypes = false;
  /** Whether something was left out for a limit. */
  #isLimited = false;

  /**
   * Prepares the questions.
   *
   * @throws {RangeError} If the zone's name or a key can't be asked for.
   */
  constructor(options: ZoneExchangeOptions) {
    const { keys, random, tsig, maxPeers = DEFAULT_MAX_PEERS } = options;
    const { maxOutstanding = DEFAULT_MAX_OUTSTANDING } = options;
    const zone = parseZone(options.zone);
    if (zone === undefined) throw new RangeError(`"${options.zone}" is no name of a zone`);
    this.#options = options;
    this.#zone = zone;
    this.#tsig = tsig && new TsigDialog(tsig);
    this.#maxPeers = maxPeers;
    const maxQuestions = QUESTIONS_PER_PEER * maxPeers + QUESTIONS_FOR_LISTS;
    this.#queue = new QuestionQueue({ random, maxOutstanding, maxQuestions });
    if (keys === undefined) this.#askList("", "udp");
    for (const publicKey of new Set(keys)) {
      const key = parseKey(publicKey);
      if (key === undefined) throw new RangeError(`"${publicKey}" is no public key`);
      this.#addPeer(publicKey, instanceName(key, zone));
    }
  }

  /** Whether nothing is left to ask. */
  get isComplete(): boolean {
    return this.#queue.isEmpty;
  }

  /** When to call {@linkcode due} next, also after each message; Infinity where only messages help. */
  get nextAt(): number {
    return this.#queue.nextAt;
  }

  /** Whether an answer over TCP is waited for. */
  get needsTcp(): boolean {
    return this.#queue.needsTcp;
  }

  /** Records that were published and are of no use: no key, port 0, no usable address. */
  get skipped(): number {
    return this.#skipped;
  }

  /** How many peers the zone names without saying where they are. */
  get unlocated(): number {
    return this.#unlocated;
  }

  /** Why answers were dropped where questions are signed; undefined where none was. */
  get tsigFault(): TsigFault | undefined {
    return this.#tsig?.fault;
  }

  /**
   * The last RCODE of a refusal, or of a failure, to tell where peers are; 0 (NOERROR) where the
   * server points to others. Undefined where there was none.
   */
  get refusal(): number | undefined {
    return this.#refusal;
  }

  /** By how many seconds the server's clock is ahead, where it has refused the time of this host. */
  get clockAhead(): number {
    return this.#tsig?.clockAhead ?? 0;
  }

  /** How far it came. Final when {@linkcode isComplete}, or when the caller gives up. */
  get status(): ZoneStatus {
    if (!this.#isHeard) {
      if (this.isComplete && this.#tally.asked === 0) return "ok";
      return this.tsigFault === undefined ? "no-answer" : "not-authenticated";
    }
    const { asked, missing, refused } = this.#tally;
    if (refused === asked) return "refused";
    const mayLack = this.#options.keys !== undefined && this.#isZoneSeen;
    if (missing === asked && !mayLack) return "no-zone";
    const isWhole = this.isComplete && this.#failed === 0 && !this.#isLimited &&
      (!this.#isCut || this.#hasSubtypes);
    if (!isWhole) return "incomplete";
    // A key that was asked for may be unknown there; a peer in the list is not.
    const isListed = this.#options.keys === undefined && this.#unlocated > 0;
    return isListed && !this.#isAnyLocated() ? "no-endpoints" : "ok";
  }

  #isAnyLocated(): boolean {
    return [...this.#found.values()].some(({ address }) => address !== undefined);
  }

  /** The peers whose endpoint is known so far, in the order in which they were named. */
  peers(): ZonePeer[] {
    const peers: ZonePeer[] = [];
    for (const { publicKey, address, port, text } of this.#found.values()) {
      if (address !== undefined) peers.push({ publicKey, address, port, ...text });
    }
    return peers;
  }

  /** The questions to send now. One over TCP is given once, until {@linkcode loseConnection}. */
  due(now: number): DueQuestion[] {
    // One who has signed an answer has the key: what isn't signed then is somebody else's.
    const { addresses = 1 } = this.#options;
    const patience = this.#isHeard ? undefined : Math.max(DOUBTED_ATTEMPTS, addresses);
    const { send, givenUp, isDoubted } = this.#queue.due(now, patience);
    this.#failed += givenUp.length;
    if (patience !== undefined && isDoubted) {
      // All others would come to the same, some after the other.
      this.#queue.abandon();
      return [];
    }
    const tsig = this.#tsig;
    return tsig === undefined ? send : send.map((question) => tsig.sign(question, now));
  }

  /** The TCP connection is lost, or could not be made: another will be needed. */
  loseConnection(now: number): void {
    this.#queue.loseConnection(now);
  }

  /** Takes in a message that came from the server, over UDP or (without its length) over TCP. */
  receive(bytes: Uint8Array, transport: Transport): ZoneReceipt {
    if (!isDnsResponse(bytes)) return "drop-no-response";
    const response = decodeResponse(bytes);
    if (response === undefined) return "drop-malformed";
    const asked = this.#queue.find(response.id, transport);
    if (asked === undefined) return "drop-unknown-id";
    const { question } = response;
    if (
      question === undefined || question.name !== asked.name || question.type !== asked.type ||
      question.class !== "IN"
    ) return "drop-other-question";
    const { id } = response;
    const receipt = this.#tsig?.check(id, bytes) ?? "signed";
    if (receipt === "again") {
      this.#queue.again(id);
      return "accepted";
    }
    if (receipt !== "signed") {
      this.#queue.doubt(id);
      return receipt;
    }
    this.#queue.settle(id);
    this.#tsig?.forget(id);
    this.#isHeard = true;
    this.#take(asked, response);
    return "accepted";
  }

  #take(asked: Asked, response: DnsResponse): void {
    const { rcode } = response;
    if (!asked.isPlain && (rcode === RCODE.formerr || rcode === RCODE.notimp)) {
      // A server from before EDNS says this of it (RFC 6891, section 7).
      this.#queue.edns = false;
      return this.#ask({ ...asked, isPlain: true });
    }
    if (response.truncated && asked.transport === "udp") {
      const isEnough = this.#takeTruncated(asked, response);
      return isEnough ? undefined : this.#ask({ ...asked, transport: "tcp" });
    }
    if (rcode !== RCODE.noerror && rcode !== RCODE.nxdomain || isReferral(response)) {
      this.#failed++;
      if (this.#isDiscovery(asked)) {
        this.#tally.refused++;
        this.#refusal = rcode;
      } else if (asked.purpose.kind === "service") this.#unlocated++;
      return;
    }
    if (rcode === RCODE.nxdomain) {
      if (this.#isDiscovery(asked)) this.#tally.missing++;
      else if (asked.purpose.kind === "service") this.#unlocated++;
      if (asked.purpose.kind === "address") this.#skipped++;
      this.#isZoneSeen ||= firstOf(response.authorities, "SOA")?.name === this.#zone;
      return;
    }
    const { owner, aliases } = follow(response.answers, asked.name);
    const wanted = asked.purpose.kind === "address" ? ["A", "AAAA"] : [asked.type];
    const records = response.answers.filter(({ name, type }) =>
      name === owner && wanted.includes(type)
    );
    if (records.length === 0 && aliases > 0) return this.#askAlias(asked, owner, aliases);
    const { purpose } = asked;
    switch (purpose.kind) {
      case "list":
        return this.#takeList(asked, purpose.prefix, owner, records, response);
      case "service":
        return this.#takeService(purpose.peer, owner, records, response);
      case "address":
        return this.#takeAddress(purpose.peer, asked, records);
      case "text":
        return this.#takeText(purpose.peer, records);
    }
  }

  /**
   * Takes an endpoint that a truncated answer holds, because not every server of such an answer can
   * be asked over TCP.
   *
   * @returns Whether nothing more is wanted.
   */
  #takeTruncated({ purpose, name }: Asked, { answers, additionals }: DnsResponse): boolean {
    if (purpose.kind !== "service") return false;
    const service = bestService(answers.filter((each) => each.name === name));
    if (service === undefined || service.port === 0) return false;
    const beside = additionals.filter((each) => each.name === service.target);
    const address = addressIn(beside);
    if (address === undefined) return false;
    purpose.peer.port = service.port;
    purpose.peer.address = address;
    return !this.#options.wantsTxt;
  }

  /** Whether a question is one of those by which peers are found. */
  #isDiscovery({ purpose }: Asked): boolean {
    return this.#options.keys === undefined
      ? purpose.kind === "list" && purpose.prefix === ""
      : purpose.kind === "service";
  }

  #ask(question: Asked): void {
    this.#isLimited = !this.#queue.ask(question) || this.#isLimited;
  }

  /** The name asked for is another name's alias, and the answer ended there. */
  #askAlias(asked: Asked, name: string, more: number): void {
    const aliases = asked.purpose.aliases + more;
    if (aliases > MAX_ALIASES || !isDnsName(name)) {
      this.#failed++;
      return;
    }
    this.#ask({ ...asked, name, purpose: { ...asked.purpose, aliases } });
  }

  #askList(prefix: string, transport: Transport): void {
    if (prefix === "") this.#tally.asked++;
    const name = prefix === "" ? serviceName(this.#zone) : subtypeName(prefix, this.#zone);
    this.#ask({ name, type: "PTR", transport, purpose: { kind: "list", prefix, aliases: 0 } });
  }

  #takeList(
    { transport, name }: Asked,
    prefix: string,
    owner: string,
    records: readonly DnsRecord[],
    response: DnsResponse,
  ): void {
    for (const record of records) {
      if (record.type !== "PTR") continue;
      const publicKey = readInstance(record.target);
      if (publicKey === undefined) this.#skipped++;
      else this.#addPeer(publicKey, record.target);
    }
    if (prefix !== "" && records.length > 0) this.#hasSubtypes = true;
    const count = this.#countOf([name, owner, serviceName(this.#zone)], response.additionals);
    const isCut = count === undefined ? response.truncated : records.length < count;
    if (!isCut && (count !== undefined || records.length <= MAYBE_CUT)) return;
    if (isCut && prefix === "") this.#isCut = true;
    if (prefix.length === MAX_PREFIX) this.#isLimited = true;
    else for (const digit of BASE32_DIGITS) this.#askList(prefix + digit, transport);
  }

  /** How many peers there are, as the TXT record of one of these names says. */
  #countOf(names: readonly string[], records: readonly DnsRecord[]): number | undefined {
    const text = firstOf(records.filter(({ name }) => names.includes(name)), "TXT");
    return text && readPeerCount(text.strings);
  }

  #addPeer(publicKey: string, name: string): void {
    if (this.#found.has(publicKey)) return;
    if (this.#found.size >= this.#maxPeers) {
      this.#isLimited = true;
      return;
    }
    const peer: Found = {
      publicKey,
      name,
      port: 0,
      target: "",
      address: undefined,
      text: undefined,
    };
    this.#found.set(publicKey, peer);
    if (this.#options.keys !== undefined) this.#tally.asked++;
    this.#askFor(peer, "service", name, "SRV");
  }

  #askFor(
    peer: Found,
    kind: "service" | "address" | "text",
    name: string,
    type: "SRV" | "A" | "AAAA" | "TXT",
  ): void {
    this.#ask({ name, type, transport: "udp", purpose: { kind, peer, aliases: 0 } });
  }

  #takeService(
    peer: Found,
    owner: string,
    records: readonly DnsRecord[],
    { answers, additionals }: DnsResponse,
  ): void {
    const service = bestService(records);
    if (service === undefined) {
      this.#unlocated++;
      return;
    }
    if (service.port === 0 || !isDnsName(service.target)) {
      this.#skipped++;
      return;
    }
    peer.port = service.port;
    peer.target = service.target;
    const beside = [...additionals, ...answers];
    const addresses = beside.filter(({ name }) => name === peer.target);
    if (!this.#setAddress(peer, addresses)) this.#askFor(peer, "address", peer.target, "A");
    const texts = beside.filter(({ name, type }) =>
      type === "TXT" && (name === peer.name || name === owner)
    );
    if (texts.length > 0) this.#takeText(peer, texts);
    else if (this.#options.wantsTxt) this.#askFor(peer, "text", peer.name, "TXT");
  }

  #takeAddress(peer: Found, { type }: Asked, records: readonly DnsRecord[]): void {
    if (this.#setAddress(peer, records)) return;
    if (type === "A") return this.#askFor(peer, "address", peer.target, "AAAA");
    this.#skipped++;
    this.#unlocated++;
  }

  /**
   * Sets the address from A and AAAA records, IPv4 first.
   *
   * @returns Whether there is such a record. Where none can be a host's, that counts as skipped.
   */
  #setAddress(peer: Found, records: readonly DnsRecord[]): boolean {
    if (!records.some(({ type }) => type === "A" || type === "AAAA")) return false;
    peer.address = addressIn(records);
    if (peer.address === undefined) this.#skipped++;
    return true;
  }

  #takeText(peer: Found, records: readonly DnsRecord[]): void {
    const record = firstOf(records, "TXT");
    if (record === undefined) return;
    peer.text = readInstanceText(record.strings, peer.publicKey);
    if (peer.text === undefined) this.#skipped++;
  }
}

/** The first address that can be a host's: of A records, else of AAAA records. */
function addressIn(records: readonly DnsRecord[]): string | undefined {
  for (const type of ["A", "AAAA"] as const) {
    const record = firstOf(records, type);
    const address = record && usableAddress(record.address);
    if (address !== undefined) return address;
  }
  return undefined;
}
