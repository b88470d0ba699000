/**
 * Settings for `serve` of what a Corefile says of wgsd.
 *
 * @module
 */

import { readCorefile, type WgsdZone } from "./corefile.ts";
import { toml } from "../settings/toml_text.ts";
import { comments, type Imported, printable } from "./imported.ts";

/** Makes settings of a file's text. @param file What it is called in comments. */
export function importCorefile(text: string, file: string): Imported {
  const { listen, zones, notes } = readCorefile(text);
  const [only] = zones;
  const remarks = zones.length === 0
    ? ["there is no zone in it that can be served"]
    : listen.length === 0
    ? ["where it listens can't be carried over: listen has to be filled in"]
    : [];
  const lines = [
    `# Settings of wgsig serve, made of ${printable(file)}.`,
    ...remarks.map((remark) => `# ${remark}`),
    ...(notes.length === 0 ? [] : ["# What these settings don't have:", ...comments(notes)]),
    "",
    "[serve.dns]",
    `listen = ${toml(listen)}`,
    ...(only !== undefined && zones.length === 1
      ? [`zone = ${toml(only.name)}`, ...zoneLines(only)]
      : zones.flatMap((zone) => [
        ...["", "[[serve.dns.zone]]", `name = ${toml(zone.name)}`],
        ...zoneLines(zone),
      ])),
  ];
  return { toml: `${lines.join("\n")}\n`, remarks, notes, keys: [] };
}

function zoneLines({ device, self, selfAllowedIps }: WgsdZone): string[] {
  return [
    `interface = ${toml(device)}`,
    ...(self === false ? [] : [`self = ${self === true ? "true" : toml(self)}`]),
    ...(selfAllowedIps.length === 0 ? [] : [`self-allowed-ips = ${toml(selfAllowedIps)}`]),
  ];
}
