#!/usr/bin/env python3
"""Writes roster.json: how a peer joins, and what it is told of the roster, as docs/protocol-2.md has
it ("Joining", "The roster"), without a line of lib/. What wgsig2.py has of wgsig 2 is taken from there.

Run it in its folder: python3 roster.py > roster.json
"""

import base64
import contextlib
import hashlib
import hmac
import io
import ipaddress
import json
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

with contextlib.redirect_stdout(io.StringIO()):
    from wgsig2 import (GROUP, K_P, K_Q, K_R, LOW, NOW, OTHERS, PEER, PEER_PUBLIC, SECRET, SERVER, SERVER_PUBLIC,
                        draw, header, label, option, public, seal)

JOIN, JOINED, QUESTION, ANSWER = 7, 8, 9, 10
NAME, ADDRESS = 1, 2


def hkdf(ikm, salt, info, size):
    return HKDF(algorithm=SHA256(), length=size, salt=salt, info=info).derive(ikm)


def token_keys(token, server):
    out = hkdf(token, None, b"wgsig 2 join" + server, 36)
    return out[:32], int.from_bytes(out[32:], "big")


def join_keys(own, other, token, peer, server):
    shared = X25519PrivateKey.from_private_bytes(own).exchange(X25519PublicKey.from_public_bytes(other))
    out = hkdf(shared, token, b"wgsig 2 join peer" + peer + server, 64)
    return out[:32], out[32:]


def prefix(text):
    interface = ipaddress.ip_interface(text)
    return bytes([interface.version, interface.network.prefixlen]) + interface.ip.packed


def told_prefix(text):
    interface = ipaddress.ip_interface(text)
    return {"address": interface.ip.packed.hex(), "length": interface.network.prefixlen}


def proved(key, head, plain, is_right):
    proof = hmac.new(key, head + plain, hashlib.sha256).digest()[:16]
    return plain + (proof if is_right else bytes(byte ^ 1 for byte in proof))


TOKENS = [draw(f"token {i}", 16) for i in range(3)] + [bytes(16), b"\xff" * 16]
tokens = []
for token, server in [(TOKENS[0], SERVER_PUBLIC), (TOKENS[1], SERVER_PUBLIC), (TOKENS[0], PEER_PUBLIC),
                      (TOKENS[3], OTHERS[0]), (TOKENS[4], OTHERS[1])]:
    key, tag = token_keys(token, server)
    tokens.append({"token": token.hex(), "server": server.hex(), "join": key.hex(), "tag": tag})
pairs = []
for peer, server, token in [(PEER, SERVER, TOKENS[0]), (SERVER, PEER, TOKENS[1]), (draw("third", 32), SERVER, TOKENS[3])]:
    own, other = public(peer), public(server)
    prove, answer = join_keys(peer, other, token, own, other)
    assert (prove, answer) == join_keys(server, own, token, own, other)
    pairs.append({"private": peer.hex(), "public": own.hex(), "serverPrivate": server.hex(), "serverPublic": other.hex(),
                  "token": token.hex(), "prove": prove.hex(), "answer": answer.hex()})

links = []
for host, port, token in [("vps.example.com", 1223, TOKENS[0]), ("vps.example.com", 443, TOKENS[1]),
                          ("192.0.2.1", 1223, TOKENS[3]), ("2001:db8::1", 1224, TOKENS[4]), ("::1", 1223, TOKENS[2])]:
    told = f"[{host}]" if ":" in host else host
    told += "" if port == 1223 else f":{port}"
    code = SERVER_PUBLIC + token
    code += hashlib.sha256(code).digest()[:3]
    text = f"wgsig://{told}/{base64.urlsafe_b64encode(code).decode()}"
    links.append({"host": host, "port": port, "serverKey": SERVER_PUBLIC.hex(), "token": token.hex(), "link": text})

K_T, TAG = token_keys(TOKENS[0], SERVER_PUBLIC)
K_JP, K_JR = join_keys(PEER, SERVER_PUBLIC, TOKENS[0], PEER_PUBLIC, SERVER_PUBLIC)
KEYS = {"token": K_T, "join": K_JR, "question": K_Q, "peer": K_R}
PROVE = {JOIN: K_JP, QUESTION: K_P}
NUMBER = {JOIN: TAG, JOINED: TAG, QUESTION: GROUP, ANSWER: GROUP}
datagrams, refused = [], []


def made(name, kind, key, plain, asked, proof):
    nonce = draw(f"nonce of {name}", 24)
    head = header(kind, NUMBER[kind], nonce)
    if proof is not None:
        plain = proved(PROVE[kind], head, plain, proof)
    return nonce, head + seal(KEYS[key], nonce, head + (asked or b""), plain)


def put(name, kind, key, plain, fields, asked=None, proof=None, canonical=True):
    nonce, datagram = made(name, kind, key, plain, asked, proof)
    datagrams.append({"name": name, "type": kind, "number": NUMBER[kind], "nonce": nonce.hex(),
                      "asked": None if asked is None else asked.hex(), "key": key, "proof": proof,
                      "canonical": canonical, "datagram": datagram.hex(), "fields": fields})
    return nonce


def refuse(name, kind, key, plain, asked=None, proof=None):
    _, datagram = made(name, kind, key, plain, asked, proof)
    refused.append({"name": name, "type": kind, "asked": None if asked is None else asked.hex(), "key": key,
                    "datagram": datagram.hex()})


JOIN_PLAIN = 512 - 32 - 16 - 16
asked_join = put("a join", JOIN, "token", PEER_PUBLIC + bytes(JOIN_PLAIN - 32), {"key": PEER_PUBLIC.hex()}, proof=True)
put("a join whose proof is wrong", JOIN, "token", PEER_PUBLIC + bytes(JOIN_PLAIN - 32), {"key": PEER_PUBLIC.hex()}, proof=False)
put("a join with an option that nobody knows", JOIN, "token",
    PEER_PUBLIC + option(9, b"what") + bytes(JOIN_PLAIN - 32 - 6), {"key": PEER_PUBLIC.hex()}, proof=True, canonical=False)
refuse("a join that ends in an option", JOIN, "token", PEER_PUBLIC + bytes(JOIN_PLAIN - 34) + b"\x09\x02", proof=True)
refuse("a join of 511 bytes", JOIN, "token", PEER_PUBLIC + bytes(JOIN_PLAIN - 33), proof=True)


def joined(name, result, *, secret=bytes(32), group=0, options=b"", told_name=None, addresses=(), canonical=True):
    plain = bytes([result]) + label(NOW, 7) + struct.pack(">I", group) + secret + options
    fields = {"result": result, "seconds": NOW, "nanoseconds": 7, "group": group, "secret": secret.hex(),
              "name": told_name, "addresses": [told_prefix(each) for each in addresses]}
    return put(name, JOINED, "join", plain, fields, asked=asked_join, canonical=canonical)


HOME = ("10.9.0.2/24", "fd00:9::2/64")
given = option(NAME, b"cabin") + b"".join(option(ADDRESS, prefix(each)) for each in HOME)
joined("who joined is told all it needs", 0, secret=SECRET, group=GROUP, options=given, told_name="cabin", addresses=HOME)
many = [f"10.9.{i}.1/32" for i in range(8)]
long = "ß" * 31 + "x"
joined("the longest name and the most addresses", 0, secret=SECRET, group=2**32 - 1, told_name=long, addresses=many,
       options=option(NAME, long.encode()) + b"".join(option(ADDRESS, prefix(each)) for each in many))
for result, why in enumerate(["used", "ended", "revoked", "busy"], 1):
    joined(f"an invitation that is {why}", result)
joined("a result that nobody knows, and options that are odd", 77, told_name="x", addresses=["10.9.0.2/24"], canonical=False,
       options=bytes(2) + option(9, b"?") + option(NAME, b"y") + option(ADDRESS, b"\x05\x08aaaa")
       + option(ADDRESS, b"\x04\x21aaaa") + option(ADDRESS, b"\x04") + option(ADDRESS, b"\x06\x08aaaa")
       + option(ADDRESS, prefix("10.9.0.2/24") + b"more") + option(NAME, b"x"))
plain = bytes([0]) + label(NOW, 7) + struct.pack(">I", GROUP) + SECRET
refuse("an answer to a join that ends in its secret", JOINED, "join", plain[:-1], asked=asked_join)
refuse("an answer to a join that ends in an option", JOINED, "join", plain + b"\x01\x05home", asked=asked_join)
refuse("an answer to a join whose name is empty", JOINED, "join", plain + option(NAME, b""), asked=asked_join)
refuse("an answer to a join whose name is too long", JOINED, "join", plain + option(NAME, b"x" * 64), asked=asked_join)
refuse("an answer to a join whose name is no UTF-8", JOINED, "join", plain + option(NAME, b"\xc3("), asked=asked_join)
refuse("an answer to a join whose name has a newline", JOINED, "join", plain + option(NAME, b"a\nb"), asked=asked_join)
refuse("an answer to a join whose name ends with a space", JOINED, "join", plain + option(NAME, b"a "), asked=asked_join)
refuse("an answer to a join whose time is none", JOINED, "join", b"\0\x80" + plain[2:], asked=asked_join)

QUESTION_PLAIN = 1232 - 32 - 16 - 16


def asks(name, version, flags, *, proof=True, told=None, canonical=True, rest=b""):
    plain = PEER_PUBLIC + struct.pack(">QB", version, flags) + rest
    plain += bytes(QUESTION_PLAIN - len(plain))
    fields = {"id": PEER_PUBLIC.hex(), "from": version if told is None else told, "flags": flags}
    return put(name, QUESTION, "question", plain, fields, proof=proof, canonical=canonical)


asked = asks("who knows nothing asks for the roster", 0, 0)
asks("who was told the beginning asks on", NOW * 1000 + 5, 1)
asks("a question about the roster whose proof is wrong", 3, 0, proof=False)
asks("a question about the roster with a version that is too large", 2**53, 0xff, told=0, canonical=False)
asks("a question about the roster with more than anybody knows", 2**53 - 1, 0, canonical=False, rest=b"more")
refuse("a question about the roster of 1231 bytes", QUESTION, "question", bytes(QUESTION_PLAIN - 1), proof=True)


def entry(key, name, prefixes, via=None, flags=0):
    named = name.encode()
    out = key + bytes([flags, len(named)]) + named
    out += b"\0" if via is None else b"\1" + via
    return out + bytes([len(prefixes)]) + b"".join(prefix(each) for each in prefixes)


def told_entry(key, name, prefixes, via=None, flags=0):
    return {"key": key.hex(), "isGone": bool(flags & 1), "name": name, "via": None if via is None else via.hex(),
            "prefixes": [told_prefix(each) for each in prefixes]}


def tells(name, version, now, flags, entries, canonical=True):
    plain = struct.pack(">QQB", version, now, flags) + b"".join(entry(*each) for each in entries)
    fields = {"version": version, "now": now, "flags": flags, "entries": [told_entry(*each) for each in entries]}
    return put(name, ANSWER, "peer", plain, fields, asked=asked, canonical=canonical)


tells("a roster without entries", 0, 0, 1, [])
tells("a roster of three, and one that is gone", NOW * 1000, NOW * 1000, 0, [
    (OTHERS[0], "cabin", ["10.9.0.2/32", "fd00:9::2/128"]),
    (OTHERS[1], "Zoë's phone", ["10.9.0.3/32"], OTHERS[0]),
    (OTHERS[2], "x", []),
    (OTHERS[3], "", [], None, 1),
])
tells("a roster of entries of the largest size", 5, 2**53 - 1, 1,
      [(each, "n" * 63, [f"fd00:{i}::/{i + 100}" for i in range(16)], OTHERS[9]) for each in OTHERS[:2]])
tells("an entry with flags that nobody knows", 5, 5, 0x80, [(OTHERS[0], "a", ["10.9.0.2/32"], None, 0xfe)], canonical=False)
start = struct.pack(">QQB", 5, 5, 0)
whole = entry(OTHERS[0], "cabin", ["10.9.0.2/32"], OTHERS[1])
for size in (0, 32, 33, 35, 39, 40, 60, 72, 73, 74, len(whole) - 1):
    refuse(f"an entry that ends after {size} bytes", ANSWER, "peer",
           start + whole[:size] if size else start[:-1], asked=asked)
for name, bad in [
    ("an entry without a name", entry(OTHERS[0], "", [])),
    ("an entry that is gone and has a name", entry(OTHERS[0], "a", [], None, 1)),
    ("an entry that is gone and has a prefix", entry(OTHERS[0], "", ["10.0.0.0/8"], None, 1)),
    ("an entry whose name is too long", entry(OTHERS[0], "a" * 64, [])),
    ("an entry with 17 prefixes", entry(OTHERS[0], "a", ["10.0.0.0/8"] * 17)),
    ("an entry with a prefix of 33 bits", entry(OTHERS[0], "a", ["10.0.0.0/8"]).replace(b"\x04\x08\x0a", b"\x04\x21\x0a")),
    ("an entry with a family that nobody knows", entry(OTHERS[0], "a", ["10.0.0.0/8"]).replace(b"\x04\x08\x0a", b"\x05\x08\x0a")),
    ("an entry whose VIA is 2", OTHERS[0] + b"\0\1a\2\0"),
]:
    refuse(name, ANSWER, "peer", start + bad, asked=asked)
refuse("a roster whose version is too large", ANSWER, "peer", struct.pack(">QQB", 2**53, 5, 0), asked=asked)
refuse("a roster that is at a version that is too large", ANSWER, "peer", struct.pack(">QQB", 5, 2**53, 0), asked=asked)

print(json.dumps({
    "about": "Joining and the roster, as docs/protocol-2.md has them. Written by roster.py, which shares nothing with "
    "lib/. Bytes are hexadecimal. `tokens` and `pairs`: what keys are derived of, and what they are; `links`: links and "
    "what they say; `lowOrder`: public keys that there are no keys with. `datagrams`: `number` is what stands in the place "
    "of GROUP, `key` what each was sealed with (token: K_t, join: K_jr, question: K_q, peer: K_r; the last two are those of "
    "wgsig2.json), `asked` the nonce of the question that it belongs to, `proof` whether a proof is right, `canonical` that "
    "nothing is odd. `refused`: what opens and means nothing.",
    "tokens": tokens,
    "pairs": pairs,
    "links": links,
    "lowOrder": LOW,
    "prove": {"join": K_JP.hex(), "question": K_P.hex()},
    "keys": {name: key.hex() for name, key in KEYS.items()},
    "datagrams": datagrams,
    "refused": refused,
}, indent=1))
