#!/usr/bin/env python3
"""Writes shared.json: what registries that share a table write to their store, and what becomes of it
there, without a line of lib/. The layout is that at the top of lib/wire/shared/record.ts and
store_key.ts.

Run it in its folder: python3 shared.py > shared.json
"""

import hashlib
import hmac
import json
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ROW, SEEN, SAID = 1, 2, 4
PROVED = 1
GROUP = 0x01020304
SERVER = bytes(range(0x21, 0x41))
PEER = bytes(range(0xA0, 0xC0))
NOW = 1_700_000_000

private = X25519PrivateKey.from_private_bytes(SERVER)
public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
shared = private.exchange(X25519PublicKey.from_public_bytes(public))
key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"wgsig store 1").derive(shared)


def label(seconds, nanoseconds=0):
    return struct.pack(">QI", 2**62 + seconds, nanoseconds)


def row(address, port):
    return bytes(map(int, address.split("."))) + struct.pack(">H", port)


def seen(last, port):
    return bytes.fromhex("20010db8" + "00" * 11) + bytes([last]) + struct.pack(">H", port)


def said(*candidates):
    """IPv4 candidates: kind, address, port."""
    return b"".join(bytes([kind << 4 | 4]) + struct.pack(">H", port) + bytes(map(int, address.split(".")))
                    for kind, address, port in candidates)


def register(kind, at, heard, flags, content, group=GROUP, peer=PEER):
    fields = at + struct.pack(">d", heard) + bytes([flags, len(content)]) + content
    mac = hmac.new(key, struct.pack(">I", group) + peer + bytes([kind]) + fields, hashlib.sha256).digest()[:16]
    return fields + mac


def record(**registers):
    kinds = sum(kind for name, kind in (("row", ROW), ("seen", SEEN), ("said", SAID)) if name in registers)
    parts = [registers[name] for name in ("row", "seen", "said") if name in registers]
    return bytes([1, kinds]) + b"".join(parts)


def take_apart(data):
    """Registers by kind; None where it is no record."""
    if len(data) < 2 or data[0] != 1 or not 1 <= data[1] <= 7:
        return None
    found, at = {}, 2
    for kind in (ROW, SEEN, SAID):
        if not data[1] & kind:
            continue
        if at + 22 > len(data):
            return None
        size = 38 + data[at + 21]
        if at + size > len(data):
            return None
        found[kind] = data[at:at + size]
        at += size
    return found if at == len(data) else None


def is_proved(register):
    return register[20] & PROVED != 0


def put_together(registers):
    kinds = sorted(registers)
    return bytes([1, sum(kinds)]) + b"".join(registers[kind] for kind in kinds) if kinds else b""


def is_later(new, old):
    """A later label; of the same one and another content, what was heard earlier: the other was played back."""
    if new[:12] != old[:12]:
        return new[:12] > old[:12]
    return new[20:-16] != old[20:-16] and struct.unpack(">d", new[12:20]) < struct.unpack(">d", old[12:20])


def merge(stored, incoming):
    """What is stored then, and which registers of it have changed."""
    new = take_apart(incoming)
    if new is None:
        return stored, b""
    old = take_apart(stored) or {}
    proved = any(map(is_proved, [*old.values(), *new.values()]))
    old = {kind: each for kind, each in old.items() if is_proved(each) == proved}
    new = {kind: each for kind, each in new.items() if is_proved(each) == proved}
    changed = {kind: each for kind, each in new.items() if kind not in old or is_later(each, old[kind])}
    if not changed:
        return stored, b""
    return put_together({**old, **changed}), put_together(changed)


LAN = (2, "192.168.1.7", 51820)
ROW_1 = register(ROW, label(NOW, 5), NOW + 0.25, 0, row("192.0.2.7", 51820))
ROW_2 = register(ROW, label(NOW + 1), NOW + 1.5, 0, row("192.0.2.8", 51821))
ROW_1_AGAIN = register(ROW, label(NOW, 5), NOW + 9, 0, row("192.0.2.9", 9))
ROW_1_EARLIER = register(ROW, label(NOW, 5), NOW, 0, row("192.0.2.7", 51820))
ROW_1_OTHER = register(ROW, label(NOW, 5), NOW + 0.25, 0, row("192.0.2.9", 9))
# These differ in the low words of HEARD alone, with the first bit of one of them set.
EARLY = register(ROW, label(NOW, 5), struct.unpack(">d", bytes.fromhex("41d954fc407fffff"))[0], 0, row("192.0.2.8", 8))
LATE = register(ROW, label(NOW, 5), struct.unpack(">d", bytes.fromhex("41d954fc40800001"))[0], 0, row("192.0.2.9", 9))
ROW_P0 = register(ROW, label(NOW - 20), NOW - 19.5, PROVED, row("198.51.100.1", 1))
ROW_P1 = register(ROW, label(NOW, 999_999_999), NOW + 2, PROVED, row("198.51.100.2", 65535))
SEEN_1 = register(SEEN, label(NOW, 6), NOW + 0.5, 0, seen(7, 51820))
SEEN_P1 = register(SEEN, label(NOW - 3), NOW, PROVED, seen(8, 443))
SAID_1 = register(SAID, label(NOW, 5), NOW + 0.25, 0x18, said(LAN))
SAID_1_EARLIER = register(SAID, label(NOW, 5), NOW - 1, 0x10, said(LAN))
SAID_P0 = register(SAID, label(NOW - 20), NOW - 19.5, PROVED | 0x30, said(LAN, (3, "203.0.113.5", 7)))
SAID_P1 = register(SAID, label(NOW + 7), NOW + 7, PROVED, b"")
LONG = register(SAID, label(NOW + 3), NOW + 3, 0, bytes(255))
# As numbers, 0x80000000 is more than 0x7fffffff, and 10 more than 9.
HIGH = register(ROW, bytes.fromhex("400000008000000000000000"), NOW, 0, row("1.2.3.4", 5))
LOW = register(ROW, bytes.fromhex("400000007fffffffffffffff"), NOW, 0, row("1.2.3.4", 6))
NS_9 = register(ROW, label(NOW, 9), NOW, 0, row("1.2.3.4", 9))
NS_10 = register(ROW, label(NOW, 10), NOW, 0, row("1.2.3.4", 10))
ZEROS = register(ROW, label(NOW, 0x00ff0000), NOW, 0, row("1.2.3.4", 11))
ONES = register(ROW, label(NOW, 0x0100ff00), NOW, 0, row("1.2.3.4", 12))

A = record(row=ROW_1)
B = record(row=ROW_2, seen=SEEN_1)
P = record(row=ROW_P1, said=SAID_P0)
CASES = [
    ("nothing is there", b"", A),
    ("nothing is there, all three", b"", record(row=ROW_1, seen=SEEN_1, said=SAID_1)),
    ("a later row", A, record(row=ROW_2)),
    ("an earlier row", record(row=ROW_2), A),
    ("the same again", A, A),
    ("the same label, heard later, and from elsewhere", A, record(row=ROW_1_AGAIN)),
    ("the same label, heard earlier, and from elsewhere", record(row=ROW_1_AGAIN), A),
    ("the same label, heard earlier, and the same", A, record(row=ROW_1_EARLIER)),
    ("the same label, heard later, and the same", record(row=ROW_1_EARLIER), A),
    ("the same label, heard earlier, with another flag", record(said=SAID_1), record(said=SAID_1_EARLIER)),
    ("the same label, heard at the same time, and from elsewhere", A, record(row=ROW_1_OTHER)),
    ("the same label, heard earlier by the low word", record(row=LATE), record(row=EARLY)),
    ("the same label, heard later by the low word", record(row=EARLY), record(row=LATE)),
    ("another register", A, record(seen=SEEN_1)),
    ("a later one and another one", record(row=ROW_1, said=SAID_1), B),
    ("an earlier one and another one", record(row=ROW_2), record(row=ROW_1, said=SAID_1)),
    ("the longest", record(row=ROW_1, seen=SEEN_1, said=SAID_1), record(said=LONG)),
    ("the first proof, with an earlier label", record(row=ROW_1, seen=SEEN_1, said=SAID_1), record(row=ROW_P0)),
    ("the first proof, of another register", record(row=ROW_1, said=SAID_1), record(seen=SEEN_P1)),
    ("what is not proved, later", P, record(row=ROW_2, seen=SEEN_1)),
    ("proved after proved", record(row=ROW_P0, said=SAID_P0), record(row=ROW_P1, seen=SEEN_P1, said=SAID_P1)),
    ("proved, and later there", P, record(row=ROW_P0, said=SAID_P0)),
    ("proved and not, together", b"", record(row=ROW_P0, said=SAID_1)),
    ("proved and not, after what is not", record(row=ROW_2, seen=SEEN_1), record(row=ROW_P0, said=SAID_1)),
    ("proved and not are there", record(row=ROW_P0, said=SAID_1), record(said=SAID_P0)),
    ("proved and not are there, and stay", record(row=ROW_P0, said=SAID_1), A),
    ("seconds are numbers", record(row=LOW), record(row=HIGH)),
    ("seconds are numbers, the other way round", record(row=HIGH), record(row=LOW)),
    ("nanoseconds are numbers", record(row=NS_9), record(row=NS_10)),
    ("nanoseconds are numbers, the other way round", record(row=NS_10), record(row=NS_9)),
    ("zeros in a label", record(row=ZEROS), record(row=ONES)),
    ("zeros in a label, the other way round", record(row=ONES), record(row=ZEROS)),
    ("nothing comes", A, b""),
    ("no record comes", A, b"\x01"),
    ("no register comes", A, b"\x01\x00"),
    ("an unknown register comes", A, b"\x01\x08" + ROW_2),
    ("another format comes", A, b"\x02\x01" + ROW_2),
    ("a byte too few comes", A, record(row=ROW_2)[:-1]),
    ("a byte too many comes", A, record(row=ROW_2) + b"\x00"),
    ("the second is cut off", A, b"\x01\x03" + ROW_2 + SEEN_1[:21]),
    ("the second is cut off before its MAC ends", A, b"\x01\x03" + ROW_2 + SEEN_1[:-1]),
    ("what is there is no record", b"\x01\x01\x00", A),
    ("what is there is of another format", b"\x02\x01" + ROW_2, A),
    ("what is there has a byte too many", record(row=ROW_2) + b"\x00", A),
    ("neither is a record", b"\xff", b"\xfe"),
]


def merged(name, stored, incoming):
    result, changed = merge(stored, incoming)
    return {"name": name, "stored": stored.hex(), "incoming": incoming.hex(), "record": result.hex(),
            "changed": changed.hex()}


def told(kind, seconds, nanoseconds, heard, flags, content, group=GROUP, peer=PEER):
    return {"group": group, "peer": peer.hex(), "kind": kind, "seconds": seconds, "nanoseconds": nanoseconds,
            "heard": heard, "flags": flags, "content": content.hex(),
            "register": register(kind, label(seconds, nanoseconds), heard, flags, content, group, peer).hex()}


print(json.dumps({
    "about": "Registers as registries write them, and records in a store: what is there, what comes, what is "
             "there then, and which registers of it have changed (nothing: it stays as it is). All bytes in "
             "hex. Written by shared.py.",
    "server": {"private": SERVER.hex(), "public": public.hex()},
    "key": key.hex(),
    "registers": [
        told(ROW, NOW, 5, NOW + 0.25, 0, row("192.0.2.7", 51820)),
        told(ROW, NOW, 999_999_999, NOW + 2, PROVED, row("255.255.255.255", 65535)),
        told(SEEN, NOW, 6, NOW + 0.5, PROVED, seen(7, 51820)),
        told(SAID, NOW, 5, NOW + 0.125, 0x18, said(LAN)),
        told(SAID, NOW, 5, NOW + 0.125, PROVED | 0x38, b""),
        told(SAID, NOW, 5, NOW, 0, bytes(range(255))),
        told(ROW, 0, 0, 0, 0, row("0.0.0.0", 0), 0, bytes(32)),
        told(ROW, NOW, 5, NOW + 0.25, 0, row("192.0.2.7", 51820), 0xffffffff, b"\xff" * 32),
    ],
    "merges": [merged(*case) for case in CASES],
}, indent=1))
