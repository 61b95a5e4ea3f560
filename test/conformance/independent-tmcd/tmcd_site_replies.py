"""Formats of what a node is told about its site: times, files, accounts, tests."""

from __future__ import annotations

from typing import Any

from tmcd_layout import (
    BLANKLESS,
    DOUBLE,
    FLAG,
    IP,
    NAME,
    NUMBER,
    PATH,
    PORT,
    SIGNED,
    WORD,
    Context,
    Json,
    Parser,
    Text,
    Value,
    keys,
    layout,
    matched,
    one_line,
    one_of,
    single,
)


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
        ROOT=FLAG, NAME=DOUBLE, HOMEDIR=PATH, GLIST=DOUBLE, SERIAL=NUMBER, EMAIL=DOUBLE,
        SHELL=WORD),
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
