/**
 * What a settings file is written of.
 *
 * @module
 */

/** A list of strings, or one, as TOML has them: basic strings (TOML 1.0) that JSON writes as well. */
export function toml(value: string | readonly string[]): string {
  // JSON leaves DEL as it is, TOML doesn't; there is none in what is written here.
  return typeof value === "string" ? JSON.stringify(value) : `[${value.map(toml).join(", ")}]`;
}

/** A key of a table: bare where TOML allows that. */
export function tomlKey(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name);
}
