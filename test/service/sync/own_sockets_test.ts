import { assertEquals } from "@std/assert";
import { formatHostPort, type HostPort } from "../../../lib/core/net/host_port.ts";
import type { UdpSocket } from "../../../lib/host/udp.ts";
import { OwnSockets } from "../../../lib/service/sync/own_sockets.ts";
import { MemoryError } from "../../support/memory_host.ts";
import { test } from "../../testing.ts";

const OWN = { port: 51820, raw: true, mark: 0, segment: 0 };
const HOST = "192.0.2.1";

/** What is open, what was sent and what was told. */
function opened() {
  const open: string[] = [];
  const sent: string[] = [];
  const errors: string[] = [];
  const connectedUdp = async ({ to }: { to: HostPort }): Promise<UdpSocket> => {
    await Promise.resolve();
    const name = formatHostPort(to);
    if (to.port === 9) throw new MemoryError("ENETUNREACH");
    open.push(name);
    return {
      port: OWN.port,
      send: (bytes) => void sent.push(`${name} ${bytes}`),
      close: () => void open.splice(open.indexOf(name), 1),
    };
  };
  const udp = () => Promise.reject(new MemoryError("ENOSYS"));
  const sockets = new OwnSockets({ udp, connectedUdp }, OWN, {
    onBatch() {},
    onSendError: (code, to) => void errors.push(`${code} ${to && formatHostPort(to)}`),
  });
  return { sockets, open, sent, errors };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("what is sent to where no socket is open waits for one, with the bytes as they were", async () => {
  const { sockets, open, sent, errors } = opened();
  const bytes = Uint8Array.of(1, 2);
  sockets.openAndSend(bytes, { host: HOST, port: 443 });
  bytes.fill(9);
  assertEquals(sent, []);
  await settle();
  sockets.openAndSend(bytes, { host: HOST, port: 443 });
  assertEquals(sent, ["192.0.2.1:443 1,2", "192.0.2.1:443 9,9"]);
  sockets.openAndSend(bytes, { host: HOST, port: 9 });
  await settle();
  assertEquals([open, errors], [["192.0.2.1:443"], ["ENETUNREACH 192.0.2.1:9"]]);
  sockets.close();
  assertEquals(open, []);
});

test("a socket that is open only after all were closed is closed, and sends nothing", async () => {
  const { sockets, open, sent } = opened();
  sockets.openAndSend(Uint8Array.of(1), { host: HOST, port: 443 });
  const opening = sockets.open({ host: HOST, port: 53 });
  sockets.close();
  await settle();
  assertEquals([await opening, open, sent], [false, [], []]);
});
