/**
 * Asks the `serve` that runs on this host.
 *
 * @module
 */

import { EXIT, UserError } from "../lib/core/settings/user_error.ts";
import { codedError } from "../lib/host/error.ts";
import type { Host } from "../lib/host/host.ts";
import { RUN_FOLDER } from "../lib/service/files/own_folders.ts";
import { askSocket } from "../lib/service/status/ask.ts";
import { type StatusPlace, statusPlaces } from "../lib/service/status/places.ts";
import { cannotAsk, isNobody } from "./socket_errors.ts";

const EXAMPLE = "wgsig serve --state /var/lib/wgsig/state";

/** Answers of one `serve`, which stays the same. */
export class ServeSocket {
  readonly #host: Host;
  readonly #place: StatusPlace;

  private constructor(host: Host, place: StatusPlace) {
    this.#host = host;
    this.#place = place;
  }

  /**
   * Finds it.
   *
   * @param named The name that is meant, where several run.
   * @throws {UserError} None runs, or it can't be said which is meant.
   */
  static async find(host: Host, named: string | undefined): Promise<ServeSocket> {
    let places: readonly StatusPlace[];
    try {
      places = (await statusPlaces(host)).filter(({ kind }) => kind === "serve");
    } catch (error) {
      throw cannotAsk(RUN_FOLDER, error);
    }
    const meant = named === undefined ? places : places.filter(({ name }) => name === named);
    // What was killed has left its socket there.
    const running: StatusPlace[] = [];
    for (const place of meant) {
      if (meant.length === 1 || await isRunning(host, place)) running.push(place);
    }
    const [place, other] = running;
    if (place === undefined) throw nobody(named);
    if (other !== undefined) {
      const names = running.map(({ name }) => `--serve ${name}`).join(" or ");
      throw new UserError(`several wgsig serve run here; say which: ${names}`);
    }
    return new ServeSocket(host, place);
  }

  /**
   * Asks, and reads the answer.
   *
   * @param read Throws a `TypeError` where it is none.
   * @throws {UserError} It refuses, or can't be asked.
   */
  async ask<T>(word: string, body: object, read: (answer: unknown) => T): Promise<T> {
    const { name, path } = this.#place;
    try {
      const answer = await askSocket(this.#host, path, word, body);
      try {
        return read(answer);
      } catch (error) {
        throw error instanceof TypeError ? codedError("EPROTO") : error;
      }
    } catch (error) {
      throw isNobody(error) ? nobody(name) : cannotAsk(path, error);
    }
  }
}

async function isRunning(host: Host, { path }: StatusPlace): Promise<boolean> {
  try {
    await askSocket(host, path, "status");
    return true;
  } catch (error) {
    // One that can't be asked now is one of several all the same.
    return !isNobody(error);
  }
}

function nobody(named: string | undefined): UserError {
  const which = named === undefined ? "no wgsig serve" : `no wgsig serve with --serve ${named}`;
  return new UserError(
    `${which} runs here (nobody answers in ${RUN_FOLDER}); run this on the registry's host, or ` +
      `start one: ${EXAMPLE}`,
    EXIT.failed,
  );
}
