/**
 * The texts of a UPnP gateway (UPnP Device Architecture 1.0 and 2.0; WANIPConnection:1 and :2): it is
 * searched by SSDP, describes itself in XML, and is told what to do by SOAP.
 *
 * There is no XML parser: what is looked for are elements by their names, whatever stands before the
 * colon, in texts whose size the caller has limited; each is read once from the beginning to the end.
 *
 * @module
 */

import { encodeHttpQuestion, parseHttpHead } from "./http.ts";

/** Where SSDP is heard. */
export const SSDP_GROUP = "239.255.255.250";
/** The UDP port of SSDP. */
export const SSDP_PORT = 1900;
/**
 * What is searched for. Some gateways hear only one of them; `ssdp:all`, which everything else in the
 * network answers as well, is for the gateway alone.
 */
export const SSDP_TARGETS: readonly string[] = [
  "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];
/** The search that every device answers. */
export const SSDP_ALL = "ssdp:all";
/** The most bytes of an answer to a search. */
const MAX_SSDP = 2048;
/** The most services of a gateway that are looked at. */
const MAX_SERVICES = 4;
/** The most that its description may name, whatever they are. */
const MAX_NAMED = 64;
const GATEWAY_TARGET =
  /:(?:InternetGatewayDevice|WANDevice|WANConnectionDevice|WANIPConnection|WANPPPConnection):\d/;
const WAN_SERVICE = /^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:[1-9]$/;
/** An IP address in it, since names are nobody's to look up here; visible ASCII alone. */
const URL_FORM =
  /^http:\/\/(?:(\d{1,3}(?:\.\d{1,3}){3})|\[([0-9A-Fa-f:.]+)\])(?::(\d{1,5}))?(\/[!-~]*)?$/i;
const HTTP_PORT = 80;
const MAX_URL = 1024;
const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

/** An URL that can be asked. */
export interface GatewayUrl {
  /** IP address. */
  readonly host: string;
  readonly port: number;
  /** From the slash on. */
  readonly path: string;
}

/** A service that maps ports. */
export interface WanService {
  /** Its type with the version, as SOAP names it. */
  readonly type: string;
  readonly control: GatewayUrl;
}

/** The search for `target`, for a datagram. @param host Whom it is sent to, as `HOST:PORT`. */
export function encodeSsdpSearch(target: string, host: string): Uint8Array {
  return new TextEncoder().encode(
    `M-SEARCH * HTTP/1.1\r\nHOST: ${host}\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ${target}\r\n\r\n`,
  );
}

/** Where a gateway that answers a search describes itself; undefined where it is no gateway's answer. */
export function parseSsdpAnswer(bytes: Uint8Array): GatewayUrl | undefined {
  if (bytes.length > MAX_SSDP) return undefined;
  const head = parseHttpHead(new TextDecoder().decode(bytes));
  if (head?.status !== 200) return undefined;
  const { headers } = head;
  if (!GATEWAY_TARGET.test(`${headers.get("st")} ${headers.get("usn")}`)) return undefined;
  return parseGatewayUrl(headers.get("location") ?? "");
}

/** Reads an absolute URL with an IP address, or a path of `base`. */
export function parseGatewayUrl(text: string, base?: GatewayUrl): GatewayUrl | undefined {
  if (text.length > MAX_URL) return undefined;
  const [whole, ipv4, ipv6, port = String(HTTP_PORT), path = "/"] = URL_FORM.exec(text) ?? [];
  if (whole !== undefined) {
    const host = ipv4 ?? ipv6 ?? "";
    return Number(port) > 0xffff ? undefined : { host, port: Number(port), path };
  }
  if (base === undefined || !/^[!-~]+$/.test(text) || /^[a-z][a-z\d+.-]*:|^\/\//i.test(text)) {
    return undefined;
  }
  // What is not from the root on is beside the description.
  const folder = text.startsWith("/") ? "" : base.path.replace(/[^/]*(?:\?.*)?$/, "");
  return { ...base, path: folder + text };
}

/** The services that map ports, in the order of a description. @param base Where that was found. */
export function parseDescription(xml: string, base: GatewayUrl): readonly WanService[] {
  const root = textOf(xml, "URLBase");
  const from = root === undefined ? base : parseGatewayUrl(root) ?? base;
  const services: WanService[] = [];
  let at = 0;
  for (let named = 0; named < MAX_NAMED && services.length < MAX_SERVICES; named++) {
    const service = elementIn(xml, "service", at);
    if (service === undefined) break;
    at = service.end;
    const inside = xml.slice(service.start, service.end);
    const type = textOf(inside, "serviceType");
    const control = parseGatewayUrl(textOf(inside, "controlURL") ?? "", from);
    if (type !== undefined && WAN_SERVICE.test(type) && control !== undefined) {
      services.push({ type, control });
    }
  }
  return services;
}

/**
 * The bytes that have a service do something.
 *
 * @param args By their names, in the order in which the service's description has them.
 */
export function encodeSoap(
  { type, control }: WanService,
  action: string,
  args: Readonly<Record<string, string | number>> = {},
): Uint8Array {
  const inside = Object.entries(args).map(([name, value]) => `<${name}>${value}</${name}>`);
  const host = control.host.includes(":") ? `[${control.host}]` : control.host;
  return encodeHttpQuestion({
    method: "POST",
    host: `${host}:${control.port}`,
    path: control.path,
    headers: { "Content-Type": 'text/xml; charset="utf-8"', SOAPAction: `"${type}#${action}"` },
    body: '<?xml version="1.0"?>\r\n' +
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
      's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
      `<u:${action} xmlns:u="${type}">${inside.join("")}</u:${action}></s:Body></s:Envelope>\r\n`,
  });
}

/** UPnP's number for why something was not done; undefined where there is none. */
export function parseSoapError(xml: string): number | undefined {
  const code = textOf(xml, "errorCode");
  return code !== undefined && /^\d{1,5}$/.test(code) ? Number(code) : undefined;
}

/** The text of the first element of this name, without space around it. */
export function textOf(xml: string, name: string): string | undefined {
  const element = elementIn(xml, name, 0);
  if (element === undefined) return undefined;
  const text = xml.slice(element.start, element.end);
  return text.trim().replace(/&(\w{2,4});/g, (all, entity: string) => ENTITIES[entity] ?? all);
}

/** What is between the tags of the first element of this name from `at` on, which has none inside. */
function elementIn(
  xml: string,
  name: string,
  at: number,
): { readonly start: number; readonly end: number } | undefined {
  let start = -1;
  for (let tag = xml.indexOf("<", at); tag >= 0; tag = xml.indexOf("<", tag + 1)) {
    const isEnd = xml[tag + 1] === "/";
    if (isEnd === (start < 0) || !isNamed(xml, tag + (isEnd ? 2 : 1), name)) continue;
    if (isEnd) return { start, end: tag };
    const close = xml.indexOf(">", tag);
    if (close < 0) return undefined;
    // One that is empty ends at once.
    if (xml[close - 1] === "/") return { start: close, end: close };
    start = close + 1;
    tag = close;
  }
  return undefined;
}

/** The longest prefix of a name. */
const MAX_PREFIX = 32;

/** Whether the tag's name at `at` is this one, perhaps with a prefix. */
function isNamed(xml: string, at: number, name: string): boolean {
  if (!xml.startsWith(name, at)) {
    const colon = xml.slice(at, at + MAX_PREFIX).indexOf(":");
    if (colon < 0 || !xml.startsWith(name, at + colon + 1)) return false;
    if (!/^[\w.-]+$/.test(xml.slice(at, at + colon))) return false;
    at += colon + 1;
  }
  return /[\s/>]/.test(xml[at + name.length] ?? "");
}
