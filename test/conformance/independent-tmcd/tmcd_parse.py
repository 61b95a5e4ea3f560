#!/usr/bin/env python3
"""Strict parsers of the replies of the node configuration service.

Text in, JSON out.  Whatever is not in the documented format is an error that
names the rule it breaks: the client patterns of the original are lenient, and
a lenient check would let an implementation drift.

Usage:  tmcd_parse.py COMMAND [--version N] < reply
Prints one JSON object; exit status 0 parsed, 1 not in the format, 2 misuse.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tmcd_table import BY_WORD, TABLE

CURRENT_VERSION = 34
OLDEST_VERSION = 2
LINE_BUFFER = 2047
CLIENT_UDP_READ = 2047
Json = dict[str, Any]


class FormatError(Exception):
    """A reply breaks a rule of its format."""

    def __init__(self, rule: str, text: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule, self.text, self.line, self.column = rule, text, line, column

    def described(self) -> Json:
        """As it is printed; lines and columns count from 1, 0 is the whole."""
        return {"rule": self.rule, "line": self.line, "column": self.column, "text": self.text}


class UnknownFormat(Exception):
    """The command has no documented format."""


@dataclass(frozen=True)
class Context:
    """What a format may depend on besides the reply."""

    version: int = CURRENT_VERSION
    caller: str | None = None  # physical or virtual; None: not checked
    remote_plain: bool = False
    planetlab: bool = False


@dataclass(frozen=True)
class Text:
    """One line and where it stands."""

    number: int
    body: str

    def error(self, rule: str, text: str, column: int = 0) -> FormatError:
        """A complaint about this line."""
        return FormatError(rule, text, self.number, column)


# -- values ------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """A kind of value: where it ends, what it becomes, and its name."""

    pattern: str
    name: str
    convert: Callable[[str], Any] = str
    check: Callable[[str], bool] = lambda text: True


def is_ip(text: str) -> bool:
    """Dotted quad without leading zeros."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def is_mask(text: str) -> bool:
    """Ones, then zeros."""
    return is_ip(text) and "01" not in f"{int(ipaddress.IPv4Address(text)):032b}"


def up_to(limit: int) -> Callable[[str], bool]:
    """A number that is not above the limit."""
    return lambda text: int(text) <= limit


def one_of(*words: str) -> Value:
    """One of these words."""
    return Value(r"[^\s]*", "|".join(words), check=lambda text: text in words)


def strip(count: int) -> Callable[[str], str]:
    """Take quotes off both ends."""
    return lambda text: text[count:-count]


WORD = Value(r"\S+", "word")
NAME = Value(r"[-\w]+", "name of letters, digits, - and _")
NUMBER = Value(r"\d+", "decimal digits", int)
SIGNED = Value(r"-1|\d+", "decimal digits or -1", int)
DOTTED = Value(r"\d+(?:\.\d+)?", "digits with at most one dot", float)
CHANCE = Value(r"\d+(?:\.\d+)?", "number from 0 to 1", float, lambda text: float(text) <= 1)
FLAG = Value(r"[01]", "0 or 1", int)
PORT = Value(r"\d+", "port from 1 to 65535", int, lambda text: 0 < int(text) < 65536)
ANY_PORT = Value(r"\d+", "port from 0 to 65535", int, up_to(65535))
IP = Value(r"[\d.]+", "IP address", check=is_ip)
MASK = Value(r"[\d.]+", "netmask", check=is_mask)
MAC = Value(r"[0-9a-fA-F]+", "12 hex digits", str.lower, lambda text: len(text) == 12)
MD5 = Value(r"[0-9a-f]+", "32 hex digits", check=lambda text: len(text) == 32)
MBPS = Value(r"\d+Mbps", "digits and Mbps", lambda text: int(text[:-4]))
PATH = Value(r"\S+", "path")
EMPTY = Value("", "nothing", lambda text: None)
REST = Value(r".*", "rest of the line")
BLANKLESS = Value(r"\S*", "word or nothing")
QUOTED = Value(r"'[^']*'", "text in single quotes", strip(1))
QUOTED_OPEN = Value(r"'.*'", "text in single quotes, up to the last one", strip(1))
QUOTED_MD5 = Value(r"'[0-9a-f]{32}'", "32 hex digits in single quotes", strip(1))
QUOTED_WORD = Value(r"'\w+'", "letters and digits in single quotes", strip(1))
DOUBLE = Value(r'"[^"]*"', "text in double quotes", strip(1))


# -- lines -------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """A line: ``head`` words, then ``KEY=value`` fields with one blank between."""

    rule: str
    head: str
    fields: tuple[tuple[str, Value], ...]

    def begins(self, line: Text) -> bool:
        """Whether the line claims to be of this kind."""
        first = f"{self.head} " if self.head else f"{self.fields[0][0]}="
        return line.body.startswith(first)

    def read(self, line: Text) -> Json:
        """The fields in their order, nothing missing, nothing besides."""
        if not self.begins(line):
            wanted = self.head or f"{self.fields[0][0]}="
            raise line.error(self.rule, f"line must begin with {wanted}", 1)
        at = len(self.head) + 1 if self.head else 0
        found: Json = {}
        for number, (key, value) in enumerate(self.fields):
            if number:
                at = self._blank(line, at, key)
            at = self._field(line, at, key, value, found)
        if at != len(line.body):
            raise line.error(self.rule, "line goes on after its last field", at + 1)
        return found

    def _blank(self, line: Text, at: int, key: str) -> int:
        if line.body[at : at + 1] != " ":
            raise line.error(f"{self.rule}.{key}", f"one blank wanted before {key}=", at + 1)
        return at + 1

    def _field(self, line: Text, at: int, key: str, value: Value, found: Json) -> int:
        rule = f"{self.rule}.{key}"
        if not line.body.startswith(f"{key}=", at):
            raise line.error(rule, f"{key}= wanted here", at + 1)
        at += len(key) + 1
        match = re.compile(value.pattern, re.ASCII).match(line.body, at)
        if match is None or not value.check(match.group()):
            raise line.error(rule, f"{value.name} wanted", at + 1)
        found[key] = value.convert(match.group())
        return match.end()


def layout(rule: str, head: str, /, **values: Value) -> Layout:
    """A layout from keywords, in their order."""
    return Layout(rule, head, tuple(values.items()))


def keys(names: str, value: Value) -> dict[str, Value]:
    """Several fields of one kind."""
    return dict.fromkeys(names.split(), value)


def split_lines(reply: bytes, rule: str = "reply") -> list[Text]:
    """Lines of a reply; every line ends with a newline, the last one too."""
    if b"\0" in reply:
        raise FormatError(f"{rule}.nul", "a NUL byte in a text line")
    if reply and not reply.endswith(b"\n"):
        raise FormatError(f"{rule}.newline", "the last line does not end with a newline")
    try:
        text = reply.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise FormatError(f"{rule}.utf8", str(problem)) from None
    return [Text(n, body) for n, body in enumerate(text.split("\n")[:-1], 1)]


def one_line(rule: str, lines: list[Text]) -> Text | None:
    """The only line, or none at all."""
    if len(lines) > 1:
        raise lines[1].error(f"{rule}.one-line", "more than one line")
    return lines[0] if lines else None


def matched(rule: str, pattern: str, line: Text, wanted: str) -> re.Match[str]:
    """A line of its own shape."""
    match = re.compile(pattern, re.ASCII).fullmatch(line.body)
    if match is None:
        raise line.error(rule, f"wanted: {wanted}", 1)
    return match


# -- formats: each takes the lines and returns what they say -----------------

Parser = Callable[[list[Text], Context], Any]


def single(wanted: Layout) -> Parser:
    """At most one line of one layout; null when there is none."""

    def parse_single(lines: list[Text], _: Context) -> Any:
        line = one_line(wanted.rule, lines)
        return None if line is None else wanted.read(line)

    return parse_single


def many(*wanted: Layout) -> Parser:
    """Any number of lines; with several layouts each line tells its kind."""

    def parse_many(lines: list[Text], _: Context) -> Any:
        return [read_any(wanted, line) for line in lines]

    return parse_many


def read_any(wanted: tuple[Layout, ...], line: Text) -> Json:
    """A line of the layout that it begins like."""
    chosen = [one for one in wanted if one.begins(line)]
    if len(wanted) == 1:
        return wanted[0].read(line)
    if not chosen:
        heads = ", ".join(one.head or one.fields[0][0] + "=" for one in wanted)
        raise line.error(wanted[0].rule, f"line must begin with one of: {heads}", 1)
    return {"kind": chosen[0].head} | chosen[0].read(line)


def from_version(version: int, parser: Parser) -> Parser:
    """A format that is only documented from a version on."""

    def parse_gated(lines: list[Text], context: Context) -> Any:
        if context.version < version:
            raise UnknownFormat(f"no documented format before version {version}")
        return parser(lines, context)

    return parse_gated


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


def watchdoginfo(lines: list[Text], context: Context) -> Any:
    """Seconds; 0 never, -1 unknown.  SETROOTPSWD came with version 29."""
    names = "INTERVAL ISALIVE NTPDRIFT CVSUP RUSAGE HOSTKEYS DHCPDCONF"
    names += " SETROOTPSWD" if context.version >= 29 else ""
    return single(layout("watchdoginfo", "", **keys(names, SIGNED)))(lines, context)


def ntpinfo(lines: list[Text], _: Context) -> Any:
    """Peers and servers, then at most one drift."""
    number = Value(r"-?\d+(?:\.\d+)?", "number", float)
    kinds = {"PEER": IP, "SERVER": Value(r"[-\w.]+", "host name"), "DRIFT": number}
    found: list[Json] = []
    for line in lines:
        key = line.body.split("=")[0]
        if key not in kinds:
            raise line.error("ntpinfo", "PEER=, SERVER= or DRIFT= wanted", 1)
        if found and "DRIFT" in found[-1]:
            raise line.error("ntpinfo.order", "a line after DRIFT", 1)
        found.append(layout("ntpinfo", "", **{key: kinds[key]}).read(line))
    return found


def mounts(lines: list[Text], context: Context) -> Any:
    """File system type since version 32, then one line per mount."""
    if not lines:
        return None
    fstype = None
    if context.version >= 32:
        types = one_of("LOCAL", "SFS", "NFS", "NFS-RACY")
        fstype = layout("mounts", "", FSTYPE=types).read(lines[0])["FSTYPE"]
        lines = lines[1:]
    return {"fstype": fstype, "mounts": [mount(line) for line in lines]}


def mount(line: Text) -> Json:
    """The remote part is missing without a shared file system."""
    if line.body.startswith("SFS "):
        return {"sfs": line.body[4:]}  # the format of these is not documented
    pattern = r"(?:REMOTE=([^\s:]+):(\S+) )?LOCAL=(\S+)"
    host, remote, local = matched(
        "mounts", pattern, line, "[REMOTE=fs:path ]LOCAL=path"
    ).groups()  # fmt: skip
    return {"local": local} | ({} if host is None else {"host": host, "remote": remote})


ACCOUNTS = (
    layout("accounts.ADDGROUP", "ADDGROUP", NAME=WORD, GID=NUMBER),
    layout(
        "accounts.ADDUSER", "ADDUSER", LOGIN=NAME, PSWD=BLANKLESS, UID=NUMBER, GID=NUMBER,
        ROOT=FLAG, NAME=DOUBLE, HOMEDIR=PATH, GLIST=DOUBLE, SERIAL=NUMBER, EMAIL=DOUBLE, SHELL=WORD),
    layout("accounts.PUBKEY", "PUBKEY", LOGIN=NAME, KEY=DOUBLE),
    layout("accounts.SFSKEY", "SFSKEY", KEY=DOUBLE),
)  # fmt: skip

MANIFEST = (
    layout("manifest.SERVICE", "SERVICE", NAME=WORD, ENV=WORD, WHENCE=WORD,
           **keys("ENABLED HOOKS_ENABLED FATAL", FLAG), BLOBID=BLANKLESS),
    layout("manifest.HOOK", "HOOK", **keys("SERVICE ENV WHENCE OP POINT", WORD), FATAL=FLAG,
           BLOBID=BLANKLESS, ARGV=DOUBLE),
)  # fmt: skip


def tarballs(lines: list[Text], _: Context) -> Any:
    """Both may contain blanks, as in the client's pattern."""
    found = []
    for line in lines:
        match = matched("tarballs", r"DIR=(.+?) TARBALL=(.+)", line, "DIR=dir TARBALL=file")
        found.append({"dir": match.group(1), "tarball": match.group(2)})
    return found


def blobs(lines: list[Text], _: Context) -> Any:
    """Only unpacking from frisbee is documented."""
    found = []
    for line in lines:
        wanted = "URL=frisbee://path ACTION=unpack:dir"
        match = matched("blobs", r"URL=frisbee://(\S+) ACTION=unpack:(\S+)", line, wanted)
        found.append({"path": match.group(1), "dir": match.group(2)})
    return found


def named_lines(rule: str, names: str) -> Parser:
    """Only the names are documented, so only those are checked."""

    def parse_named(lines: list[Text], _: Context) -> Any:
        found: list[Json] = []
        for line in lines:
            key, equals, value = line.body.partition("=")
            if not equals or key not in names.split():
                raise line.error(rule, f"one of {names} wanted, then =", 1)
            found.append({"name": key, "value": value})
        return found

    return parse_named


def battery(lines: list[Text], _: Context) -> Any:
    """OK and nothing else."""
    line = one_line("battery", lines)
    return line and matched("battery", "OK", line, "OK").group()


def tmcctest(lines: list[Text], _: Context) -> Any:
    """What a server without debugging says."""
    line = one_line("tmcctest", lines)
    return line and matched("tmcctest", "tmcctest disabled", line, "tmcctest disabled").group()


REGISTERED = layout(
    "portregister", "", PORT=PORT,
    NODEID=Value(r"[-\w]+(?:\.[-\w]+)+", "node id and domain"),
)  # fmt: skip


# -- fullconfig --------------------------------------------------------------


def fullconfig(lines: list[Text], context: Context) -> Any:
    """Pairs of ``*** command`` lines with an ordinary reply between them."""
    sections: list[Json] = []
    at = 0
    while at < len(lines):
        name = section_name(lines[at])
        end = next((n for n in range(at + 1, len(lines)) if lines[n].body == f"*** {name}"), None)
        if end is None:
            raise lines[at].error("fullconfig.pair", f"*** {name} is never closed", 1)
        sections.append(section(name, lines[at + 1 : end], context))
        at = end + 1
    names = [one["command"] for one in sections]
    check_section_order(names)
    check_sections_complete(names, context)
    return sections


def section_name(line: Text) -> str:
    """The command that a section is of."""
    name = line.body.removeprefix("*** ")
    if not line.body.startswith("*** ") or name not in BY_WORD:
        raise line.error("fullconfig.section", "*** and a command wanted", 1)
    if BY_WORD[name].config == "-":
        raise line.error("fullconfig.member", f"{name} is not a part of fullconfig", 1)
    return name


def section(name: str, lines: list[Text], context: Context) -> Json:
    """One section, parsed when its format is documented."""
    for line in lines:
        if line.body.startswith("*** "):
            raise line.error("fullconfig.nested", f"a section begins inside of {name}", 1)
    try:
        return {"command": name, "reply": parse_lines(name, lines, context)}
    except UnknownFormat:
        return {"command": name, "lines": [line.body for line in lines]}


def check_section_order(names: list[str]) -> None:
    """Sections come in the order of the table, each once."""
    places = [list(BY_WORD).index(name) for name in names]
    for before, after in zip(places, places[1:], strict=False):
        if before >= after:
            text = f"{TABLE[after].word} after {TABLE[before].word}"
            raise FormatError("fullconfig.order", text)


def check_sections_complete(names: list[str], context: Context) -> None:
    """When the caller's kind is known: all sections of it and no others.

    Those of TPM support may be missing, and to remote callers in plain text
    those that need SSL must be.
    """
    if context.caller is None:
        return
    for command in TABLE:
        wanted = command.in_fullconfig(context.caller == "virtual")
        if command.has("S") and context.remote_plain:
            wanted = False
        if wanted and command.word not in names and not command.word.startswith("tpm"):
            raise FormatError("fullconfig.complete", f"{command.word} is missing")
        if not wanted and command.word in names:
            raise FormatError("fullconfig.caller", f"{command.word} is not for this caller")


# -- all formats -------------------------------------------------------------

SILENT = "reboot ready startstatus startstat deltas state hostkeys booterrno bootlog"
JAIL = (
    "JAILIP PORTRANGE SSHDPORT SYSVIPC INETRAW BPFRO INADDRANY IPFW IPDIVERT ROUTING DEVMEM"
    " EVENTSERVER VDSIZE IPADDRS"
)

PARSERS: dict[str, Parser] = dict.fromkeys(SILENT.split(), no_reply) | {
    "status": status,
    "nodeid": nodeid,
    "role": role,
    "creator": creator,
    "syncserver": syncserver,
    "readycount": readycount,
    "startupcmd": startupcmd,
    "programs": programs,
    "userenv": userenv,
    "eventkey": single(layout("eventkey", "EVENTKEY", KEY=QUOTED_MD5)),
    "keyhash": single(layout("keyhash", "KEYHASH", HASH=QUOTED_WORD)),
    "trafgens": many(TRAFGEN),
    "hostnames": hostnames,
    "ifconfig": from_version(27, ifconfig),
    "delay": many(DELAY),
    "linkdelay": many(LINKDELAY),
    "bridges": many(layout("bridges", "BRIDGE", IDX=NUMBER, IFACE=MAC, VNODE=WORD, LINKNAME=WORD)),
    "traceinfo": many(layout(
        "traceinfo", "TRACE", LINKNAME=WORD, IDX=NUMBER, MAC0=MAC, MAC1=MAC, VNODE=WORD,
        VNODE_MAC=MAC, TRACE_TYPE=WORD, TRACE_EXPR=QUOTED, TRACE_SNAPLEN=NUMBER)),
    "tiptunnels": many(layout(
        "tiptunnels", "", VNODE=WORD, SERVER=WORD, PORT=PORT, KEYLEN=NUMBER, KEY=WORD)),
    "routing": routing,
    "rpms": many(layout("rpms", "", RPM=PATH)),
    "tarballs": tarballs,
    "blobs": from_version(33, blobs),
    "isalive": single(layout("isalive", "", UPDATE=FLAG)),
    "rusage": single(layout("rusage", "", UPDATE=NUMBER)),
    "watchdoginfo": watchdoginfo,
    "ntpinfo": ntpinfo,
    "mounts": mounts,
    "accounts": many(*ACCOUNTS),
    "vnodelist": from_version(7, many(layout("vnodelist", "", VNODEID=NAME, JAILED=FLAG))),
    "subnodelist": from_version(24, many(layout("subnodelist", "", NODEID=NAME, TYPE=WORD))),
    "tunnels": many(layout("tunnels", "", TUNNEL=WORD, MEMBER=WORD, KEY=QUOTED, VALUE=QUOTED)),
    "ipodinfo": single(layout("ipodinfo", "", HOST=IP, MASK=one_of("255.255.255.255"), HASH=MD5)),
    "jailconfig": named_lines("jailconfig", JAIL),
    "plabconfig": named_lines("plabconfig", "SSHDPORT SVCSLICE IPADDR ELVIND_PORT"),
    "localization": many(layout("localization", "", ROOTPUBKEY=REST)),
    "rootpswd": single(layout("rootpswd", "", HASH=BLANKLESS)),
    "bootwhat": single(layout(
        "bootwhat", "", STATUS=WORD, TYPE=BLANKLESS, WHAT=BLANKLESS, CMDLINE=REST)),
    "sdparams": single(layout("sdparams", "", **keys("reg agg load expt ctl", NUMBER))),
    "manifest": many(*MANIFEST),
    "battery": battery,
    "tmcctest": tmcctest,
    "portregister": single(REGISTERED),
    "fullconfig": fullconfig,
}  # fmt: skip


def parse_lines(command: str, lines: list[Text], context: Context) -> Any:
    """A reply that is already in lines."""
    if command not in PARSERS:
        raise UnknownFormat(f"no documented format: {command}")
    return PARSERS[command](lines, context)


def parse_reply(command: str, reply: bytes, context: Context) -> Any:
    """A whole reply as it came from the wire."""
    return parse_lines(command, split_lines(reply), context)


def parse(command: str, reply: bytes, version: int = CURRENT_VERSION) -> Any:
    """The same for callers that only know a version; no format is an error too."""
    try:
        return parse_reply(command, reply, Context(version))
    except UnknownFormat as problem:
        raise FormatError("unknown-format", str(problem)) from None


def check_limits(reply: bytes, udp: bool) -> None:
    """What the original's buffers allow; more would be cut on the way."""
    for number, line in enumerate(reply.split(b"\n"), 1):
        if len(line) > LINE_BUFFER:
            raise FormatError("limits.line", f"longer than {LINE_BUFFER} bytes", number)
    if udp and len(reply) > CLIENT_UDP_READ:
        raise FormatError("limits.udp", f"longer than {CLIENT_UDP_READ} bytes")


# -- command line ------------------------------------------------------------


def parse_arguments() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Strict parser of tmcd replies.")
    parser.add_argument("command", choices=sorted(PARSERS), metavar="COMMAND")
    parser.add_argument("--version", type=int, default=CURRENT_VERSION, help="protocol version")
    parser.add_argument("--caller", choices=("physical", "virtual"), help="who asked")
    parser.add_argument("--remote-plain", action="store_true", help="a remote caller without SSL")
    parser.add_argument("--planetlab", action="store_true", help="allow hosts without aliases")
    parser.add_argument("--limits", action="store_true", help="check the original's line length")
    parser.add_argument("--udp", action="store_true", help="with --limits: of a datagram")
    return parser.parse_args()


def main() -> int:
    """Read a reply, print what it says or which rule it breaks."""
    asked = parse_arguments()
    context = Context(asked.version, asked.caller, asked.remote_plain, asked.planetlab)
    reply = sys.stdin.buffer.read()
    try:
        if asked.limits:
            check_limits(reply, asked.udp)
        found = parse_reply(asked.command, reply, context)
    except FormatError as problem:
        print(json.dumps({"command": asked.command, "error": problem.described()}))
        return 1
    except UnknownFormat as problem:
        print(f"tmcd_parse.py: {problem}", file=sys.stderr)
        return 2
    print(json.dumps({"command": asked.command, "reply": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
