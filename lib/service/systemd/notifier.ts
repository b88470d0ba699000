/**
 * Tells systemd how the service is, where systemd has asked for that (`Type=notify`).
 *
 * @module
 */

import { ServiceNotices } from "../../core/systemd/notices.ts";
import type { Clock } from "../../host/clock.ts";
import type { System } from "../../host/host.ts";
import type { LocalDatagrams } from "../../host/local_datagrams.ts";
import { inWords } from "../log/in_words.ts";

/** What of a host is needed for it. */
export type NotifierHost = Clock & LocalDatagrams & Pick<System, "env">;

/** Seconds between two looks at the status. */
const LOOK_INTERVAL = 5;

/** Tells of one service. Does nothing where nobody has asked. */
export class Notifier {
  readonly #host: NotifierHost;
  readonly #socket: string | undefined;
  readonly #status: () => string;
  readonly #failed: (why: string) => void;
  readonly #notices = new ServiceNotices();
  readonly #encoder = new TextEncoder();
  #cancel = () => {};

  /**
   * @param status A line for people.
   * @param failed Called where a notice can't be sent.
   */
  constructor(host: NotifierHost, status: () => string, failed: (why: string) => void) {
    this.#host = host;
    const socket = host.env("NOTIFY_SOCKET");
    // Other kinds, such as vsock, are for machines of their own.
    this.#socket = socket !== undefined && /^[/@]./.test(socket) ? socket : undefined;
    this.#status = status;
    this.#failed = failed;
  }

  /** It doesn't serve yet, and takes so many seconds more at most until it says so again. */
  starting(status: string, seconds: number): void {
    this.#send(this.#notices.starting(status, seconds));
  }

  /** It serves; from now on the status line is kept current. Also once a reload is over. */
  ready(): void {
    if (this.#socket === undefined) return;
    this.#send(this.#notices.ready(this.#status(), this.#host.now().mono));
    this.#look();
  }

  /** It reads its settings again. */
  reloading(): void {
    this.#send(this.#notices.reloading());
  }

  /** It ends. */
  stopping(): void {
    this.#cancel();
    this.#send(this.#notices.stopping());
  }

  #look(): void {
    this.#cancel();
    this.#cancel = this.#host.after(LOOK_INTERVAL, () => {
      const notice = this.#notices.status(this.#status(), this.#host.now().mono);
      if (notice !== undefined) this.#send(notice);
      this.#look();
    });
  }

  #send(notice: string): void {
    if (this.#socket === undefined) return;
    try {
      this.#host.sendLocal(this.#socket, this.#encoder.encode(notice));
    } catch (error) {
      this.#failed(inWords(error));
    }
  }
}
