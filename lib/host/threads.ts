/**
 * Threads on Deno and Bun: the same program again, with a runtime of its own.
 *
 * @module
 */

import { availableParallelism, platform } from "node:os";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import type { Host } from "./host.ts";

/** What a host has of threads. @param program The address of the program's module. */
export function threadHost(
  program: string,
): Required<Pick<Host, "processors" | "startThread">> & Pick<Host, "parent"> {
  const port = isMainThread ? null : parentPort;
  return {
    processors: availableParallelism(),
    startThread({ onMessage, onEnd }) {
      const worker = new Worker(new URL(program));
      let ended = false;
      function end(why: string): void {
        if (!ended) onEnd(why);
        ended = true;
      }
      worker.on("message", (message) => {
        if (!ended) onMessage(message);
      });
      worker.on("error", (error) => end(error instanceof Error ? error.message : String(error)));
      worker.on("exit", (code) => end(`it ended with code ${code}`));
      return {
        post: (message) => worker.postMessage(message),
        end() {
          ended = true;
          void worker.terminate();
        },
      };
    },
    ...(port === null ? {} : {
      parent: {
        post: (message) => port.postMessage(message),
        onMessage: (run) => void port.on("message", run),
      },
    }),
  };
}

/** Whether threads can share the port of a UDP socket, and the work with it. */
export const CAN_SHARE_PORTS: boolean = platform() === "linux";
