#!/usr/bin/env python3
"""Writes wgsig2.json: wgsig 2 as docs/protocol-2.md has it, without a line of lib/.

X25519, HKDF and ChaCha20-Poly1305 are those of the package `cryptography` (OpenSSL), HMAC is Python's;
HChaCha20 is written out here. Run it in its folder: python3 wgsig2.py > wgsig2.json
"""

import hashlib
import hmac
import ipaddress
import json
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MAX, MIN_QUESTION = 1232, 160
QUESTION, ANSWER, PUSH, RETRY = 1, 2, 3, 4
KEEP, PROVED, SUBSCRIBE, PROBES = 1, 2, 4, 8
EASY, SEQUENTIAL, HARD = 0x10, 0x20, 0x30
PAD, WANT, COOKIE, CANDIDATE, KEY, SERVERKEY, OFFERS, ACK, RELAY, DIRECT, ALSO, ROSTER = range(12)
SEEN, LAN, MAPPED, DECLARED, RELAYED = range(1, 6)
WHOLE, REGISTERED, SUBSCRIBED, CUT = 1, 2, 4, 8
RECORD_PROVED, GONE, NEAR, RECORD_PROBES = 1, 2, 4, 8
NOW = 1_800_000_000


def draw(name, size):
    """Bytes that are the same each time."""
    out = b""
    while len(out) < size:
        out += hashlib.sha256(f"wgsig 2 vectors: {name}: {len(out)}".encode()).digest()
    return out[:size]


# Keys


def hkdf(ikm, salt, info):
    out = HKDF(algorithm=SHA256(), length=64, salt=salt, info=info).derive(ikm)
    return out[:32], out[32:]


def public(private):
    key = X25519PrivateKey.from_private_bytes(private).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def group_keys(secret, group):
    return hkdf(secret, None, b"wgsig 2 group" + struct.pack(">I", group))


def peer_keys(own, other, secret, peer, server):
    shared = X25519PrivateKey.from_private_bytes(own).exchange(X25519PublicKey.from_public_bytes(other))
    return hkdf(shared, secret, b"wgsig 2 peer" + peer + server)


# XChaCha20-Poly1305


def rotate(value, bits):
    return (value << bits | value >> (32 - bits)) & 0xFFFFFFFF


def quarter(state, a, b, c, d):
    for one, other, third, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[one] = (state[one] + state[other]) & 0xFFFFFFFF
        state[third] = rotate(state[third] ^ state[one], bits)


def hchacha20(key, nonce):
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for i in range(4):
            quarter(state, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def seal(key, nonce, associated, plain):
    subkey = hchacha20(key, nonce[:16])
    return ChaCha20Poly1305(subkey).encrypt(bytes(4) + nonce[16:], plain, associated)


# Fields


def label(seconds, nanoseconds):
    return struct.pack(">QI", 2**62 + seconds, nanoseconds)


def candidate(kind, address, port, age=None):
    packed = ipaddress.ip_address(address).packed
    family = 4 if len(packed) == 4 else 6
    told = bytes([kind * 16 + family]) + struct.pack(">H", port) + packed
    return told if age is None else told + struct.pack(">I", age)


def told_candidate(kind, address, port, age=None):
    fields = {"kind": kind, "address": ipaddress.ip_address(address).packed.hex(), "port": port}
    return fields if age is None else {**fields, "age": age}


def option(kind, value):
    return bytes([kind, len(value)]) + value


def lists(kind, keys):
    if keys is None:
        return b""
    pieces = [keys[i : i + 31] for i in range(0, len(keys), 31)] or [[]]
    return b"".join(option(kind, b"".join(piece)) for piece in pieces)


def optional(kind, value):
    return b"" if value is None else option(kind, value)


def version_of(value):
    return None if value is None else struct.pack(">Q", value)


def hexes(value):
    return None if value is None else value.hex()


def header(kind, group, nonce):
    start = struct.pack(">I", group) + b"wg\x02" + bytes([kind])
    return bytes(a ^ b for a, b in zip(start, nonce)) + nonce


# The scene: a registry, a group, some peers

GROUP = 7
SECRET = draw("secret", 32)
SERVER = draw("server", 32)
SERVER_PUBLIC = public(SERVER)
PEER = draw("peer", 32)
PEER_PUBLIC = public(PEER)
OTHERS = [public(draw(f"other {i}", 32)) for i in range(12)]
K_Q, K_A = group_keys(SECRET, GROUP)
K_P, K_R = peer_keys(PEER, SERVER_PUBLIC, SECRET, PEER_PUBLIC, SERVER_PUBLIC)
EPOCH_1 = draw("epoch", 8)
COOKIE_1 = draw("cookie", 16)

datagrams = []
refused = []


def put(name, kind, key, plain, fields, asked=None, canonical=True, **more):
    nonce = draw(f"nonce of {name}", 24)
    head = header(kind, GROUP, nonce)
    if kind == QUESTION and more.get("proof") is not None:
        proof = hmac.new(K_P, head + plain, hashlib.sha256).digest()[:16]
        plain += proof if more["proof"] else bytes(byte ^ 1 for byte in proof)
    keys = {"question": K_Q, "answer": K_A, "peer": K_R}
    datagram = head + seal(keys[key], nonce, head + (asked or b""), plain)
    assert len(datagram) <= MAX
    entry = {
        "name": name,
        "type": kind,
        "group": GROUP,
        "nonce": nonce.hex(),
        "asked": hexes(asked),
        "key": key,
        "payload": plain.hex(),
        "datagram": datagram.hex(),
        "canonical": canonical,
        "fields": fields,
        **more,
    }
    datagrams.append(entry)
    return nonce


def question(name, *, flags=0, version=0, epoch=bytes(8), cookie=None, key=None, ack=0, candidates=(),
             wants=None, relayed=None, directs=None, roster=None, seconds=NOW, nanoseconds=1, raw=None, fields=None, proof=True):
    options = raw
    if raw is None:
        options = optional(COOKIE, cookie) + optional(KEY, key)
        options += b"" if ack == 0 else option(ACK, struct.pack(">I", ack))
        options += b"".join(option(CANDIDATE, candidate(*each)) for each in candidates)
        options += lists(WANT, wants) + lists(RELAY, relayed) + lists(DIRECT, directs)
        options += optional(ROSTER, version_of(roster))
    plain = PEER_PUBLIC + label(seconds, nanoseconds) + struct.pack(">H", flags) + epoch
    plain += struct.pack(">Q", version) + options
    tail = 16 + (16 if flags & PROVED else 0)
    plain += bytes(max(0, MIN_QUESTION - 32 - tail - len(plain)))
    told = {
        "id": PEER_PUBLIC.hex(),
        "seconds": seconds,
        "nanoseconds": nanoseconds,
        "flags": flags,
        "epoch": epoch.hex(),
        "version": version,
        "wants": None if wants is None else [each.hex() for each in wants],
        "relayed": None if relayed is None else [each.hex() for each in relayed],
        "directs": None if directs is None else [each.hex() for each in directs],
        "candidates": [told_candidate(*each) for each in candidates],
        "cookie": hexes(cookie),
        "key": hexes(key),
        "ack": ack,
        "roster": -1 if roster is None else roster,
        **(fields or {}),
    }
    proof = proof if flags & PROVED else None
    return put(name, QUESTION, "question", plain, told, canonical=raw is None, proof=proof)


def record(peer, flags, age, candidates, more=b""):
    all_ = b"".join(candidate(*each) for each in candidates) + more
    return peer + bytes([flags]) + struct.pack(">I", age) + bytes([len(all_)]) + all_


def told_record(peer, flags, age, candidates, more=b""):
    told = [told_candidate(*each) for each in candidates]
    return {"id": peer.hex(), "flags": flags, "age": age, "candidates": told}


def answer(name, key, asked, *, seen, version=5, part=0, parts=1, flags=0, cookie=None, server_key=None,
           offers=0, also=(), roster=None, records=(), seconds=NOW, nanoseconds=999_999_999, canonical=True, options=None,
           told_records=None, told_options=None):
    given = options
    if options is None:
        given = optional(COOKIE, cookie) + optional(SERVERKEY, server_key)
        given += b"" if offers == 0 else option(OFFERS, bytes([offers]))
        given += option(ALSO, struct.pack(f">{len(also)}H", *also)) if also else b""
        given += optional(ROSTER, version_of(roster))
    plain = label(seconds, nanoseconds) + EPOCH_1 + struct.pack(">QHHBH", version, part, parts, flags, len(given))
    plain += candidate(SEEN, *seen) + given + b"".join(record(*each) for each in records)
    told = {
        "seconds": seconds,
        "nanoseconds": nanoseconds,
        "epoch": EPOCH_1.hex(),
        "version": version,
        "part": part,
        "parts": parts,
        "flags": flags,
        "seen": told_candidate(SEEN, *seen),
        "cookie": hexes(cookie),
        "serverKey": hexes(server_key),
        "offers": offers,
        "also": list(also),
        "roster": -1 if roster is None else roster,
        "records": told_records or [told_record(*each) for each in records],
        **(told_options or {}),
    }
    return put(name, ANSWER, key, plain, told, asked=asked, canonical=canonical)


def push(name, key, asked, counter, previous, version, records):
    plain = struct.pack(">I", counter) + EPOCH_1 + struct.pack(">QQ", previous, version)
    plain += b"".join(record(*each) for each in records)
    told = {
        "counter": counter,
        "epoch": EPOCH_1.hex(),
        "previous": previous,
        "version": version,
        "records": [told_record(*each) for each in records],
    }
    return put(name, PUSH, key, plain, told, asked=asked)


def retry(name, asked, reason, *, cookie=None, server_key=None, seconds=NOW, nanoseconds=0):
    plain = label(seconds, nanoseconds) + bytes([reason]) + optional(COOKIE, cookie)
    plain += optional(SERVERKEY, server_key)
    told = {
        "seconds": seconds,
        "nanoseconds": nanoseconds,
        "reason": reason,
        "cookie": hexes(cookie),
        "serverKey": hexes(server_key),
    }
    return put(name, RETRY, "answer", plain, told, asked=asked)


# Questions

plain_question = question("a first question")
proved_question = question(
    "a proved question with every option",
    flags=PROVED | SUBSCRIBE,
    version=4711,
    epoch=EPOCH_1,
    cookie=COOKIE_1,
    key=SERVER_PUBLIC[:8],
    ack=9,
    candidates=[
        (LAN, "192.168.1.20", 51820),
        (LAN, "fd00::20", 51820),
        (MAPPED, "198.51.100.7", 40001),
        (DECLARED, "2001:db8::7", 51820),
    ],
    wants=[each[:8] for each in OTHERS[:2]],
    relayed=[OTHERS[1][:8]],
)
question(
    "a question of who answers probes behind a hard NAT, and reaches some directly",
    flags=KEEP | PROVED | SUBSCRIBE | PROBES | HARD,
    wants=[each[:8] for each in OTHERS[:3]],
    relayed=[OTHERS[1][:8]],
    directs=[OTHERS[0][:8], OTHERS[2][:8]],
)
question("a question of who nothing is relayed to any more", flags=PROVED | SUBSCRIBE | EASY, relayed=[], directs=[])
question("a question that only asks, with bits that nobody knows", flags=KEEP | 0x8000, seconds=0, nanoseconds=0)
question("a proved question that wants nobody", flags=PROVED, wants=[], version=2**53 - 1)
question("a question with a list of two options", wants=[draw(f"want {i}", 8) for i in range(40)])
largest = 1232 - 32 - 62 - 32 - 4 * 2 - 93 * 8 - 2
question(
    "the largest question",
    flags=PROVED,
    wants=[draw(f"want {i}", 8) for i in range(31 * 3)],
    relayed=[draw(f"relayed {i}", 8) for i in range(largest // 8)],
    seconds=2**53 - 1,
)
question("a question of who follows the roster", flags=PROVED | SUBSCRIBE, directs=[], roster=1_800_000_000_123)
question("a question of who knows nothing of the roster", flags=KEEP | PROVED, roster=0)
question("a question whose proof is wrong", flags=PROVED, proof=False)
question(
    "a question whose options are odd",
    flags=PROVED,
    raw=option(WANT, OTHERS[0][:8] + b"rest")
    + bytes(3)
    + option(200, b"nobody knows this")
    + option(COOKIE, bytes(16))
    + option(KEY, bytes(7))
    + option(CANDIDATE, candidate(SEEN, "10.0.0.1", 1))
    + option(CANDIDATE, candidate(RELAYED, "10.0.0.1", 1))
    + option(CANDIDATE, candidate(9, "10.0.0.1", 1))
    + option(CANDIDATE, b"\x25\x00\x01\x0a\x00\x00\x01")
    + option(CANDIDATE, candidate(LAN, "::ffff:10.0.0.1", 1))
    + option(CANDIDATE, candidate(LAN, "10.0.0.1", 1)[:-1])
    + option(CANDIDATE, candidate(LAN, "10.0.0.2", 2) + b"more")
    + option(WANT, OTHERS[1][:8])
    + option(ACK, struct.pack(">I", 77) + b"more")
    + option(ROSTER, bytes(7))
    + option(ROSTER, struct.pack(">Q", 2**53))
    + option(255, b"")
    + option(COOKIE, COOKIE_1 + b"more"),
    fields={
        "wants": [OTHERS[0][:8].hex(), OTHERS[1][:8].hex()],
        "candidates": [told_candidate(LAN, "10.0.0.2", 2)],
        "cookie": COOKIE_1.hex(),
        "ack": 77,
    },
)
question(
    "a question with nine candidates",
    raw=b"".join(option(CANDIDATE, candidate(LAN, f"10.0.0.{i}", i)) for i in range(9)),
    fields={"candidates": [told_candidate(LAN, f"10.0.0.{i}", i) for i in range(8)]},
)
question(
    "a question whose version is too large",
    version=2**53,
    raw=b"",
    fields={"version": 0},
)

# Answers

HOME = ("203.0.113.5", 51820)
HOME_6 = ("2001:db8:1::5", 51821)
answer("an answer that says nothing new", "answer", plain_question, seen=HOME)
answer(
    "an answer to a proved question",
    "peer",
    proved_question,
    seen=HOME_6,
    version=4713,
    flags=REGISTERED | SUBSCRIBED,
    cookie=COOKIE_1,
    server_key=SERVER_PUBLIC,
    offers=7,
    records=[
        (OTHERS[0], RECORD_PROVED | NEAR, 3, [
            (SEEN, "198.51.100.9", 1024, 3),
            (SEEN, "2001:db8:2::9", 51820, 4),
            (LAN, "192.168.1.30", 51820, 600),
            (RELAYED, "192.0.2.1", 1223, 2**32 - 1),
        ]),
        (OTHERS[1], GONE, 0, []),
    ],
)
ALL = [(each, i % 2, 10 * i, [(SEEN, f"198.51.100.{i}", 1000 + i, i), (SEEN, f"2001:db8::{i}", 2000 + i, i)])
       for i, each in enumerate(OTHERS)]
for part in range(3):
    answer(
        f"part {part} of an answer of three parts",
        "peer",
        proved_question,
        seen=HOME,
        part=part,
        parts=3,
        flags=WHOLE | REGISTERED,
        offers=2,
        records=ALL[4 * part : 4 * part + 4],
    )
answer(
    "an answer of a registry with more ports, of peers that answer probes",
    "peer",
    proved_question,
    seen=HOME,
    flags=WHOLE,
    offers=7,
    also=[1224, 443, 53, 65535],
    records=[
        (OTHERS[0], RECORD_PROVED | RECORD_PROBES | EASY, 3, [(SEEN, "198.51.100.9", 1024, 3)]),
        (OTHERS[1], RECORD_PROVED | NEAR | RECORD_PROBES | SEQUENTIAL, 4, [(SEEN, "198.51.100.9", 1025, 4)]),
        (OTHERS[2], HARD, 5, [(SEEN, "198.51.100.9", 1026, 5)]),
    ],
)
answer("an answer of a registry with one more port", "answer", plain_question, seen=HOME, also=[1224])
answer("an answer of a registry whose roster has changed", "peer", proved_question, seen=HOME, also=[1224], roster=2**53 - 1)
answer("an answer of a registry whose roster is empty", "peer", proved_question, seen=HOME, roster=0)
MANY = [(LAN, f"10.1.0.{i}", i + 1, i) for i in range(9)]
answer(
    "an answer with what nobody knows",
    "answer",
    plain_question,
    seen=HOME,
    canonical=False,
    options=option(90, b"?") + bytes(2) + option(OFFERS, b"\x02more") + option(SERVERKEY, bytes(31))
    + option(ALSO, b"\0\1") + option(ALSO, struct.pack(">6H", 1224, 0, 2, 3, 4, 5) + b"\0")
    + option(ROSTER, struct.pack(">Q", 7) + b"more"),
    told_options={"offers": 2, "also": [1224, 2, 3, 4], "roster": 7},
    records=[
        (OTHERS[0], 0x80, 1, [(9, "10.0.0.1", 1, 1), (LAN, "10.0.0.2", 2, 2), (LAN, "::ffff:10.0.0.1", 3, 3)],
         b"\x15nobody knows where this ends"),
        (OTHERS[1], 0, 2, MANY),
        (OTHERS[2], 0, 3, [(MAPPED, "10.0.0.3", 3, 3)], b"\x24\x00"),
    ],
    told_records=[
        told_record(OTHERS[0], 0x80, 1, [(LAN, "10.0.0.2", 2, 2)]),
        told_record(OTHERS[1], 0, 2, MANY[:8]),
        told_record(OTHERS[2], 0, 3, [(MAPPED, "10.0.0.3", 3, 3)]),
    ],
)
answer("an answer that is cut", "answer", plain_question, seen=HOME, flags=CUT, version=2**53 - 1,
       part=65534, parts=65535, records=ALL[:8])

# Pushes and retries

push("a push", "peer", proved_question, 1, 4713, 4715, [ALL[3], (OTHERS[4], GONE, 0, [])])
push("a push to who has proved nothing", "answer", plain_question, 2**32 - 1, 1, 2, [ALL[5]])
push("a push that doesn't fit", "peer", proved_question, 2, 4800, 4800, [])
retry("a retry because of the clock", plain_question, 1, cookie=COOKIE_1)
retry("a retry because of the address", plain_question, 2, cookie=COOKIE_1)
retry("a retry because of the proof", proved_question, 3, cookie=COOKIE_1, server_key=SERVER_PUBLIC)
retry("a retry because of the label", proved_question, 4, seconds=NOW + 1, nanoseconds=5)
retry("a retry because the registry is busy", proved_question, 5)
retry("a retry for a reason that nobody knows", plain_question, 200)

# What means nothing


def by_name(name):
    return next(each for each in datagrams if each["name"] == name)


def refuse(name, of, *, opens, datagram=None, asked=None, plain=None):
    given = by_name(of)
    told = asked.hex() if asked is not None else given["asked"]
    if plain is not None:
        nonce = bytes.fromhex(given["nonce"])
        head = header(given["type"], GROUP, nonce)
        key = {"question": K_Q, "answer": K_A, "peer": K_R}[given["key"]]
        datagram = head + seal(key, nonce, head + bytes.fromhex(told or ""), plain)
    if datagram is None:
        datagram = bytes.fromhex(given["datagram"])
    refused.append({"name": name, "type": given["type"], "key": given["key"], "asked": told,
                    "opens": opens, "datagram": datagram.hex()})


def changed(name, at):
    bytes_ = bytearray(bytes.fromhex(by_name(name)["datagram"]))
    bytes_[at] ^= 0x40
    return bytes(bytes_)


FIRST, PROVEN = "a first question", "an answer to a proved question"
refuse("a changed peer", FIRST, opens=False, datagram=changed(FIRST, 40))
refuse("a changed tag", FIRST, opens=False, datagram=changed(FIRST, -1))
refuse("another group", FIRST, opens=False, datagram=changed(FIRST, 0))
refuse("another nonce", FIRST, opens=False, datagram=changed(FIRST, 31))
refuse("a shortened question", FIRST, opens=False, datagram=bytes.fromhex(by_name(FIRST)["datagram"])[:-1])
refuse("an answer to another question", PROVEN, opens=False, asked=plain_question)
refuse("a shortened answer", PROVEN, opens=False, datagram=bytes.fromhex(by_name(PROVEN)["datagram"])[:-44])
payload = bytes.fromhex(by_name(FIRST)["payload"])
refuse("a question of 159 bytes", FIRST, opens=True, plain=payload[:-1])
refuse("a question that ends in an option", FIRST, opens=True, plain=payload[:-2] + b"\xc8\x05")
payload = bytes.fromhex(by_name(PROVEN)["payload"])
refuse("an answer that ends in a record", PROVEN, opens=True, plain=payload[:-1])
refuse("an answer whose part is none of its parts", PROVEN, opens=True, plain=payload[:28] + b"\0\2\0\2" + payload[32:])
refuse("an answer whose options end behind it", PROVEN, opens=True, plain=payload[:33] + b"\2\0" + payload[35:])
payload = bytes.fromhex(by_name("a push")["payload"])
refuse("a push that ends in a record", "a push", opens=True, plain=payload + b"\0")
payload = bytes.fromhex(by_name("a retry because of the proof")["payload"])
refuse("a retry that ends in an option", "a retry because of the proof", opens=True, plain=payload[:-1])
refuse("a retry whose time is none", "a retry because of the proof", opens=True, plain=b"\x80" + payload[1:])

# Requests of the first protocol that look like questions of the second one


def lookalike():
    scrambler = draw("scrambler", 4)
    start = bytes(a ^ b for a, b in zip(b"wg\x02\x01", scrambler))
    peer = draw("start", 4) + start + bytes(a ^ b for a, b in zip(draw("start", 4), struct.pack(">I", GROUP)))
    peer += scrambler + draw("rest", 16)
    signed = peer + label(NOW, 5) + struct.pack(">HI", 0, GROUP)
    return signed + hmac.new(SECRET, signed, hashlib.sha256).digest(), start, scrambler


def chacha20(key, nonce, counter, plain):
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    cipher = Cipher(algorithms.ChaCha20(key, struct.pack("<I", counter) + nonce), mode=None)
    return cipher.encryptor().update(plain)


request, start, scrambler = lookalike()
nonce_1 = start + scrambler + scrambler
sealed_1 = chacha20(hashlib.sha256(SECRET).digest(), nonce_1, 1, request)
scrambled = bytes(a ^ b for a, b in zip(struct.pack(">I", GROUP), scrambler))
first = [
    {"name": "a plain request with padding", "encrypted": False, "request": request.hex(),
     "datagram": (request + draw("padding", 100)).hex()},
    {"name": "an encrypted request with padding", "encrypted": True, "request": request.hex(),
     "datagram": (scrambled + nonce_1 + sealed_1 + draw("more padding", 100)).hex()},
]

LOW = ["00" * 32, "01" + "00" * 31, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
       "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", "ec" + "ff" * 30 + "7f",
       "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f"]
for point in LOW:
    try:
        X25519PrivateKey.from_private_bytes(PEER).exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(point)))
    except ValueError:
        continue
    raise AssertionError(point)

groups = []
for secret, group in ((SECRET, GROUP), (SECRET, 0), (bytes(32), 2**32 - 1)):
    question_key, answer_key = group_keys(secret, group)
    groups.append({"secret": secret.hex(), "group": group, "question": question_key.hex(), "answer": answer_key.hex()})
peers = []
for private, server, secret in ((PEER, SERVER, SECRET), (draw("another peer", 32), SERVER, bytes(32)), (b"\xff" * 32, PEER, SECRET)):
    own, other = public(private), public(server)
    prove, answer_key = peer_keys(private, other, secret, own, other)
    assert (prove, answer_key) == peer_keys(server, own, secret, own, other)
    peers.append({"private": private.hex(), "public": own.hex(), "serverPrivate": server.hex(), "serverPublic": other.hex(),
                  "secret": secret.hex(), "prove": prove.hex(), "answer": answer_key.hex()})

print(json.dumps({
    "about": "wgsig 2, as docs/protocol-2.md has it. Written by wgsig2.py, which shares nothing with lib/. Bytes are "
    "hexadecimal. `groups` and `peers`: what keys are derived of, and what they are; `lowOrder`: public keys that there "
    "are no keys with. `datagrams`: all of the first group and of the first peer; `key` is what each was sealed with "
    "(question: K_q, answer: K_a, peer: K_r), `asked` the nonce of the question that it belongs to, `payload` what was "
    "sealed, `fields` what is read in it, `proof` whether a proof is right, `canonical` that options stand in the order "
    "COOKIE, KEY, ACK, CANDIDATE, WANT, RELAY, DIRECT, ROSTER or COOKIE, SERVERKEY, OFFERS, ALSO, ROSTER, and nothing is odd. `refused`: what doesn't "
    "open, or opens and means nothing. `first`: requests of the first protocol that have the header of a question.",
    "groups": groups,
    "peers": peers,
    "lowOrder": LOW,
    "datagrams": datagrams,
    "refused": refused,
    "first": first,
}, indent=1))
