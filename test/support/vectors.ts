/**
 * Reads the recorded vectors and checks the fields that it hands out: they are outside data.
 *
 * @module
 */

import clientJson from "../vectors/wgsig-client.json" with { type: "json" };
import serverJson from "../vectors/wgsig-server.json" with { type: "json" };
import { unhex } from "./bytes.ts";

/** The address and port of a datagram's sender. */
export interface VectorSource {
  readonly address: string;
  readonly port: number;
}

/** Fields of a recorded request. */
export interface VectorRequestFields {
  readonly id: string;
  /** The 8 bytes of the seconds. */
  readonly tai64: Uint8Array;
  readonly nanoseconds: number;
  readonly flags: number;
  readonly group: number;
  readonly mac: Uint8Array;
  readonly macValid: boolean;
}

/** A record as the recorder printed it. */
export interface VectorRecord {
  readonly slot: number;
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Fields of a recorded response. */
export interface VectorResponseFields {
  readonly records: readonly VectorRecord[];
  readonly extensions: number;
  readonly others: number;
  readonly group: number;
  readonly mac: Uint8Array;
  readonly macValid: boolean;
}

/** How a datagram was encrypted. */
export interface VectorEnvelope {
  readonly scrambledGroup: Uint8Array;
  readonly nonce: Uint8Array;
}

/** A recorded datagram. */
export interface VectorDatagram<Fields> {
  /** Where it was recorded, for messages. */
  readonly where: string;
  readonly source: VectorSource;
  readonly payload: Uint8Array;
  /** Undefined where the datagram was not encrypted, or is too short for it. */
  readonly envelope: VectorEnvelope | undefined;
  /** The decrypted payload; the payload itself where it was not encrypted. */
  readonly plain: Uint8Array;
  /** Undefined where the datagram is too short to have them. */
  readonly fields: Fields | undefined;
}

/** One step of a scenario: the server is started anew, or asked. */
export type ServerStep =
  | { readonly name: string; readonly restart: true }
  | {
    readonly name: string;
    readonly restart: false;
    /** Unix seconds at the server. */
    readonly clock: number;
    readonly replied: boolean;
    readonly request: VectorDatagram<VectorRequestFields>;
    readonly response: VectorDatagram<VectorResponseFields> | undefined;
  };

/** Steps against one server. */
export interface ServerScenario {
  /** The recorded name and variant: `clflg (enc)`. */
  readonly name: string;
  readonly encrypted: boolean;
  readonly note: string;
  readonly steps: readonly ServerStep[];
}

/** A recorded run of the real client. */
export interface ClientCase {
  readonly name: string;
  /** The own peer ID, in base64. */
  readonly ownId: string;
  readonly localPort: number;
  readonly clock: number;
  readonly requests: readonly Uint8Array[];
  readonly responses: readonly { readonly payload: Uint8Array; readonly plain: Uint8Array }[];
  /** What the client printed. */
  readonly output: string;
}

/** A vector file. */
export interface Vectors<Entry> {
  readonly secret: Uint8Array;
  readonly cipherKey: Uint8Array;
  readonly entries: readonly Entry[];
}

/** The recorded runs of the real server. */
export const serverVectors: Vectors<ServerScenario> = readFile(serverJson, "scenarios", scenario);
/** The recorded runs of the real client. */
export const clientVectors: Vectors<ClientCase> = readFile(clientJson, "cases", clientCase);

/** Every recorded request to the real server. */
export function serverRequests(): VectorDatagram<VectorRequestFields>[] {
  return serverVectors.entries.flatMap((entry) =>
    entry.steps.flatMap((step) => step.restart ? [] : [step.request])
  );
}

/** Every recorded response of the real server. */
export function serverResponses(): VectorDatagram<VectorResponseFields>[] {
  return serverVectors.entries.flatMap((entry) =>
    entry.steps.flatMap((step) => step.restart || step.response === undefined ? [] : step.response)
  );
}

type Fields = Readonly<Record<string, unknown>>;

function readFile<Entry>(
  file: unknown,
  list: string,
  read: (fields: Fields) => Entry,
): Vectors<Entry> {
  const fields = object(file, "file");
  return {
    secret: bytes(fields, "secret_hex"),
    cipherKey: bytes(fields, "chacha_key_hex"),
    entries: objects(fields, list).map(read),
  };
}

function scenario(fields: Fields): ServerScenario {
  const variant = text(fields, "variant");
  if (variant !== "enc" && variant !== "plain") throw wrong("variant", variant);
  const name = `${text(fields, "name")} (${variant})`;
  const encrypted = variant === "enc";
  return {
    name,
    encrypted,
    note: text(fields, "note"),
    steps: objects(fields, "steps").map((step) => serverStep(step, name, encrypted)),
  };
}

function serverStep(fields: Fields, scenarioName: string, encrypted: boolean): ServerStep {
  const name = text(fields, "name");
  if (fields["via"] === "restart") return { name, restart: true };
  const where = `${scenarioName}: ${name}`;
  const replied = flag(fields, "replied");
  const ofKind = (kind: string) =>
    objects(fields, "datagrams").filter((entry) => text(entry, "kind") === kind);
  const [request, ...moreRequests] = ofKind("request");
  const [response, ...moreResponses] = ofKind("response");
  if (request === undefined || moreRequests.length > 0) throw wrong(where, "not one request");
  if ((response !== undefined) !== replied || moreResponses.length > 0) {
    throw wrong(where, "responses do not fit");
  }
  return {
    name,
    restart: false,
    clock: number(fields, "server_clock_sec"),
    replied,
    request: datagram(request, where, encrypted, requestFields),
    response: response && datagram(response, where, encrypted, responseFields),
  };
}

function datagram<F>(
  fields: Fields,
  where: string,
  encrypted: boolean,
  read: (fields: Fields) => F,
): VectorDatagram<F> {
  const payload = bytes(fields, "payload_hex");
  if (payload.length !== number(fields, "len")) throw wrong(where, "len");
  const hasNonce = fields["nonce_hex"] !== undefined;
  if (hasNonce && !encrypted) throw wrong(where, "a nonce in a plain scenario");
  const source = /^([0-9.]+):([0-9]+)$/.exec(text(fields, "src"));
  if (source === null) throw wrong(where, fields["src"]);
  return {
    where,
    source: { address: source[1]!, port: Number(source[2]) },
    payload,
    envelope: hasNonce
      ? { scrambledGroup: bytes(fields, "sgroup_hex"), nonce: bytes(fields, "nonce_hex") }
      : undefined,
    plain: hasNonce ? bytes(fields, "plain_hex") : payload,
    fields: fields["fields"] === undefined ? undefined : read(object(fields["fields"], where)),
  };
}

function requestFields(fields: Fields): VectorRequestFields {
  return {
    id: text(fields, "id_b64"),
    tai64: bytes(fields, "tai64_hex"),
    nanoseconds: number(fields, "nsec"),
    flags: number(fields, "clflg"),
    group: number(fields, "group"),
    mac: bytes(fields, "hmac_hex"),
    macValid: flag(fields, "hmac_valid"),
  };
}

function responseFields(fields: Fields): VectorResponseFields {
  return {
    records: objects(fields, "records").map((entry) => ({
      slot: number(entry, "slot"),
      id: text(entry, "id_b64"),
      address: text(entry, "ip"),
      port: number(entry, "port"),
      seconds: number(entry, "unix_sec"),
      nanoseconds: number(entry, "nsec"),
    })),
    extensions: number(fields, "svext"),
    others: number(fields, "n_other"),
    group: number(fields, "group"),
    mac: bytes(fields, "hmac_hex"),
    macValid: flag(fields, "hmac_valid"),
  };
}

function clientCase(fields: Fields): ClientCase {
  const argv = array(fields, "client_argv");
  const [, , , ownId, , localPort] = argv;
  if (typeof ownId !== "string" || typeof localPort !== "string") throw wrong("client_argv", argv);
  const payloads = hexList(fields, "responses_hex");
  const plains = hexList(fields, "responses_plain_hex");
  if (payloads.length !== plains.length) throw wrong("responses_plain_hex", plains.length);
  return {
    name: text(fields, "name"),
    ownId,
    localPort: Number(localPort),
    clock: number(object(fields["client_clock"], "client_clock"), "sec"),
    requests: hexList(fields, "request_hex"),
    responses: payloads.map((payload, i) => ({ payload, plain: plains[i]! })),
    output: text(fields, "client_stdout"),
  };
}

function object(value: unknown, name: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(name, value);
  return value as Fields;
}

function array(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw wrong(name, value);
  return value;
}

function objects(fields: Fields, name: string): Fields[] {
  return array(fields, name).map((value) => object(value, name));
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw wrong(name, value);
  return value;
}

function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw wrong(name, value);
  return value;
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== "boolean") throw wrong(name, value);
  return value;
}

function bytes(fields: Fields, name: string): Uint8Array {
  return unhex(text(fields, name));
}

function hexList(fields: Fields, name: string): Uint8Array[] {
  return array(fields, name).map((value) => {
    if (typeof value !== "string") throw wrong(name, value);
    return unhex(value);
  });
}

function wrong(name: string, value: unknown): TypeError {
  return new TypeError(`Cannot read the vectors: ${name} is ${JSON.stringify(value)}`);
}
