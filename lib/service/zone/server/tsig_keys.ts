/**
 * The TSIG keys of a server's zones: from files, and of the secrets of groups.
 *
 * @module
 */

import { UserError } from "../../../core/settings/user_error.ts";
import { deriveTsigSecret } from "../../../core/zone/tsig_key.ts";
import type { Files, Input } from "../../../host/files.ts";
import type { Cryptography, System } from "../../../host/host.ts";
import { areSameBytes } from "../../../wire/bytes/wire_buffer.ts";
import { encodeName, formatName } from "../../../wire/dns/name.ts";
import { TsigKey } from "../../../wire/dns/tsig.ts";
import { readTsigKey } from "../../files/tsig_file.ts";

/** A key, and the secret that it was made of. */
interface KnownKey {
  readonly key: TsigKey;
  readonly secret: Uint8Array;
  /** Undefined where it was derived. */
  readonly path: string | undefined;
}

/**
 * Makes the keys of one server after the other. What several zones name is one key, whatever files
 * it is in.
 */
export class TsigKeys {
  readonly #host: System & Files & Input & Cryptography;
  readonly #known: KnownKey[] = [];

  constructor(host: System & Files & Input & Cryptography) {
    this.#host = host;
  }

  /**
   * The key in a file, which is read once.
   *
   * @throws {UserError} It can't be read, holds no key, or one with the name of another file's key.
   */
  async read(path: string): Promise<TsigKey> {
    const before = this.#known.find((each) => each.path === path);
    if (before !== undefined) return before.key;
    const { name, secret } = await readTsigKey(this.#host, path);
    const other = this.#known.find((each) => each.path !== undefined && each.key.text === name);
    if (other !== undefined && !areSameBytes(other.secret, secret)) {
      secret.fill(0);
      throw new UserError(
        `TSIG key files ${other.path} and ${path} have another secret for the same name ${name}; ` +
          `give one of the keys another name`,
      );
    }
    return this.#add(encodeName(name), secret, path);
  }

  /** The key of this name that everyone has who is in the group with this secret. */
  derive(keyName: string, groupSecret: Uint8Array): TsigKey {
    const name = encodeName(keyName);
    const secret = deriveTsigSecret(name, groupSecret, this.#host.primitives);
    return this.#add(name, secret, undefined);
  }

  /** Overwrites the secrets: keys have what they need. */
  wipe(): void {
    for (const { secret } of this.#known) secret.fill(0);
    this.#known.length = 0;
  }

  #add(name: Uint8Array, secret: Uint8Array, path: string | undefined): TsigKey {
    const text = formatName(name);
    const same = this.#known.find(({ key, secret: other }) =>
      key.text === text && areSameBytes(other, secret)
    );
    const key = same?.key ?? new TsigKey(name, secret, this.#host.primitives);
    this.#known.push({ key, secret, path });
    return key;
  }
}
