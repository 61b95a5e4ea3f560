"""Formats of what a node is told about its network: interfaces, shaping, routes."""

from __future__ import annotations

import ipaddress
from typing import Any

from tmcd_layout import (
    BLANKLESS,
    CHANCE,
    DOTTED,
    EMPTY,
    FLAG,
    IP,
    MAC,
    MASK,
    MBPS,
    NAME,
    NUMBER,
    QUOTED,
    QUOTED_OPEN,
    WORD,
    Context,
    Json,
    Text,
    Value,
    keys,
    layout,
    one_of,
)

# In the order in which the kinds must come.
INTERFACES = (
    ("physical", layout(
        "ifconfig.physical", "INTERFACE", IFACETYPE=NAME, INET=IP, MASK=MASK, MAC=MAC,
        SPEED=MBPS, DUPLEX=one_of("full", "half"), IFACE=BLANKLESS, RTABID=NUMBER, LAN=WORD)),
    ("setting", layout(
        "ifconfig.setting", "INTERFACE_SETTING", MAC=MAC, KEY=QUOTED, VAL=QUOTED_OPEN)),
    ("carrier", layout(
        "ifconfig.carrier", "INTERFACE", IFACETYPE=NAME, INET=EMPTY, MASK=EMPTY, MAC=MAC,
        SPEED=MBPS, DUPLEX=one_of("full", "half"), IFACE=EMPTY, RTABID=EMPTY, LAN=EMPTY)),
    ("virtual", layout(
        "ifconfig.virtual", "INTERFACE", IFACETYPE=NAME, INET=IP, MASK=MASK, ID=NUMBER, VMAC=MAC,
        PMAC=Value(r"none|[0-9a-fA-F]{12}", "12 hex digits or none"), RTABID=NUMBER,
        ENCAPSULATE=FLAG, LAN=WORD, VTAG=NUMBER)),
)  # fmt: skip


def interface_kind(line: Text) -> int:
    """Which of ``INTERFACES`` a line claims to be."""
    if line.body.startswith("INTERFACE_SETTING "):
        return 1
    if " VMAC=" in line.body:
        return 3
    return 2 if " INET= " in line.body else 0


def ifconfig(lines: list[Text], context: Context) -> Any:
    """Physical, settings, carriers, virtual, in this order."""
    found: list[Json] = []
    reached = 0
    for line in lines:
        kind = interface_kind(line)
        name, wanted = INTERFACES[kind]
        values = wanted.read(line)
        if kind < reached:
            raise line.error("ifconfig.order", f"a {name} line after {INTERFACES[reached][0]}", 1)
        if name == "carrier" and context.caller == "virtual":
            raise line.error("ifconfig.carrier", "virtual callers get no carriers", 1)
        if values.get("IFACETYPE") == "veth-ne":
            raise line.error("ifconfig.IFACETYPE", "veth-ne is sent as veth", 1)
        reached = kind
        found.append({"kind": name} | values)
    return found


QUEUE = (
    "LIMIT MAXTHRESH MINTHRESH WEIGHT LINTERM QINBYTES BYTES"
    " MEANPSIZE WAIT SETBIT DROPTAIL GENTLE"
)


def queue(suffix: str) -> dict[str, Value]:
    """The twelve queue parameters."""
    return {f"{key}{suffix}": DOTTED if key == "WEIGHT" else NUMBER for key in QUEUE.split()}


def pipe(form: str) -> dict[str, Value]:
    """Pipe number, delay in ms, kbit/s and loss."""
    kinds = (("PIPE", NUMBER), ("DELAY", DOTTED), ("BW", NUMBER), ("PLR", CHANCE))
    return {form.format(key): value for key, value in kinds}


DELAY = layout(
    "delay", "DELAY", **keys("INT0 INT1", MAC), **pipe("{}0"), **pipe("{}1"),
    LINKNAME=WORD, **keys("RED0 RED1", FLAG), **queue("0"), **queue("1"),
    **keys("VNODE0 VNODE1", WORD), NOSHAPING=FLAG, **keys("BACKFILL0 BACKFILL1", NUMBER),
)  # fmt: skip
LINKDELAY = layout(
    "linkdelay", "LINKDELAY", IFACE=MAC, TYPE=one_of("simplex", "duplex"), LINKNAME=WORD,
    VNODE=WORD, INET=IP, MASK=MASK, **pipe("{}"), **pipe("R{}"), RED=FLAG, **queue(""),
)  # fmt: skip


def routing(lines: list[Text], context: Context) -> Any:
    """Router type, then routes, but none for static routing since version 19."""
    if not lines:
        return None
    types = one_of("none", "ospf", "static", "manual", "static-ddijk", "static-old")
    router = layout("routing", "", ROUTERTYPE=types).read(lines[0])["ROUTERTYPE"]
    if router == "static" and context.version >= 19 and len(lines) > 1:
        raise lines[1].error("routing.static", "routes with static routing", 1)
    return {"router": router, "routes": [route(line, context) for line in lines[1:]]}


def route(line: Text, context: Context) -> Json:
    """One route; net destinations come masked."""
    source = {"SRC": IP} if context.version >= 12 else {}
    kinds = {"DESTTYPE": one_of("host", "net"), "DESTMASK": MASK, "NEXTHOP": IP, "COST": NUMBER}
    found = layout("routing", "ROUTE", DEST=IP, **kinds, **source).read(line)
    parts = (int(ipaddress.IPv4Address(found[key])) for key in ("DEST", "DESTMASK"))
    destination, mask = parts
    if found["DESTTYPE"] == "net" and destination & ~mask:
        raise line.error("routing.DEST", "a net destination with host bits", 1)
    return found
