/**
 * `wgsig status`: how what runs here is doing.
 *
 * @module
 */

import { STATUS_FLAGS } from "../lib/core/settings/commands.ts";
import { resolve } from "../lib/core/settings/option.ts";
import { EXIT, type ExitStatus, UserError } from "../lib/core/settings/user_error.ts";
import { type Report, SCHEMA } from "../lib/core/status/report.ts";
import { meshOf, type MeshReport } from "../lib/core/status/mesh.ts";
import type { ServeReport } from "../lib/core/status/serve_report.ts";
import { formatMeshes, formatReport, hasDown } from "../lib/core/status/table.ts";
import type { Host } from "../lib/host/host.ts";
import { namespaceEnding, RUN_FOLDER } from "../lib/service/files/own_folders.ts";
import { askStatus } from "../lib/service/status/ask.ts";
import { type StatusPlace, statusPlace, statusPlaces } from "../lib/service/status/places.ts";
import { checkInterfaceName } from "../lib/wireguard/device.ts";
import type { Arguments } from "./arguments.ts";
import { hasColours } from "./colours.ts";
import { cannotAsk, isNobody } from "./socket_errors.ts";

/** Stands for all servers here. */
const ALL_SERVERS = "serve";
/** What servers are called. */
const PORT = /^\d+(?:-\d+)?$/;
/** Between two looks, in seconds. */
const PAUSE = 1;
/** The terminal's cursor goes to the beginning, and what is below it away: ECMA-48, 8.3.21 and 8.3.39. */
const CLEAR = "\x1b[H\x1b[J";

/** Runs `wgsig status`. */
export async function runStatus(host: Host, args: Arguments): Promise<ExitStatus> {
  const { json, watch, mesh } = resolve(STATUS_FLAGS, args);
  const [name] = args.operands;
  if (name !== undefined) checkInterfaceName(name);
  const look = async () => {
    if (mesh) {
      const servers = (await lookAt(host, name ?? ALL_SERVERS)).filter(isServer);
      if (servers.length === 0) {
        throw new UserError(`--mesh is of a server's peers, and ${name} is an interface`);
      }
      return { text: json ? meshJson(servers, watch) : meshTable(host, servers), status: EXIT.ok };
    }
    const reports = await (name === undefined ? lookAtAll(host) : lookAt(host, name));
    const text = json ? formatJson(reports, watch) : formatTable(host, reports);
    return { text, status: reports.some(hasDown) ? EXIT.somePeersFailed : EXIT.ok };
  };
  if (watch) return await watchFor(host, json, look);
  const { text, status } = await look();
  host.out.write(text);
  return status;
}

/** Looks again and again until a signal comes. What doesn't run may come again. */
async function watchFor(
  host: Host,
  json: boolean,
  look: () => Promise<{ readonly text: string }>,
): Promise<ExitStatus> {
  let isOver = false;
  let wake = () => {};
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    host.onSignal(signal, () => {
      isOver = true;
      wake();
    });
  }
  const clear = host.out.isTerminal && !json ? CLEAR : "";
  /** What was wrong when it was looked last; said once. */
  let problem: string | undefined;
  while (!isOver) {
    const text = await look().then(({ text }) => {
      problem = undefined;
      return text;
    }, (error) => {
      if (!(error instanceof UserError)) throw error;
      const { message } = error;
      if (clear !== "") return `${message}\n`;
      if (message !== problem) host.err.write(`wgsig: ${message}\n`);
      problem = message;
      return "";
    });
    if (isOver) break;
    host.out.write(clear + text);
    await new Promise<void>((done) => {
      const cancel = host.after(PAUSE, done);
      wake = () => {
        cancel();
        done();
      };
    });
  }
  return EXIT.ok;
}

/** Looks at what has that name: a server, or an interface that is synchronised. */
async function lookAt(host: Host, name: string): Promise<readonly Report[]> {
  const sync = statusPlace("sync", name, await namespaceEnding(host));
  const servers = (await placesOf(host)).filter((place) =>
    place.kind === "serve" && (name === ALL_SERVERS || place.name === name)
  );
  for (const places of [servers, [sync]]) {
    const reports = await askAll(host, places);
    if (reports.length > 0) return reports;
  }
  const namesServer = name === ALL_SERVERS || PORT.test(name);
  const which = name === ALL_SERVERS ? "" : ` at port ${name}`;
  throw new UserError(
    namesServer
      ? `no wgsig serve runs${which} here (nobody answers in ${RUN_FOLDER}); start it: wgsig serve`
      : `no wgsig sync runs for ${name} here (nobody answers at ${sync.path}); ` +
        `start it: wgsig sync ${name}`,
    EXIT.failed,
  );
}

async function lookAtAll(host: Host): Promise<readonly Report[]> {
  const reports = await askAll(host, await placesOf(host));
  if (reports.length > 0) return reports;
  throw new UserError(
    `neither wgsig sync nor serve runs here (nobody answers in ${RUN_FOLDER}); ` +
      "start one, such as: wgsig sync wg0",
    EXIT.failed,
  );
}

async function placesOf(host: Host): Promise<readonly StatusPlace[]> {
  try {
    return await statusPlaces(host);
  } catch (error) {
    throw cannotAsk(RUN_FOLDER, error);
  }
}

/** Asks all: one that hangs doesn't hide the others. @returns What answered; nothing where nobody is there. */
async function askAll(host: Host, places: readonly StatusPlace[]): Promise<readonly Report[]> {
  const reports: Report[] = [];
  const problems: unknown[] = [];
  for (const place of places) {
    try {
      const report = await ask(host, place);
      if (report !== undefined) reports.push(report);
    } catch (error) {
      problems.push(error);
    }
  }
  const last = reports.length > 0 ? undefined : problems.pop();
  for (const each of problems) {
    if (!(each instanceof UserError)) throw each;
    host.err.write(`wgsig: ${each.message}\n`);
  }
  if (last !== undefined) throw last;
  return reports;
}

/** Undefined where nobody answers. */
async function ask(host: Host, { path }: StatusPlace): Promise<Report | undefined> {
  try {
    return await askStatus(host, path);
  } catch (error) {
    if (isNobody(error)) return undefined;
    throw cannotAsk(path, error);
  }
}

/** @param isLine Whether it is to be one line: others follow. */
function formatJson(reports: readonly Report[], isLine: boolean): string {
  const shown = {
    schema: SCHEMA,
    interfaces: reports.filter(({ kind }) => kind === "sync"),
    servers: reports.filter(isServer),
  };
  return `${JSON.stringify(shown, undefined, isLine ? 0 : 2)}\n`;
}

function isServer(report: Report): report is ServeReport {
  return report.kind === "serve";
}

function meshesOf({ groups, relay }: ServeReport): readonly MeshReport[] {
  return groups.map((group) => meshOf(group, relay !== null));
}

function meshJson(servers: readonly ServeReport[], isLine: boolean): string {
  const shown = servers.map((server) => ({ name: server.name, meshes: meshesOf(server) }));
  return `${JSON.stringify({ schema: SCHEMA, servers: shown }, undefined, isLine ? 0 : 2)}\n`;
}

function meshTable(host: Host, servers: readonly ServeReport[]): string {
  const isColoured = hasColours(host);
  return servers.map((server) => formatMeshes(server, meshesOf(server), isColoured)).join("\n");
}

function formatTable(host: Host, reports: readonly Report[]): string {
  const isColoured = hasColours(host);
  return reports.map((report) => formatReport(report, isColoured)).join("\n");
}
