import { assertEquals } from "@std/assert";
import { ServiceNotices } from "../../../lib/core/systemd/notices.ts";
import { test } from "../../testing.ts";

test("systemd hears that a service is ready, reloads and ends", () => {
  const notices = new ServiceNotices();
  assertEquals(notices.ready("2 peers", 0), "READY=1\nSTATUS=2 peers\n");
  assertEquals(notices.reloading(), "RELOADING=1\n");
  assertEquals(notices.ready("3 peers", 1), "READY=1\nSTATUS=3 peers\n");
  assertEquals(notices.stopping(), "STOPPING=1\n");
});

test("a status is told where it is another one, and not too often", () => {
  const notices = new ServiceNotices();
  notices.ready("2 peers", 100);
  assertEquals(notices.status("3 peers", 109), undefined);
  assertEquals(notices.status("3 peers", 110), "STATUS=3 peers\n");
  assertEquals(notices.status("3 peers", 200), undefined);
  assertEquals(notices.status("4 peers", 200), "STATUS=4 peers\n");
});

test("a status is one line, whatever is in it", () => {
  const notices = new ServiceNotices();
  assertEquals(notices.ready("a\nREADY=0\r\n\tb", 0), "READY=1\nSTATUS=a READY=0 b\n");
  assertEquals(notices.status("x".repeat(5000), 100), `STATUS=${"x".repeat(200)}\n`);
});

test("whoever doesn't serve yet asks for more time", () => {
  const notices = new ServiceNotices();
  assertEquals(
    notices.starting("waiting\nfor it", 20),
    "EXTEND_TIMEOUT_USEC=20000000\nSTATUS=waiting for it\n",
  );
});
