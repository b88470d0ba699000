/**
 * What a line of a log says, whoever writes it.
 *
 * @module
 */

/** What a line is about. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** Fields of a line. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;
