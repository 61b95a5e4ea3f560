#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Authentication of notifications, a second time. See README.md beside this file."""

import base64
import hashlib
import hmac
import json
import struct
import sys

NOT_HASHED = {"__hmac__", "__elvin_hmac__", "___elvin_ordered___"}
TYPE_NUMBERS = {"int32": 1, "int64": 2, "real64": 3, "string": 4, "opaque": 5}
PURPOSE = b"muster notification\0"
VERSION = 1


def plain_value(attribute):
    """The value of the JSON form as a Python value."""
    kind, value = attribute["type"], attribute["value"]
    if kind == "int64":
        return int(value)
    if kind == "real64":
        # Python's float() knows the words that JSON has no numbers for.
        return float(value)
    if kind == "opaque":
        return base64.b64decode(value, validate=True)
    return value


def packed(kind, value, order):
    if kind == "int32":
        return struct.pack(order + "i", value)
    if kind == "int64":
        return struct.pack(order + "q", value)
    if kind == "real64":
        return struct.pack(order + "d", value)
    if kind == "string":
        return value.encode("utf-8")
    return value


def legacy_bytes(attributes):
    """Values only, in their order, numbers as in the memory of an x86."""
    out = b""
    for attribute in attributes:
        if attribute["name"] not in NOT_HASHED:
            out += packed(attribute["type"], plain_value(attribute), "<")
    return out


def head_bytes(time_us, nonce):
    return struct.pack(">Bq", VERSION, time_us) + nonce


def canonical_bytes(attributes, head):
    hashed = [a for a in attributes if a["name"] not in NOT_HASHED | {"__auth__"}]
    hashed.sort(key=lambda a: a["name"].encode("utf-8"))
    out = PURPOSE + head + struct.pack(">I", len(hashed))
    for attribute in hashed:
        name = attribute["name"].encode("utf-8")
        value = packed(attribute["type"], plain_value(attribute), ">")
        out += struct.pack(">BI", TYPE_NUMBERS[attribute["type"]], len(name)) + name
        out += struct.pack(">I", len(value)) + value
    return out


def answer(case):
    key = case["key"].encode("ascii")
    attributes = case["notification"]["attributes"]
    head = head_bytes(int(case["time_us"]), bytes.fromhex(case["nonce"]))
    old = legacy_bytes(attributes)
    new = canonical_bytes(attributes, head)
    mac = hmac.new(key, new, hashlib.sha256).digest()
    return {
        "legacy_bytes": old.hex(),
        "hmac_sha1": hmac.new(key, old, hashlib.sha1).hexdigest(),
        "canonical_bytes": new.hex(),
        "auth": (head + mac).hex(),
    }


def selftest():
    text = {"name": "B", "type": "string", "value": "xy"}
    number = {"name": "A", "type": "int32", "value": 1}
    ignored = {"name": "__hmac__", "type": "opaque", "value": "AAAA"}
    assert legacy_bytes([text, ignored, number]).hex() == "787901000000"
    head = head_bytes(2, b"n" * 16)
    assert len(head) == 25
    expected = PURPOSE + head + bytes.fromhex(
        "00000002" "01" "00000001" "41" "00000004" "00000001"
        "04" "00000001" "42" "00000002" "7879"
    )
    assert canonical_bytes([text, ignored, number], head) == expected
    # RFC 2202, case 2, and RFC 4231, case 2: the module is what it says.
    said = b"what do ya want for nothing?"
    assert hmac.new(b"Jefe", said, hashlib.sha1).hexdigest().startswith("effcdf6ae5eb2fa2")
    assert hmac.new(b"Jefe", said, hashlib.sha256).hexdigest().startswith("5bdcc146bf60754e")
    print("ok")


def main():
    if sys.argv[1:] == ["--selftest"]:
        selftest()
        return
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
