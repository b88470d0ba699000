import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readHttpAnswer } from "../../../lib/wire/portmap/http.ts";
import {
  encodeSoap,
  encodeSsdpSearch,
  parseDescription,
  parseGatewayUrl,
  parseSoapError,
  parseSsdpAnswer,
  textOf,
} from "../../../lib/wire/portmap/upnp.ts";
import vectors from "../../vectors/portmap.json" with { type: "json" };
import { test } from "../../testing.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function bodyOf(name: keyof typeof vectors): string {
  const vector = vectors[name];
  assert(typeof vector === "object");
  return readHttpAnswer(bytes(vector.answer), false)?.body ?? "";
}

const BASE = { host: "192.168.1.1", port: 5000, path: "/desc/root.xml?x=1" };

test("UPnP: miniupnpd's answer to a search names its description, and that its service", () => {
  const search = encodeSsdpSearch(
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "239.255.255.250:1900",
  );
  assertEquals(new TextDecoder().decode(search), vectors.ssdp.question);
  const location = parseSsdpAnswer(bytes(vectors.ssdp.answer));
  assertEquals([location?.host, location?.path], ["192.168.1.1", "/rootDesc.xml"]);
  assert(location !== undefined);
  assertEquals(parseDescription(bodyOf("description"), location), [{
    type: "urn:schemas-upnp-org:service:WANIPConnection:2",
    control: { ...location, path: "/ctl/IPConn" },
  }]);
});

test("UPnP: what is told to it is what miniupnpd understood, and its answers are read", () => {
  const port = Number(/Host: [\d.]+:(\d+)/.exec(vectors["soap-add"].question)?.[1]);
  const service = {
    type: "urn:schemas-upnp-org:service:WANIPConnection:1",
    control: { host: "192.168.1.1", port, path: "/ctl/IPConn" },
  };
  const entry = { NewRemoteHost: "", NewExternalPort: 51820, NewProtocol: "UDP" };
  const said = (action: string, args = {}) =>
    new TextDecoder().decode(encodeSoap(service, action, args));
  assertEquals(said("GetExternalIPAddress"), vectors["soap-external"].question);
  assertEquals(said("DeletePortMapping", entry), vectors["soap-delete"].question);
  const mapping = {
    ...entry,
    NewInternalPort: 51820,
    NewInternalClient: "192.168.1.2",
    NewEnabled: 1,
    NewPortMappingDescription: "wgsig",
    NewLeaseDuration: 7200,
  };
  assertEquals(said("AddPortMapping", mapping), vectors["soap-add"].question);
  assertEquals(textOf(bodyOf("soap-external"), "NewExternalIPAddress"), "203.0.115.21");
  assertEquals(textOf(bodyOf("soap-entry"), "NewInternalClient"), "192.168.1.2");
  assertEquals(parseSoapError(bodyOf("soap-add")), undefined);
  assertEquals(parseSoapError(bodyOf("soap-no-entry")), 714);
  assertEquals(parseSoapError(bodyOf("soap-refused")), 718);
});

test("UPnP: answers to searches that are no gateway's lead nowhere", () => {
  const answer = (fields: string) => parseSsdpAnswer(bytes(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`));
  const st = "ST: urn:schemas-upnp-org:service:WANPPPConnection:1";
  const location = "LOCATION:http://192.168.1.1:80/x";
  assertEquals(answer(`${st}\r\n${location}`)?.path, "/x");
  assertEquals(answer(location), undefined);
  assertEquals(answer(st), undefined);
  assertEquals(answer(`ST: upnp:rootdevice\r\n${location}`), undefined);
  assertEquals(answer(`${st}\r\nLOCATION: https://192.168.1.1/x`), undefined);
  assertEquals(answer(`${st}\r\nLOCATION: http://router.example/x`), undefined);
  assertEquals(answer(`${st}\r\n${location}\r\nX: ${"x".repeat(2048)}`), undefined);
  assertEquals(
    parseSsdpAnswer(bytes(`NOTIFY * HTTP/1.1\r\n${st}\r\n${location}\r\n\r\n`)),
    undefined,
  );
});

test("UPnP: URLs are absolute with an address, or paths", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["http://192.168.1.254:49152/a/b?c=d", "192.168.1.254 49152 /a/b?c=d"],
    ["HTTP://192.168.1.254", "192.168.1.254 80 /"],
    ["http://[fd00::1]:8080/x", "fd00::1 8080 /x"],
    ["/ctl", "192.168.1.1 5000 /ctl"],
    ["ctl/a", "192.168.1.1 5000 /desc/ctl/a"],
    ["//192.168.1.9/x", undefined],
    ["https://192.168.1.9/x", undefined],
    ["http://192.168.1.9:65536/x", undefined],
    ["http://user@192.168.1.9/x", undefined],
    ["http://192.168.1.9/x y", undefined],
    ["/x\r\nHost: y", undefined],
    ["javascript:x", undefined],
    ["", undefined],
    [`/${"x".repeat(1024)}`, undefined],
  ];
  for (const [text, expected] of cases) {
    const url = parseGatewayUrl(text, BASE);
    assertEquals(url && `${url.host} ${url.port} ${url.path}`, expected, text);
  }
});

test("UPnP: descriptions as routers have them", () => {
  const xml = `<root><URLBase>http://192.168.1.9:52869/</URLBase>
    <service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType></service>
    <x:service a="b" >
      <x:serviceType>
        urn:schemas-upnp-org:service:WANPPPConnection:1
      </x:serviceType><controlURL>ctl?a=1&amp;b=2</controlURL></x:service>
    <service><serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>
      <controlURL>/no</controlURL></service>
    <service><serviceType>urn:x:service:WANIPConnection:1"</serviceType><controlURL>/no</controlURL></service>
    <service/><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
      <controlURL>http://192.168.1.7/c</controlURL></service></root>`;
  assertEquals(parseDescription(xml, BASE), [
    {
      type: "urn:schemas-upnp-org:service:WANPPPConnection:1",
      control: { host: "192.168.1.9", port: 52869, path: "/ctl?a=1&b=2" },
    },
    {
      type: "urn:schemas-upnp-org:service:WANIPConnection:1",
      control: { host: "192.168.1.7", port: 80, path: "/c" },
    },
  ]);
});

test("UPnP: elements are found by their whole names", () => {
  assertEquals(textOf("<ab>1</ab><a>2</a>", "a"), "2");
  assertEquals(textOf("<n:a\n>x &lt;&amp;lt; &unknown;</n:a>", "a"), "x <&lt; &unknown;");
  assertEquals(textOf("<a/><a>2</a>", "a"), "");
  assertEquals(textOf("<a>1<b>2</b></a>", "a"), "1<b>2</b>");
  for (const text of ["", "<a>", "<a", "</a>", "<a>1</b>", "<-:b:a>1</a>", "< a>1</a>"]) {
    assertEquals(textOf(text, "a"), undefined, text);
  }
  assertEquals(parseSoapError("<errorCode>x</errorCode>"), undefined);
});

test("UPnP: the text of an element is found whatever stands around it", () => {
  const other = fc.stringMatching(/^[a-z <>\/:]{0,60}$/).filter((text) => !/[<:]a/.test(text));
  const inside = fc.stringMatching(/^[a-z0-9:.]{1,20}$/);
  fc.assert(fc.property(other, inside, other, (before, text, after) => {
    // An open tag before it would hide it.
    const xml = `${before}><s:a>${text}</s:a>${after}`;
    assertEquals(textOf(xml, "a"), text);
  }));
});

test("UPnP: any text is read, also one that is long and ends nothing", () => {
  const piece = fc.constantFrom(
    ..."<service>|</service>|<service|/>|<|>|</|<x:service>|<serviceType>|&amp;|<controlURL>|:| "
      .split("|"),
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
    parseDescription(pieces.join(""), BASE);
    parseSsdpAnswer(bytes(pieces.join("")));
    parseSoapError(pieces.join(""));
  }));
  for (const text of ["<service>", "<", "<service", "</service>", "<x:", "<service/>"]) {
    const xml = text.repeat(Math.floor(65_536 / text.length));
    assert(parseDescription(xml, BASE).length === 0);
  }
});
