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
import json
import sys
from typing import Any

from tmcd_layout import (
    BLANKLESS,
    CURRENT_VERSION,
    FLAG,
    IP,
    MAC,
    MD5,
    NAME,
    NUMBER,
    PATH,
    PORT,
    QUOTED,
    QUOTED_MD5,
    QUOTED_WORD,
    REST,
    WORD,
    Context,
    FormatError,
    Json,
    Parser,
    Text,
    UnknownFormat,
    from_version,
    keys,
    layout,
    many,
    one_of,
    single,
    split_lines,
)
from tmcd_network_replies import DELAY, LINKDELAY, ifconfig, routing
from tmcd_node_replies import (
    TRAFGEN,
    creator,
    hostnames,
    no_reply,
    nodeid,
    programs,
    readycount,
    role,
    startupcmd,
    status,
    syncserver,
    userenv,
)
from tmcd_site_replies import (
    ACCOUNTS,
    MANIFEST,
    REGISTERED,
    battery,
    blobs,
    mounts,
    named_lines,
    ntpinfo,
    tarballs,
    tmcctest,
    watchdoginfo,
)
from tmcd_table import BY_WORD, TABLE

LINE_BUFFER = 2047
CLIENT_UDP_READ = 2047


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
