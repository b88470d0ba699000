#!/usr/bin/env python3
"""Writes tsig.json: DNS messages with a TSIG (RFC 8945) as dnspython signs them, and as dig, kdig and
nsupdate do, which dnspython then checks. Nothing of lib/ is used.

Debian's python3-dnspython, bind9-dnsutils and knot-dnsutils. Run it in its folder:
/usr/bin/python3 tsig.py > tsig.json
"""

import base64
import json
import socket
import struct
import subprocess
import sys
from unittest import mock

import dns.edns
import dns.flags
import dns.message
import dns.rrset
import dns.tsig
import dns.update
import dns.version

NOW = 1_700_000_000
SECRETS = {
    "wg.example.com": bytes(range(32)),
    "Short.Key.example": bytes(range(100, 116)),
    "long-key.example": bytes(range(64)),
    "middle.example": bytes(range(7, 7 + 48)),
}
KEYS = {name: dns.tsig.Key(name, secret) for name, secret in SECRETS.items()}
KEY = KEYS["wg.example.com"]
LIST = "_wireguard._udp.wg.example.com"
messages = []


def record(name, program, wire, message, request_mac=b""):
    tsig = message.tsig[0]
    messages.append({
        "name": name,
        "program": program,
        "key": message.keyname.to_text(omit_final_dot=True),
        "requestMac": request_mac.hex(),
        "message": wire.hex(),
        "time": tsig.time_signed,
        "fudge": tsig.fudge,
        "mac": tsig.mac.hex(),
        "originalId": tsig.original_id,
        "error": tsig.error,
        "other": tsig.other.hex(),
    })
    return tsig.mac


def made(name, message, key=KEY, request_mac=b"", **tsig):
    message.id = 0x1234
    message.use_tsig(key, **{"original_id": message.id, **tsig})
    message.request_mac = request_mac
    with mock.patch("time.time", return_value=NOW):
        wire = message.to_wire(max_size=65535)
    return record(name, "dnspython " + dns.version.version, wire, message, request_mac)


def answer_to(name, kind):
    answer = dns.message.make_response(dns.message.make_query(name, kind))
    answer.flags |= dns.flags.AA
    return answer


for name, key in KEYS.items():
    mac = made(f"a question with the key {name}", dns.message.make_query(LIST, "PTR"), key)
    answer = answer_to(LIST, "PTR")
    answer.answer.append(dns.rrset.from_text(LIST + ".", 0, "IN", "PTR", "a." + LIST + "."))
    made(f"an answer with the key {name}", answer, key, mac)

mac = made("a question with an OPT", dns.message.make_query(
    "wg.example.com", "SOA", use_edns=0, want_dnssec=True,
    options=[dns.edns.GenericOption(10, bytes(8))]))
made("an answer that says BADTIME", answer_to("wg.example.com", "SOA"), KEY, mac,
     tsig_error=18, other_data=struct.pack("!HI", 0, NOW + 3600))
made("a question with another fudge", dns.message.make_query("wg.example.com", "SOA"), fudge=17)
made("a question with another ID than it was signed with",
     dns.message.make_query("wg.example.com", "SOA"), original_id=0x9876)
update = dns.update.UpdateMessage("wg.example.com")
update.add("new", 300, "A", "192.0.2.1")
made("an update", update)
long = answer_to("wg.example.com", "TXT")
long.answer.append(dns.rrset.from_text_list(
    "wg.example.com.", 60, "IN", "TXT", [f'"{i:02d}{"x" * 200}"' for i in range(12)]))
made("a long answer", long, KEY, mac)

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(5)
    port = str(listener.getsockname()[1])
    given = "hmac-sha256:wg.example.com:" + base64.b64encode(KEY.secret).decode()

    def sent(name, command, version_flag, stdin=""):
        version = subprocess.run([command[0], version_flag], capture_output=True, text=True)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, text=True)
        try:
            process.stdin.write(stdin)
            process.stdin.close()
            wire = listener.recv(65535)
        finally:
            process.kill()
            process.wait()
        # It throws where the MAC isn't right.
        read = dns.message.from_wire(wire, keyring={KEY.name: KEY})
        record(name, (version.stdout + version.stderr).strip(), wire, read)

    asked = ["-y", given, "-p", port, "@127.0.0.1", "wg.example.com", "SOA"]
    sent("what dig asks", ["dig", "+tries=1", *asked], "-v")
    sent("what kdig asks", ["kdig", "+retry=0", *asked], "-V")
    sent("what nsupdate sends", ["nsupdate", "-y", given], "-V",
         f"server 127.0.0.1 {port}\nzone wg.example.com\n"
         "update add new.wg.example.com 300 A 192.0.2.1\nsend\n")

json.dump({
    "secrets": {name.lower(): secret.hex() for name, secret in SECRETS.items()},
    "messages": messages,
}, sys.stdout, indent=1)
print()
