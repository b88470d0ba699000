/**
 * Settings for `sync` and `config` of what wg-quick's file says.
 *
 * @module
 */

import { toml, tomlKey } from "../settings/toml_text.ts";
import { comments, type Imported, type KeyFile, Names, printable } from "./imported.ts";
import { readWgQuick, type WgQuickPeer } from "./wg_quick.ts";

/** Where keys are to lie where nobody says so. */
const USUAL_FOLDER = "/etc/wgsig";

/** What is imported, and how. */
export interface WgQuickSource {
  /** What the file is called in comments. */
  readonly file: string;
  /** The name of its interface. */
  readonly device: string;
  /** The folder that keys are to be written to; undefined where they stay where they are. */
  readonly keys: string | undefined;
}

/** Makes settings of a file's text. */
export function importWgQuick(text: string, source: WgQuickSource): Imported {
  const { privateKey, addresses, listenPort, peers, notes } = readWgQuick(text);
  const { device, keys } = source;
  const file = printable(source.file);
  const files: KeyFile[] = [];
  const names = new Names();
  /** The line of a key file, which has no effect where the file isn't written. */
  const keyLine = (setting: string, name: string, key: string): string[] => {
    const base = name.replace(/[^A-Za-z0-9_.-]+/g, "-");
    const dot = base.lastIndexOf(".");
    const own = names.take(base, (i) => `${base.slice(0, dot)}-${i}${base.slice(dot)}`);
    const path = `${(keys ?? USUAL_FOLDER).replace(/\/+$/, "")}/${own}`;
    const line = `${setting} = ${toml(path)}`;
    if (keys === undefined) return [`# ${line}`];
    files.push({ path, text: `${key}\n` });
    return [line];
  };
  const remarks = keys === undefined &&
      (privateKey !== undefined || peers.some(({ presharedKey }) => presharedKey !== undefined))
    ? [`keys stay in ${file}: add --keys ${USUAL_FOLDER}, which makes the files that settings need`]
    : [];
  const own = [
    `[sync.${tomlKey(device)}]`,
    '# Whom to ask, such as the host where "wgsig serve" runs:',
    '# servers = ["registry.example.com"]',
    ...(addresses.length === 0 ? [] : [`address = ${toml(addresses)}`]),
    ...(listenPort === undefined ? [] : [`port = ${listenPort}`]),
    ...(privateKey === undefined ? [] : keyLine("private-key-file", `${device}.key`, privateKey)),
  ];
  const peerLines = (peer: WgQuickPeer, i: number): string[] => [
    "",
    "[[peer]]",
    ...(peer.name === undefined ? [] : [`name = ${toml(peer.name)}`]),
    `public-key = ${toml(peer.publicKey)}`,
    `allowed-ips = ${toml(peer.allowedIps)}`,
    `persistent-keepalive = ${peer.persistentKeepalive}`,
    ...(peer.presharedKey === undefined ? [] : keyLine(
      "preshared-key-file",
      `${device}-${peer.name ?? `peer${i + 1}`}.psk`,
      peer.presharedKey,
    )),
    ...(peer.endpoint === undefined ? [] : [
      `# Its Endpoint ${peer.endpoint} stays in ${file}: it is kept until a server knows another.`,
    ]),
  ];
  const lines = [
    `# Settings made of ${file}, which wg-quick goes on reading; wgsig sync ${device} runs beside it.`,
    ...remarks.map((remark) => `# ${remark}`),
    ...(notes.length === 0 ? [] : ["# What these settings don't have:", ...comments(notes)]),
    "",
    ...own,
    ...peers.flatMap(peerLines),
  ];
  return { toml: `${lines.join("\n")}\n`, remarks, notes, keys: files };
}
