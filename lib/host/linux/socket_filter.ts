/**
 * What a raw UDP socket hears, as a filter in the kernel: the right ports, and nothing of WireGuard's.
 * What a relay forwards comes from the port at which it is asked, so ports alone don't tell.
 *
 * WireGuard's messages begin with their type, 1 to 4, and three zero bytes, and none has less than 32
 * bytes (wireguard.com/protocol). All that is sent to this program begins with bytes at random or is
 * shorter, but for one thing: the first protocol's plain page begins with a public key, which may have
 * any bytes. So what can be taken apart into pages (`segment`) is heard whatever it begins with: no
 * message of WireGuard's has 540 bytes.
 *
 * Sources: bpf(4), linux/filter.h, socket(7).
 *
 * @module
 */

import type { Libc } from "./libc.ts";
import { SOL_SOCKET } from "./socket_options.ts";

const SO_ATTACH_FILTER = 26;

/** What is heard. */
export interface Heard {
  readonly ipv4: boolean;
  /** The port that datagrams come from; any without it. */
  readonly from?: number;
  /** The port that they go to. */
  readonly to: number;
  /** Further ports that they may go to. */
  readonly also?: { readonly first: number; readonly last: number } | undefined;
  /** Bytes of a page; 0 or undefined is none. */
  readonly segment?: number;
}

const LOAD_WORD = { absolute: 0x20, indexed: 0x40 };
const LOAD_HALF = { absolute: 0x28, indexed: 0x48 };
const LOAD_IPV4_HEADER_SIZE = 0xb1;
const SUBTRACT = 0x14;
const MODULO = 0x94;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_GREATER = 0x25;
const JUMP_IF_AT_LEAST = 0x35;
const RETURN = 0x06;
const WHOLE = 0xffff;
const INSTRUCTION_SIZE = 8;

// Offsets in a UDP datagram.
const FROM = 0;
const TO = 2;
const LENGTH = 4;
const PAYLOAD = 8;
const WIREGUARD_TYPES = [1, 2, 3, 4];
const MIN_WIREGUARD_SIZE = 32;

type Target = "next" | "judge" | "hear" | "drop";
type Step = readonly [code: number, value: number, ifTrue?: Target, ifFalse?: Target];
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** The instructions. An IPv4 socket sees the IP header, too. */
function instructions({ ipv4, from, to, also, segment = 0 }: Heard): Instruction[] {
  const way = ipv4 ? "indexed" : "absolute";
  const steps: Step[] = [];
  if (ipv4) steps.push([LOAD_IPV4_HEADER_SIZE, 0]);
  if (from !== undefined) {
    steps.push([LOAD_HALF[way], FROM], [JUMP_IF_EQUAL, from, "next", "drop"]);
  }
  steps.push([LOAD_HALF[way], TO]);
  if (also === undefined) steps.push([JUMP_IF_EQUAL, to, "next", "drop"]);
  else {
    steps.push(
      [JUMP_IF_EQUAL, to, "judge"],
      [JUMP_IF_AT_LEAST, also.first, "next", "drop"],
      [JUMP_IF_GREATER, also.last, "drop"],
    );
  }
  const judge = steps.length;
  steps.push([LOAD_HALF[way], LENGTH]);
  steps.push([JUMP_IF_AT_LEAST, PAYLOAD + MIN_WIREGUARD_SIZE, "next", "hear"]);
  if (segment > 0) {
    steps.push([SUBTRACT, PAYLOAD], [MODULO, segment], [JUMP_IF_EQUAL, 0, "hear"]);
  }
  steps.push([LOAD_WORD[way], PAYLOAD]);
  for (const type of WIREGUARD_TYPES) steps.push([JUMP_IF_EQUAL, type << 24, "drop"]);
  const hear = steps.length;
  steps.push([RETURN, WHOLE], [RETURN, 0]);
  const places = { judge, hear, drop: hear + 1 };
  return steps.map(([code, value, ifTrue = "next", ifFalse = "next"], i) => {
    const skipped = (target: Target) => target === "next" ? 0 : places[target] - i - 1;
    return [code, skipped(ifTrue), skipped(ifFalse), value];
  });
}

/** The instructions must stay where they are until the kernel has read them. */
let keptInstructions = new Uint8Array(0);

/** Lets a raw socket hear this, and no more what it heard before. @returns Less than 0 on failure. */
export function attachFilter(libc: Libc, fd: number, heard: Heard): number {
  const program = filterProgram(libc, instructions(heard));
  return libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length);
}

/** struct sock_fprog: a length, and a pointer to struct sock_filter, in this machine's byte order. */
function filterProgram(libc: Libc, filter: readonly Instruction[]): Uint8Array {
  keptInstructions = new Uint8Array(filter.length * INSTRUCTION_SIZE);
  filter.forEach(([code, ifTrue, ifFalse, value], i) => {
    const at = i * INSTRUCTION_SIZE;
    keptInstructions.set(new Uint8Array(new Uint16Array([code]).buffer), at);
    keptInstructions.set([ifTrue, ifFalse], at + 2);
    keptInstructions.set(new Uint8Array(new Uint32Array([value]).buffer), at + 4);
  });
  const program = new Uint8Array(16);
  program.set(new Uint8Array(new Uint16Array([filter.length]).buffer));
  program.set(new Uint8Array(new BigUint64Array([libc.addressOf(keptInstructions)]).buffer), 8);
  return program;
}
