/**
 * Clients of DNS: over UDP they ask for the SRV of the registered peers in turn, over TCP for the list
 * of all. IDs are random, but over UDP for the bits that say which client asks.
 *
 * @module
 */

import type { Dialogue } from "./dialogue.ts";
import { ListQuestion, SrvQuestions } from "./dns_questions.ts";
import { PEERS } from "./requests.ts";

const CLIENT_BITS = 6;
const CLIENTS = 1 << CLIENT_BITS;
/** The load is slower than the server with a socket for each. */
const PER_SOCKET = 16;

/** The protocol over UDP for up to 64 clients; see {@linkcode Job} for `bareSize`. */
export function dnsDialogue(bareSize: number): Dialogue {
  const questions = new SrvQuestions(PEERS);
  const ids = new Uint16Array(CLIENTS);
  const peers = new Uint16Array(CLIENTS);
  let next = 0;
  return {
    size: questions.size,
    perSocket: PER_SOCKET,
    clientOf: (answers, at, length) => length < 2 ? 0 : answers.view.getUint16(at) % CLIENTS,
    ask(client, out, at) {
      const peer = next;
      next = (next + 1) % PEERS;
      peers[client] = peer;
      const random = Math.floor(Math.random() * (0x10000 / CLIENTS));
      const id = ids[client] = random * CLIENTS + client;
      questions.write(peer, id, out, at);
      return questions.size;
    },
    isAnswer(client, answers, at, length) {
      const id = ids[client]!;
      if (bareSize > 0) return length === bareSize && answers.view.getUint16(at) === id;
      return questions.isAnswer(peers[client]!, id, answers, at, length);
    },
  };
}

/** The protocol over TCP for as many; see {@linkcode Job} for `bareSize`. */
export function listDialogue(bareSize: number): Dialogue {
  const question = new ListQuestion();
  const ids = new Uint16Array(CLIENTS);
  return {
    size: question.query.length,
    perSocket: 1,
    clientOf: () => 0,
    ask(client, out, at) {
      const id = ids[client] = Math.floor(Math.random() * 0x10000);
      out.bytes.set(question.query, at);
      out.view.setUint16(at, id);
      return question.query.length;
    },
    isAnswer(client, answers, at, length) {
      const id = ids[client]!;
      if (bareSize > 0) return length === bareSize && answers.view.getUint16(at) === id;
      return question.isAnswer(id, answers, at, length);
    },
  };
}
