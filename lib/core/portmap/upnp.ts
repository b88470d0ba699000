/**
 * A mapping by UPnP: the gateway is searched, describes itself, and is told to map the port. What it
 * does wrong in the field is borne with: it hears only multicast or only one target, answers from
 * another port, describes itself at another host of the link, knows only leases that last.
 *
 * @module
 */

import {
  encodeHttpQuestion,
  type HttpAnswer,
  MAX_HTTP_ANSWER,
  readHttpAnswer,
} from "../../wire/portmap/http.ts";
import {
  encodeSoap,
  encodeSsdpSearch,
  type GatewayUrl,
  parseDescription,
  parseSoapError,
  parseSsdpAnswer,
  SSDP_ALL,
  SSDP_GROUP,
  SSDP_PORT,
  SSDP_TARGETS,
  textOf,
  type WanService,
} from "../../wire/portmap/upnp.ts";
import { formatHostPort, type HostPort } from "../net/host_port.ts";
import { parseIpv4 } from "../net/ip_address.ts";
import { isPublic } from "../net/reach.ts";
import type { RandomSource } from "../net/random.ts";
import { WireBuffer } from "../../wire/bytes/wire_buffer.ts";
import { type Gateway, isNear } from "./gateways.ts";
import {
  doStep,
  LIFETIME,
  type MapOutcome,
  MIN_EXTERNAL_PORT,
  type PortMapSteps,
  type ProtocolMapper,
} from "./step.ts";

/** Seconds that answers to the first and second search are heard for: devices wait up to one. */
const SEARCH_SECONDS = [1, 1.5];
/** Seconds for a question by HTTP; routers take their time. */
const HTTP_SECONDS = 3;
const RELEASE_HTTP_SECONDS = 1.5;
/** The most descriptions that are asked for. */
const MAX_LOCATIONS = 4;
const MAX_ATTEMPTS = 6;
const CHECK_EVERY = 300;
/** What a gateway without a connection calls its address. */
const UNCONNECTED = "0.0.0.0";
const DESCRIPTION = "wgsig";
const PROTOCOL = "UDP";

const INVALID_ARGS = 402;
const ACTION_FAILED = 501;
const NO_SUCH_ENTRY = 714;
const CONFLICT = 718;
const SAME_PORT_REQUIRED = 724;
const ONLY_PERMANENT = 725;
const CONFLICT_ELSEWHERE = 729;
/** UPnP errors in words (WANIPConnection:2, section 2.5). */
const ERRORS: Readonly<Record<number, string>> = {
  401: "it can't map ports",
  [INVALID_ARGS]: "it takes the question for malformed",
  [ACTION_FAILED]: "it failed",
  606: "not allowed",
  [CONFLICT]: "the public port is another host's",
  728: "too many mappings",
  [CONFLICT_ELSEWHERE]: "the public port is another host's",
};

/** What a service said: its answer, or UPnP's number for why not, or that nothing came of it. */
type Said =
  | { readonly kind: "done"; readonly body: string }
  | { readonly kind: "error"; readonly code: number | undefined; readonly why: string }
  | { readonly kind: "silent" };

/** Maps a port by UPnP; over IPv4 alone. */
export class UpnpMapper implements ProtocolMapper {
  readonly via = "upnp";
  readonly checkEvery = CHECK_EVERY;
  readonly #gateway: Gateway;
  readonly #port: number;
  readonly #clock: { mono: number };
  readonly #random: RandomSource;
  #service: WanService | undefined;
  #externalPort: number;
  #external = "";
  /** The own address, as connections to the gateway have it. */
  #local = "";
  #lease = LIFETIME;
  /** Whether the gateway may have a mapping. */
  #isAsked = false;

  /** @param port The own port. @param clock When the last step was done. */
  constructor(gateway: Gateway, port: number, clock: { mono: number }, random: RandomSource) {
    this.#gateway = gateway;
    this.#port = port;
    this.#clock = clock;
    this.#random = random;
    this.#externalPort = port < MIN_EXTERNAL_PORT ? this.#drawPort() : port;
  }

  *map(): PortMapSteps<MapOutcome> {
    let best: MapOutcome = { kind: "silent", why: "no gateway answers" };
    const known = this.#service;
    const services = known === undefined ? yield* this.#search() : [known];
    for (const service of services) {
      this.#service = service;
      const outcome = yield* this.#mapBy(service);
      if (outcome.kind === "mapped") return outcome;
      // Of several services, one that is not connected is not the one.
      if (best.kind !== "double-nat" || best.address === UNCONNECTED) best = outcome;
      this.#service = undefined;
    }
    // It may be another one by now.
    return known === undefined ? best : yield* this.map();
  }

  *check(): PortMapSteps<boolean> {
    const service = this.#service;
    if (service === undefined) return false;
    const entry = yield* this.#do(service, "GetSpecificPortMappingEntry", this.#mapping());
    // It listens elsewhere, perhaps.
    if (entry.kind === "silent") {
      this.#service = undefined;
      return false;
    }
    if (entry.kind === "error") return entry.code !== NO_SUCH_ENTRY;
    const isOwn = textOf(entry.body, "NewInternalClient") === this.#local &&
      textOf(entry.body, "NewInternalPort") === String(this.#port);
    return isOwn && (yield* this.#readExternal(service)) === this.#external;
  }

  *release(): PortMapSteps<void> {
    const service = this.#service;
    if (!this.#isAsked || service === undefined) return;
    this.#isAsked = false;
    yield* this.#do(service, "DeletePortMapping", this.#mapping(), RELEASE_HTTP_SECONDS);
  }

  #mapping() {
    return {
      NewRemoteHost: "",
      NewExternalPort: this.#externalPort,
      NewProtocol: PROTOCOL,
    };
  }

  *#mapBy(service: WanService): PortMapSteps<MapOutcome> {
    const external = yield* this.#readExternal(service);
    if (external === undefined) return { kind: "refused", why: "it says no public address" };
    if (!isPublic(external)) return { kind: "double-nat", address: external };
    this.#external = external;
    this.#isAsked = true;
    let why = "";
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const lease = this.#lease;
      const said = yield* this.#do(service, "AddPortMapping", {
        ...this.#mapping(),
        NewInternalPort: this.#port,
        NewInternalClient: this.#local,
        NewEnabled: 1,
        NewPortMappingDescription: DESCRIPTION,
        NewLeaseDuration: lease,
      });
      if (said.kind === "done") {
        const endpoint = { host: external, port: this.#externalPort };
        return { kind: "mapped", endpoint, lifetime: lease === 0 ? Infinity : lease };
      }
      why = said.kind === "error" ? said.why : "it doesn't answer";
      if (said.kind === "silent" || !this.#adapt(said.code)) break;
    }
    this.#isAsked = false;
    return { kind: "refused", why };
  }

  /** Takes an error as a hint. @returns Whether it is worth another attempt. */
  #adapt(code: number | undefined): boolean {
    switch (code) {
      case ONLY_PERMANENT:
      case INVALID_ARGS:
      case ACTION_FAILED: {
        const isNew = this.#lease !== 0;
        this.#lease = 0;
        return isNew;
      }
      case SAME_PORT_REQUIRED: {
        const isNew = this.#externalPort !== this.#port;
        this.#externalPort = this.#port;
        return isNew;
      }
      case CONFLICT:
      case CONFLICT_ELSEWHERE:
        this.#externalPort = this.#drawPort();
        return true;
      default:
        return false;
    }
  }

  /** A public port that is nobody's, perhaps. */
  #drawPort(): number {
    const { bytes, view } = new WireBuffer(2);
    this.#random(bytes);
    return MIN_EXTERNAL_PORT + view.getUint16(0) % (0x10000 - MIN_EXTERNAL_PORT);
  }

  /** The gateway's public address; undefined where it says none that is one. */
  *#readExternal(service: WanService): PortMapSteps<string | undefined> {
    const said = yield* this.#do(service, "GetExternalIPAddress");
    const text = said.kind === "done" ? textOf(said.body, "NewExternalIPAddress") ?? "" : "";
    // Those that are not connected say nothing, or this.
    if (said.kind === "done" && text === "") return UNCONNECTED;
    return parseIpv4(text) < 0 ? undefined : text;
  }

  *#do(
    service: WanService,
    action: string,
    args: Readonly<Record<string, string | number>> = {},
    seconds = HTTP_SECONDS,
  ): PortMapSteps<Said> {
    const answer = yield* this.#converse(
      service.control,
      encodeSoap(service, action, args),
      seconds,
    );
    if (answer === undefined) return { kind: "silent" };
    const { status, body } = answer;
    if (status === 200) return { kind: "done", body };
    const code = parseSoapError(body);
    const number = code === undefined ? `HTTP ${status}` : `error ${code}`;
    const words = code === undefined ? undefined : ERRORS[code];
    return { kind: "error", code, why: words === undefined ? number : `${words} (${number})` };
  }

  /** Searches, and reads what those that answer say of themselves. */
  *#search(): PortMapSteps<readonly WanService[]> {
    const services: WanService[] = [];
    for (const seconds of SEARCH_SECONDS) {
      const locations = yield* this.#searchOnce(seconds);
      for (const location of locations) {
        const question = encodeHttpQuestion({
          method: "GET",
          host: formatHostPort(location),
          path: location.path,
        });
        const answer = yield* this.#converse(location, question, HTTP_SECONDS);
        if (answer?.status !== 200) continue;
        services.push(
          ...parseDescription(answer.body, location).filter(({ control }) =>
            this.#isTrusted(control.host)
          ),
        );
      }
      if (services.length > 0) break;
    }
    return services;
  }

  /** Where gateways describe themselves, that of the default route first. */
  *#searchOnce(seconds: number): PortMapSteps<readonly GatewayUrl[]> {
    const gateway = { host: this.#gateway.address, port: SSDP_PORT };
    const group = { host: SSDP_GROUP, port: SSDP_PORT };
    const search = (to: HostPort, target: string) => ({
      to,
      bytes: encodeSsdpSearch(target, formatHostPort(to)),
    });
    const found = new Map<string, GatewayUrl>();
    yield* doStep(this.#clock, {
      kind: "ask",
      from: this.#gateway.from,
      datagrams: [
        ...[...SSDP_TARGETS, SSDP_ALL].map((target) => search(gateway, target)),
        ...SSDP_TARGETS.map((target) => search(group, target)),
      ],
      seconds,
      hear: (buffer, at, length) => {
        const location = parseSsdpAnswer(buffer.bytes.subarray(at, at + length));
        if (location === undefined || !this.#isTrusted(location.host)) return false;
        const key = `${formatHostPort(location)}${location.path}`;
        if (found.size < MAX_LOCATIONS) found.set(key, location);
        return location.host === gateway.host;
      },
    });
    const isGateway = ({ host }: GatewayUrl) => Number(host === gateway.host);
    return [...found.values()].sort((a, b) => isGateway(b) - isGateway(a));
  }

  /** Anyone on the link can answer a search: nobody else is asked because of that. */
  #isTrusted(host: string): boolean {
    return host === this.#gateway.address || isNear(this.#gateway, host);
  }

  *#converse(
    to: HostPort,
    bytes: Uint8Array,
    seconds: number,
  ): PortMapSteps<HttpAnswer | undefined> {
    let answer: HttpAnswer | undefined;
    const { local } = yield* doStep(this.#clock, {
      kind: "converse",
      to: { host: to.host, port: to.port },
      bytes,
      seconds,
      limit: MAX_HTTP_ANSWER,
      hear: (read, isEnded) => {
        answer = readHttpAnswer(read, isEnded);
        return answer !== undefined;
      },
    });
    if (local !== undefined) this.#local = local;
    return answer;
  }
}
