/**
 * Checks of the servers: their names, whether they answer, what they are given and what they show.
 *
 * @module
 */

import { EARLIEST_TIME } from "../net/clock.ts";
import { bad, type Check, fromMessage, ok, warn } from "./check.ts";
import type { AnswerFacts, DoctorFacts, ServerFacts } from "./facts.ts";

/** A registry of the first protocol drops what is off by more, in seconds. */
const WINDOW = 30;
const SET_CLOCK = "timedatectl set-ntp true, or: ntpd -q -p pool.ntp.org";
/** The host has no such addresses, or no way out with them. */
const NO_FAMILY = new Set(["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EHOSTUNREACH"]);

/** Whether a registry has let the question in: then the secret is the same. */
function isAnswered({ status }: AnswerFacts): boolean {
  return status === "ok" || status === "incomplete";
}

/** This host's clock against those of registries. */
export function checkClock({ servers, unix }: DoctorFacts): Check {
  const name = "clock";
  const said = servers.flatMap(({ name, answers }) =>
    answers.filter(({ protocol }) => protocol !== undefined).map((each) => ({ ...each, name }))
  );
  const worst = said.toSorted((a, b) => Math.abs(b.ahead) - Math.abs(a.ahead))[0];
  if (worst !== undefined && worst.ahead !== 0) {
    const off = Math.abs(worst.ahead).toFixed(0);
    const side = worst.ahead > 0 ? "behind" : "ahead of";
    const text = `this clock is ${off} s ${side} that of ${worst.name}`;
    return Math.abs(worst.ahead) < WINDOW
      ? warn(name, text, SET_CLOCK)
      : bad(name, `${text}: in the first protocol, others drop what this host sends`, SET_CLOCK);
  }
  if (unix < EARLIEST_TIME) {
    return bad(name, "this clock stands before 2026", SET_CLOCK);
  }
  if (worst === undefined) return warn(name, "no registry has answered to compare it with");
  return ok(name, `agrees with ${worst.name}`);
}

/** Whether the names of the servers are found. */
export function checkNames({ servers }: DoctorFacts): Check[] {
  return servers.map(({ name: server, isLiteral, addresses }) => {
    const name = "name";
    if ("problem" in addresses) {
      return bad(
        name,
        `${server}: ${addresses.problem}`,
        "check how it is written, and /etc/resolv.conf",
      );
    }
    return ok(
      name,
      isLiteral ? `${server} is an address` : `${server}: ${addresses.value.join(" ")}`,
    );
  });
}

/** Whether UDP gets to each registry, and back. */
export function checkAnswers({ servers, own }: DoctorFacts): Check[] {
  const checks = servers.flatMap((server) => server.answers.map((each) => answerOf(server, each)));
  if (own.problem !== undefined) {
    checks.push(fromMessage("udp", `nobody was asked: ${own.problem}`));
  }
  return checks;
}

function answerOf({ name: server, answers }: ServerFacts, answer: AnswerFacts): Check {
  const name = "udp";
  const { family, protocol, roundTrip, unsent, warning } = answer;
  const to = `${server} over IPv${family}`;
  if (protocol !== undefined) {
    const time = roundTrip === undefined ? "" : ` in ${(roundTrip * 1000).toFixed(1)} ms`;
    const what = protocol === 2 ? "wgsig 2" : "the first protocol";
    return answer.status === "incomplete"
      ? warn(name, `${to}: not all of the answer came`, "look for packet loss on the way")
      : ok(name, `${to} answers${time}, ${what}`);
  }
  const others = answers.some((each) => each !== answer && each.protocol !== undefined);
  if (unsent !== undefined && NO_FAMILY.has(unsent) && others) {
    return ok(name, `${to}: this host has no IPv${family} route there`);
  }
  const [text = "", mend] = split(warning ?? `no answer from ${server}`);
  return (others ? warn : bad)(name, `${text} (IPv${family})`, mend);
}

/** Warnings say what is wrong before the first semicolon, and then what to do. */
function split(warning: string): [string, string | undefined] {
  const [, text = warning, mend] = /^(.*?); (.*)$/s.exec(warning) ?? [];
  return [text, mend];
}

/** What tells the one reason of silence from the other: the registry counts what it can't open. */
const TELL_APART =
  "look at the host of the registry, while this asks: if serve counts drop-not-opened " +
  "(wgsig status there, or SIGUSR1 and its log), the secret is another one: compare sha256sum FILE on " +
  "both; if it counts nothing (received stays the same), UDP doesn't get there: open its port in the " +
  "firewall";

/**
 * Whether registries have the same secret. One that has another is silent, as one is that can't be
 * reached: they answer nothing to anyone without the secret, so that nobody else finds them.
 */
export function checkSecret({ servers }: DoctorFacts): Check[] {
  const name = "secret";
  const isTaken = servers.some(({ answers }) =>
    answers.some(({ protocol, status }) => protocol !== undefined && status !== "not-authenticated")
  );
  return servers.flatMap(({ name: server, answers }) => {
    if (answers.length === 0) return [];
    const refused = answers.find(({ status, protocol }) =>
      status === "not-authenticated" && protocol !== 2
    );
    if (refused !== undefined) {
      return bad(name, `${server} has another one`, "copy the file that the registry has");
    }
    // Whoever speaks wgsig 2 has opened the question.
    if (answers.some(({ protocol }) => protocol !== undefined)) {
      return ok(name, `the same as that of ${server}`);
    }
    // What can't be sent, or is turned away, has nothing to do with the secret.
    if (answers.every(({ unsent, isClosed }) => isClosed || unsent !== undefined)) return [];
    return isTaken
      ? warn(
        name,
        `${server} is silent: it can't be reached, or has another one than the registry that ` +
          "answers; with the secret that this host has, the first is more likely",
        TELL_APART,
      )
      : warn(name, `${server} is silent: it can't be reached, or it has another one`, TELL_APART);
  });
}

/** Whether registries are who they were said to be. */
export function checkServerKeys({ servers }: DoctorFacts): Check[] {
  const name = "server-key";
  return servers.flatMap(({ name: server, isPinned, answers }) => {
    const refused = answers.find(({ status }) => status === "wrong-key");
    if (refused !== undefined) {
      const [text = "", mend] = split(
        refused.warning ?? `${server} has another key than server-key`,
      );
      return bad(name, text, mend);
    }
    const answered = answers.find(({ protocol }) => protocol !== undefined);
    if (answered === undefined) return [];
    const { serverKey } = answered;
    if (answered.protocol === 1) {
      return ok(name, `${server} speaks the first protocol, which has none`);
    }
    if (isPinned) return ok(name, `${server} has the one that is pinned`);
    if (serverKey === undefined) return warn(name, `${server} has shown none`);
    return warn(
      name,
      `that of ${server} isn't pinned: any member of the group could pretend to be it`,
      `if serve's log there shows the same key, set server-key = "${server}=${serverKey}"`,
    );
  });
}

/** Whether this host proves who it is. */
export function checkProof({ servers, own: { proves } }: DoctorFacts): Check[] {
  const name = "proof";
  const second = servers.filter(({ answers }) => answers.some(({ protocol }) => protocol === 2));
  if ("problem" in proves) return [fromMessage(name, proves.problem)];
  return second.map(({ name: server, answers }) => {
    const isRefused = answers.some(({ status, protocol }) =>
      status === "not-authenticated" && protocol === 2
    );
    const give = "set private-key-file in [sync.NAME], or run this as root where wg tells the key";
    if (isRefused) {
      return proves.value
        ? bad(
          name,
          `${server} doesn't take it`,
          "check that secret and private key are the right ones",
        )
        : bad(name, `${server} wants one, and the private key is not known here`, give);
    }
    if (!proves.value) {
      return warn(
        name,
        `the private key isn't known here: ${server} can't tell this host from others`,
        give,
      );
    }
    return answers.some(isAnswered)
      ? ok(name, `${server} takes it`)
      : warn(name, `${server} hasn't said whether it takes it`);
  });
}

/** Whether the TSIG keys of name servers are there; what they are good for is said of each zone. */
export function checkTsig({ tsig }: DoctorFacts): Check[] {
  return "problem" in tsig ? [fromMessage("tsig", tsig.problem)] : [];
}

/** Whether name servers answer for their zones, signed where this host has a key. */
export function checkZones({ servers }: DoctorFacts): Check[] {
  return servers.flatMap(({ name, zone }) => zone === undefined ? [] : zoneOf(name, zone));
}

function zoneOf(server: string, asked: NonNullable<ServerFacts["zone"]>): Check {
  const name = "zone";
  if ("problem" in asked) return bad(name, `cannot ask ${server}: ${asked.problem}`);
  const { zone, status, peers, key, warning } = asked.value;
  const count = `${peers} ${peers === 1 ? "peer" : "peers"}`;
  if (status === "incomplete") {
    return warn(
      name,
      `${server}: not all of the answer came (${count})`,
      `wgsig query ${server} gives it more time; else look for packet loss on the way`,
    );
  }
  if (status !== "ok" || warning !== undefined) {
    const [text = "", mend] = split(warning ?? `no answer from ${server}`);
    return (status === "ok" ? warn : bad)(name, text, mend);
  }
  const signed = key === undefined ? "" : `, signed with the key ${key}`;
  return ok(name, `${server} answers for ${zone}, ${count}${signed}`);
}
