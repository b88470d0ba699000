/**
 * What a client makes of the records of a DNS response.
 *
 * @module
 */

import { RCODE } from "../../wire/dns/answer.ts";
import type { DnsRecord, DnsResponse } from "../../wire/dns/message.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { ADDRESS_SIZE, formatAddress, isIpv4, parseAddress, readIpv4 } from "../net/ip_address.ts";

/** The most aliases that are followed for one question. */
export const MAX_ALIASES = 8;
const MULTICAST_IPV4 = 224;
const MULTICAST_IPV6 = 0xff;

/** A record of one type. */
export type RecordOf<T extends DnsRecord["type"]> = Extract<DnsRecord, { readonly type: T }>;

/** The first record of a type. */
export function firstOf<T extends DnsRecord["type"]>(
  records: readonly DnsRecord[],
  type: T,
): RecordOf<T> | undefined {
  return records.find((record): record is RecordOf<T> => record.type === type);
}

/** Whether a server knows nothing itself, asks nobody, and only points to other servers. */
export function isReferral(
  { rcode, answers, authoritative, recursionAvailable }: DnsResponse,
): boolean {
  return rcode === RCODE.noerror && answers.length === 0 && !authoritative && !recursionAvailable;
}

/** Follows the aliases (CNAME) of a name within an answer, at most {@linkcode MAX_ALIASES}. */
export function follow(
  answers: readonly DnsRecord[],
  name: string,
): { readonly owner: string; readonly aliases: number } {
  let owner = name;
  let aliases = 0;
  for (; aliases < MAX_ALIASES; aliases++) {
    const alias = firstOf(answers.filter((each) => each.name === owner), "CNAME");
    if (alias === undefined) break;
    owner = alias.target;
  }
  return { owner, aliases };
}

/** The SRV record to use: the lowest priority, of those the highest weight (RFC 2782). */
export function bestService(records: readonly DnsRecord[]): RecordOf<"SRV"> | undefined {
  let best: RecordOf<"SRV"> | undefined;
  for (const each of records) {
    if (each.type !== "SRV") continue;
    const isBetter = best === undefined || each.priority < best.priority ||
      (each.priority === best.priority && each.weight > best.weight);
    if (isBetter) best = each;
  }
  return best;
}

/** The address in its usual form, or undefined where it can be no host's (0.0.0.0, ::, a group). */
export function usableAddress(text: string): string | undefined {
  const binary = new WireBuffer(ADDRESS_SIZE);
  if (!parseAddress(text, binary, 0)) return undefined;
  const [first] = binary.bytes;
  const network = readIpv4(binary, 0) >>> 24;
  const isUsable = isIpv4(binary, 0)
    ? network > 0 && network < MULTICAST_IPV4
    : first !== MULTICAST_IPV6 && binary.bytes.some((byte) => byte !== 0);
  return isUsable ? formatAddress(binary, 0) : undefined;
}
