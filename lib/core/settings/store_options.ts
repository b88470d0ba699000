/**
 * The options of the store that registries share what they know in.
 *
 * @module
 */

import { hasStoreSecret, parseStorePlace, type StorePlace } from "../net/store_place.ts";
import { file } from "./common_options.ts";
import { one, oneOf, type Rows } from "./option.ts";
import { type Reader, refuse, text } from "./reader.ts";

/** Where the store is. What may be a password is not shown. */
const storePlace: Reader<StorePlace> = (value, path) => {
  if (typeof value === "string" && hasStoreSecret(value)) {
    throw new SyntaxError(
      `${path}: expected an address without a user, a password or a ?, got one that would show ` +
        "them to others; name the user with --store-user, and the file of the password with " +
        "--store-password-file",
    );
  }
  const place = typeof value === "string" ? parseStorePlace(value) : undefined;
  return place ?? refuse(
    path,
    "redis://HOST[:PORT][/DB], rediss:// for TLS, redis+sentinel://HOST,HOST/NAME[/DB], or " +
      "redis+cluster://HOST,HOST",
    value,
  );
};

/** A part of `[serve]`. */
export const STORE = {
  store: {
    flag: "store",
    reader: one(storePlace, "URL"),
    help: "share peers and leases with other registries, in this Redis or Valkey",
  },
  "store-user": {
    flag: "store-user",
    reader: one(text, "NAME"),
    help: "user at the store",
  },
  "store-password-file": {
    flag: "store-password-file",
    reader: file,
    help: "file of the password for the store",
  },
  "store-ca-file": {
    flag: "store-ca-file",
    reader: file,
    shown: "public authorities'",
    help: "certificates, in PEM, that the store's is checked with",
  },
  "store-start": {
    flag: "store-start",
    reader: oneOf("wait", "alone"),
    default: "wait",
    help: "until the store is read at the start: answer nobody, or alone",
  },
} satisfies Rows;
