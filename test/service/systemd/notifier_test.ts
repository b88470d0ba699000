import { assertEquals } from "@std/assert";
import { codedError } from "../../../lib/host/error.ts";
import { Notifier, type NotifierHost } from "../../../lib/service/systemd/notifier.ts";
import { test } from "../../testing.ts";

/** A host whose timer runs when a test says so. */
class Station implements NotifierHost {
  readonly sent: string[] = [];
  readonly problems: string[] = [];
  timer: (() => void) | undefined;
  status = "fine";
  mono = 0;
  refuses = false;

  constructor(readonly socket: string | undefined) {}

  env(name: string): string | undefined {
    return name === "NOTIFY_SOCKET" ? this.socket : undefined;
  }

  now(): { unix: number; mono: number } {
    return { unix: 0, mono: this.mono };
  }

  after(seconds: number, run: () => void): () => void {
    this.timer = () => {
      this.mono += seconds;
      run();
    };
    return () => this.timer = undefined;
  }

  sendLocal(to: string, bytes: Uint8Array): void {
    if (this.refuses) throw codedError("ECONNREFUSED");
    this.sent.push(`${to} ${new TextDecoder().decode(bytes)}`);
  }

  notifier(): Notifier {
    return new Notifier(this, () => this.status, (why) => this.problems.push(why));
  }
}

test("systemd is told at the start, when the status changes, and at the end", () => {
  const station = new Station("/run/notify");
  const notifier = station.notifier();
  notifier.ready();
  assertEquals(station.sent.splice(0), ["/run/notify READY=1\nSTATUS=fine\n"]);
  station.timer!();
  station.timer!();
  assertEquals(station.sent, []);
  station.status = "better";
  station.timer!();
  assertEquals(station.sent.splice(0), ["/run/notify STATUS=better\n"]);
  notifier.reloading();
  notifier.ready();
  notifier.stopping();
  assertEquals(station.sent, [
    "/run/notify RELOADING=1\n",
    "/run/notify READY=1\nSTATUS=better\n",
    "/run/notify STOPPING=1\n",
  ]);
  assertEquals([station.timer, station.problems], [undefined, []]);
});

test("where nobody asks to be told, nothing is done", () => {
  for (const socket of [undefined, "", "vsock:2:1234"]) {
    const station = new Station(socket);
    const notifier = station.notifier();
    notifier.ready();
    notifier.reloading();
    notifier.stopping();
    assertEquals([station.sent, station.timer, station.problems], [[], undefined, []]);
  }
});

test("what can't be told is said, and stops nothing", () => {
  const station = new Station("@notify");
  station.refuses = true;
  const notifier = station.notifier();
  notifier.ready();
  station.status = "other";
  station.mono = 100;
  station.refuses = false;
  station.timer!();
  assertEquals(station.problems.length, 1);
  assertEquals(station.sent, ["@notify STATUS=other\n"]);
});
