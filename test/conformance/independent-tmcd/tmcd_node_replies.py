"""Formats of what a node is told about itself: who, programs, host names."""

from __future__ import annotations

import re
from typing import Any

from tmcd_layout import (
    ANY_PORT,
    FLAG,
    IP,
    NAME,
    NUMBER,
    QUOTED,
    QUOTED_OPEN,
    WORD,
    Context,
    Json,
    Layout,
    Text,
    Value,
    is_ip,
    layout,
    matched,
    one_line,
    one_of,
    single,
)


def no_reply(lines: list[Text], _: Context) -> Any:
    """Commands that never answer."""
    if lines:
        raise lines[0].error("no-reply", "this command never gets a reply", 1)
    return None


def status(lines: list[Text], _: Context) -> Any:
    """Free or allocated; nothing for an unknown node."""
    line = one_line("status", lines)
    if line is None:
        return None
    if line.body == "FREE":
        return {"allocated": False}
    pattern = r"ALLOCATED=([-@\w]+)/([-@\w]+) NICKNAME=([-@\w]+)"
    match = matched("status", pattern, line, "FREE or ALLOCATED=pid/eid NICKNAME=vname")
    return {"allocated": True} | dict(zip(("pid", "eid", "vname"), match.groups(), strict=True))


def nodeid(lines: list[Text], _: Context) -> Any:
    """The bare id."""
    line = one_line("nodeid", lines)
    return line and matched("nodeid", r"[-\w]+", line, "a node id").group()


def role(lines: list[Text], _: Context) -> Any:
    """The bare role word."""
    line = one_line("role", lines)
    return line and matched("role", r"[-\w]+", line, "one role word").group()


def creator(lines: list[Text], context: Context) -> Any:
    """SWAPPER came with version 21."""
    extra = {"SWAPPER": NAME} if context.version >= 21 else {}
    return single(layout("creator", "", CREATOR=NAME, **extra))(lines, context)


def syncserver(lines: list[Text], _: Context) -> Any:
    """The server name is vname, eid, pid and a domain."""
    line = one_line("syncserver", lines)
    if line is None:
        return None
    wanted = layout("syncserver", "SYNCSERVER", SERVER=QUOTED, ISSERVER=FLAG)
    found = wanted.read(line)
    labels = found["SERVER"].split(".")
    if len(labels) < 4 or not all(re.fullmatch(r"[-\w]+", label, re.ASCII) for label in labels):
        raise line.error("syncserver.SERVER", "wanted: vname.eid.pid.domain", 1)
    names = dict(zip(("vname", "eid", "pid"), labels[:3], strict=True))
    return {
        "server": found["SERVER"],
        "is_server": bool(found["ISSERVER"]),
        **names,
        "domain": ".".join(labels[3:]),
    }


def readycount(lines: list[Text], _: Context) -> Any:
    """Not more can be ready than there are."""
    line = one_line("readycount", lines)
    if line is None:
        return None
    found = layout("readycount", "", READY=NUMBER, TOTAL=NUMBER).read(line)
    if found["READY"] > found["TOTAL"]:
        raise line.error("readycount.order", "READY is greater than TOTAL", 1)
    return {"ready": found["READY"], "total": found["TOTAL"]}


def startupcmd(lines: list[Text], _: Context) -> Any:
    """The command may contain quotes, so the last ``' UID=`` counts."""
    line = one_line("startupcmd", lines)
    if line is None:
        return None
    match = matched("startupcmd", r"CMD='(.*)' UID=([-\w]+)", line, "CMD='text' UID=swapper")
    return {"command": match.group(1), "uid": match.group(2)}


def agent_layout(version: int, line: Text) -> Layout:
    """A program line; optional fields are those that it has, in their order."""
    fields: dict[str, Value] = {"AGENT": WORD}
    if version >= 23:
        head = line.body.split("COMMAND='")[0]
        # DIR keeps the braces of the experiment parser, with blanks inside.
        directory = Value(r"\{[^{}]*\}|[^\s{}]+", "word, or braces around blanks")
        number = {"TIMEOUT": NUMBER, "EXPECTED_EXIT_CODE": NUMBER}
        for key, value in ({"DIR": directory} | number).items():
            if f" {key}=" in head:
                fields[key] = value
    if version >= 13:
        fields["COMMAND"] = QUOTED_OPEN
    return layout("programs", "", **fields)


def programs(lines: list[Text], context: Context) -> Any:
    """UID first, then at least one agent: without agents nothing at all."""
    if not lines:
        return None
    uid = layout("programs", "", UID=NAME).read(lines[0])["UID"]
    if len(lines) == 1:
        raise lines[0].error("programs.agents", "a UID line without any AGENT line", 1)
    agents = [agent_layout(context.version, line).read(line) for line in lines[1:]]
    names = [agent["AGENT"] for agent in agents]
    for line, name in zip(lines[1:], names, strict=True):
        if names.count(name) > 1:
            raise line.error("programs.unique", f"agent {name} is there twice", 1)
    return {"uid": uid, "agents": [{k.lower(): v for k, v in one.items()} for one in agents]}


def userenv(lines: list[Text], _: Context) -> Any:
    """Name and value; the order is that of the definitions."""
    found = []
    for line in lines:
        match = matched("userenv", r"([^\s=]+)=(.*)", line, "NAME=value")
        found.append({"name": match.group(1), "value": match.group(2)})
    return found


TRAFGEN = layout(
    "trafgens", "",
    TRAFGEN=WORD,
    MYNAME=Value(r"\S+", "IP address or <vnode>-0",
                 check=lambda t: is_ip(t) or bool(re.fullmatch(r"[-\w]+-0", t, re.ASCII))),
    MYPORT=ANY_PORT, PEERNAME=IP, PEERPORT=ANY_PORT,
    PROTO=one_of("udp", "tcp"), ROLE=one_of("source", "sink"), GENERATOR=one_of("TG", "NSE"),
)  # fmt: skip


def hostnames(lines: list[Text], context: Context) -> Any:
    """Two formats; the aliases must belong to the name."""
    read = host_line if context.version >= 3 else old_host_line
    return [read(line, context) for line in lines]


def host_line(line: Text, context: Context) -> Json:
    """``NAME=v-lan IP= ALIASES='v-port v'``; one blank stands for no bare alias."""
    found = layout("hostnames", "", NAME=NAME, IP=IP, ALIASES=QUOTED).read(line)
    name, aliases = found["NAME"], found["ALIASES"]
    if context.planetlab and not aliases:
        return {"name": name, "ip": found["IP"], "aliases": []}
    match = re.fullmatch(r"([-\w]+)-(\d+) ([-\w]+| )", aliases, re.ASCII)
    if match is None:
        raise line.error("hostnames.ALIASES", "wanted: '<vname>-<port> <vname or one blank>'", 1)
    vname, port, bare = match.groups()
    if bare not in (" ", vname):
        raise line.error("hostnames.bare", f"the bare alias is not {vname}", 1)
    if not name.startswith(f"{vname}-") or name == f"{vname}-":
        raise line.error("hostnames.NAME", f"wanted: {vname}-<lan>", 1)
    return {
        "name": name, "ip": found["IP"], "vname": vname, "lan": name[len(vname) + 1 :],
        "port": int(port), "bare": bare == vname, "aliases": aliases.split(),
    }  # fmt: skip


def old_host_line(line: Text, _: Context) -> Json:
    """Version 2: ``NAME=v LINK=port IP= ALIAS=v`` (or one blank, or nothing)."""
    wanted = {"NAME": NAME, "LINK": NUMBER, "IP": IP, "ALIAS": Value(r"[-\w]+| ?", "name or blank")}
    found = layout("hostnames", "", **wanted).read(line)
    alias = found["ALIAS"].strip()
    if alias not in ("", found["NAME"]):
        raise line.error("hostnames.ALIAS", f"the alias is not {found['NAME']}", 1)
    return {"vname": found["NAME"], "port": found["LINK"], "ip": found["IP"], "bare": bool(alias)}
