/**
 * JSON of a large report in pieces, between which a server does what it is for.
 *
 * @module
 */

/** Items of a long list that make a piece: some 10 kB of peers. */
const PIECE = 50;
/** Below so many levels, a value is a piece. */
const DEPTH = 4;

/** The text that `JSON.stringify` makes of the same, in pieces. @param value Data, without `toJSON`. */
export function* jsonPieces(value: unknown, depth = DEPTH): Generator<string, void> {
  if (Array.isArray(value) && value.length > PIECE) {
    for (let at = 0; at < value.length; at += PIECE) {
      yield `${at === 0 ? "[" : ","}${JSON.stringify(value.slice(at, at + PIECE)).slice(1, -1)}`;
    }
    yield "]";
  } else if (depth === 0 || typeof value !== "object" || value === null) {
    yield JSON.stringify(value) ?? "null";
  } else if (Array.isArray(value)) {
    yield "[";
    for (const [i, item] of value.entries()) {
      if (i > 0) yield ",";
      yield* jsonPieces(item, depth - 1);
    }
    yield "]";
  } else {
    let before = "{";
    for (const [name, field] of Object.entries(value)) {
      if (field === undefined) continue;
      yield `${before}${JSON.stringify(name)}:`;
      yield* jsonPieces(field, depth - 1);
      before = ",";
    }
    yield before === "{" ? "{}" : "}";
  }
}
