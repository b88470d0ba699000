import { assertEquals } from "@std/assert";
import {
  formatStorePlace,
  hasStoreSecret,
  parseStorePlace,
} from "../../../lib/core/net/store_place.ts";
import { test } from "../../testing.ts";

test("places of stores are read, and written again", () => {
  const cases = [
    ["redis://10.0.0.1", "redis://10.0.0.1:6379"],
    ["redis://store.example.com:7000/3", "redis://store.example.com:7000/3"],
    ["redis://[2001:db8::1]/", "redis://[2001:db8::1]:6379"],
    ["rediss://a/0", "rediss://a:6379"],
    ["redis+sentinel://a,b:7,[::1]/main", "redis+sentinel://a:26379,b:7,[::1]:26379/main"],
    ["rediss+sentinel://a/main/5", "rediss+sentinel://a:26379/main/5"],
    ["redis+cluster://a,b:7", "redis+cluster://a:6379,b:7"],
  ] as const;
  for (const [text, written] of cases) {
    const place = parseStorePlace(text);
    assertEquals(place && formatStorePlace(place), written);
    assertEquals(parseStorePlace(written), place);
  }
});

test("what is no place of a store is refused", () => {
  const bad = [
    ...["", "redis://", "redis:/a", "http://a", "redis://a b", "redis://a:0", "redis://a:65536"],
    ...["redis://a,b", "redis://a/x", "redis://a/1/2", "redis://a/65536", "redis://a/-1"],
    ...["redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel://a/m m", "redis://a?x=1"],
    ...["redis+cluster://a/1", "redis+cluster://a,", "redis+sentinel://a/m/x", "redis://u:p@a"],
    ...["redis://a#x", "rediss+other://a", ` redis://a`],
  ];
  for (const text of bad) assertEquals(parseStorePlace(text), undefined, text);
});

test("what may be a user or a password in a place is seen", () => {
  const secret = [
    ...["redis://me@a", "redis://:hush@a/1", "rediss+sentinel://a:b@c,d/m", "me:hush@a"],
    ...["redis://me:hu/sh@a", "redis://me:hu#sh?@a", "redis-sentinel://me:hush@a/m"],
    ...["redis:/me:hush@a", "redis://a/?password=hush", "redis://a#hush"],
  ];
  for (const text of secret) {
    assertEquals([hasStoreSecret(text), parseStorePlace(text)], [true, undefined]);
  }
  for (const text of ["redis://a", "rediss+sentinel://a,b/m/1", "http://a"]) {
    assertEquals(hasStoreSecret(text), false, text);
  }
});
