#!/usr/bin/env python3
"""Writes probe.json: what two peers send each other, as docs/protocol-2.md has it ("Between peers"),
without a line of lib/. What wgsig2.py has of wgsig 2 is taken from there.

Run it in its folder: python3 probe.py > probe.json
"""

import contextlib
import io
import json
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

with contextlib.redirect_stdout(io.StringIO()):
    from wgsig2 import LAN, LOW, SEEN, candidate, draw, header, public, seal, told_candidate

PROBE, ECHO = 5, 6
SWITCH = 1


def pair_keys(own, other):
    """K and TAG of the holder of `own`, and those of the holder of the public key `other`."""
    mine = public(own)
    shared = X25519PrivateKey.from_private_bytes(own).exchange(X25519PublicKey.from_public_bytes(other))
    info = b"wgsig 2 pair" + min(mine, other) + max(mine, other)
    keys = HKDF(algorithm=SHA256(), length=72, salt=None, info=info).derive(shared)
    smaller, larger = (keys[:32], keys[64:68]), (keys[32:64], keys[68:])
    return (smaller, larger) if mine < other else (larger, smaller)


PRIVATE = [draw(f"pair {i}", 32) for i in range(4)]
pairs = []
for a, b in ((0, 1), (2, 3), (3, 0)):
    (k_a, tag_a), (k_b, tag_b) = pair_keys(PRIVATE[a], public(PRIVATE[b]))
    assert pair_keys(PRIVATE[b], public(PRIVATE[a])) == ((k_b, tag_b), (k_a, tag_a))
    pairs.append({"keys": [
        {"private": PRIVATE[of].hex(), "public": public(PRIVATE[of]).hex(), "key": key.hex(),
         "tag": int.from_bytes(tag, "big")}
        for of, key, tag in ((a, k_a, tag_a), (b, k_b, tag_b))
    ]})
assert len({pair["keys"][0]["public"] < pair["keys"][1]["public"] for pair in pairs}) == 2

SIDES = pair_keys(PRIVATE[0], public(PRIVATE[1]))
datagrams = []


def made(kind, sender, nonce, plain, asked):
    key, tag = SIDES[sender]
    head = header(kind, int.from_bytes(tag, "big"), nonce)
    return head + seal(key, nonce, head + asked, plain + bytes(28 - len(plain)))


def nonce_for(name, sender):
    """One that makes no first byte of WireGuard's."""
    for i in range(9):
        nonce = draw(f"nonce {i} of {name}", 24)
        if not 1 <= nonce[0] ^ SIDES[sender][1][0] <= 4:
            return nonce
    raise AssertionError(name)


def put(name, kind, sender, plain, fields, asked=None, nonce=None, canonical=True):
    nonce = nonce or nonce_for(name, sender)
    datagram = made(kind, sender, nonce, plain, asked or b"")
    assert len(datagram) == 76
    datagrams.append({
        "name": name, "type": kind, "sender": sender, "nonce": nonce.hex(),
        "asked": None if asked is None else asked.hex(), "datagram": datagram.hex(), "canonical": canonical,
        "fields": fields,
    })
    return nonce


def probe(name, sender, flags, counter, token, more=b""):
    plain = bytes([flags]) + struct.pack(">Q", counter) + token + more
    fields = {"flags": flags, "counter": counter, "token": token.hex()}
    return put(name, PROBE, sender, plain, fields, canonical=more == b"")


def echo(name, sender, asked, flags, token, seen, more=b""):
    plain = bytes([flags]) + token + candidate(*seen) + more
    fields = {"flags": flags, "token": token.hex(), "seen": told_candidate(*seen)}
    return put(name, ECHO, sender, plain, fields, asked, canonical=more == b"")


TOKENS = [draw(f"token {i}", 8) for i in range(2)]
first = probe("a first probe", 0, 0, 1, bytes(8))
probe("a probe of the other side", 1, 0, 2**53 - 1, TOKENS[0])
switch = probe("a probe that switches", 0, SWITCH, 2, TOKENS[1])
probe("a probe with what nobody knows", 1, 0xFE, 2**32, TOKENS[0], b"more")
echo("an echo", 1, first, 0, TOKENS[1], (SEEN, "203.0.113.5", 51820))
echo("an echo over IPv6", 1, switch, SWITCH, TOKENS[1], (SEEN, "2001:db8:1::5", 65535))
echo("an echo with what nobody knows", 0, first, 0x81, TOKENS[0], (SEEN, "10.0.0.1", 1), b"more")

refused = []


def refuse(name, kind, sender, datagram, asked=None):
    refused.append({"name": name, "type": kind, "sender": sender,
                    "asked": None if asked is None else asked.hex(), "datagram": datagram.hex()})


def by_name(name):
    return bytes.fromhex(next(each["datagram"] for each in datagrams if each["name"] == name))


def changed(name, at):
    bytes_ = bytearray(by_name(name))
    bytes_[at] ^= 0x40
    return bytes(bytes_)


for at in (0, 9, 32, 59, 60, 75):
    refuse(f"a probe with another byte at {at}", PROBE, 0, changed("a first probe", at))
    refuse(f"an echo with another byte at {at}", ECHO, 1, changed("an echo", at), first)
refuse("an echo of another probe", ECHO, 1, by_name("an echo"), switch)
refuse("a probe that is sent back", PROBE, 1, by_name("a first probe"))
refuse("an echo as a probe", PROBE, 1, by_name("an echo"))
refuse("a probe as an echo", ECHO, 0, by_name("a first probe"), first)
refuse("a shortened probe", PROBE, 0, by_name("a first probe")[:-1])
refuse("a longer probe", PROBE, 0, by_name("a first probe") + b"\0")
nonce = draw("nonce of what begins as WireGuard", 24)
for byte in range(1, 5):
    begins = bytes([SIDES[0][1][0] ^ byte]) + nonce[1:]
    refuse(f"a probe that begins with {byte}", PROBE, 0, made(PROBE, 0, begins, bytes(17), b""))
nonce = nonce_for("what means nothing", 0)
refuse("a probe whose counter is too large", PROBE, 0,
       made(PROBE, 0, nonce, b"\0" + struct.pack(">Q", 2**53), b""))
for name, seen in (("is none", bytes(19)), ("is of a LAN", candidate(LAN, "10.0.0.1", 1)),
                   ("is IPv4 as IPv6", candidate(SEEN, "::ffff:10.0.0.1", 1)),
                   ("is of family 5", b"\x15" + bytes(18))):
    refuse(f"an echo whose SEEN {name}", ECHO, 0, made(ECHO, 0, nonce, bytes(9) + seen, first), first)

print(json.dumps({
    "about": "What two peers send each other, as docs/protocol-2.md has it. Written by probe.py, which shares nothing "
    "with lib/. Bytes are hexadecimal. `pairs`: key pairs of two peers, and with which key and tag each of them sends; "
    "`lowOrder`: public keys that there are no keys with. `datagrams`: all of the first pair; `sender` is which of the "
    "two has sent it, `asked` the nonce of the probe that an echo belongs to, `canonical` that nothing follows what is "
    "known. `refused`: what doesn't open, or opens and means nothing.",
    "pairs": pairs,
    "lowOrder": LOW,
    "datagrams": datagrams,
    "refused": refused,
}, indent=1))
