/**
 * When leases end, so that the next one is found among any number of them.
 *
 * @module
 */

/** Keys with a time each: a binary heap that knows each key's place in it. */
export class ExpiryQueue {
  readonly #keys: string[] = [];
  readonly #ends: number[] = [];
  readonly #places = new Map<string, number>();

  /** The earliest time; Infinity where there is no key. */
  get first(): number {
    return this.#ends[0] ?? Infinity;
  }

  /** A key with the earliest time. */
  get firstKey(): string | undefined {
    return this.#keys[0];
  }

  /** Gives a key its time, instead of the one that it may have. */
  set(key: string, end: number): void {
    const place = this.#places.get(key) ?? this.#keys.length;
    this.#put(place, key, end);
    this.#rise(place);
    this.#sink(this.#places.get(key)!);
  }

  /** Forgets a key. */
  delete(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    const lastKey = this.#keys.pop()!;
    const lastEnd = this.#ends.pop()!;
    if (lastKey !== key) {
      this.#put(place, lastKey, lastEnd);
      this.#rise(place);
      this.#sink(this.#places.get(lastKey)!);
    }
  }

  #put(place: number, key: string, end: number): void {
    this.#keys[place] = key;
    this.#ends[place] = end;
    this.#places.set(key, place);
  }

  #rise(place: number): void {
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#ends[parent]! <= this.#ends[place]!) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #sink(place: number): void {
    for (;;) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child < this.#ends.length && this.#ends[child]! < this.#ends[least]!) {
          least = child;
        }
      }
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }

  #swap(a: number, b: number): void {
    const key = this.#keys[a]!;
    const end = this.#ends[a]!;
    this.#put(a, this.#keys[b]!, this.#ends[b]!);
    this.#put(b, key, end);
  }
}
