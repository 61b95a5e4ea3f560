"""The nodes and experiments that the test server knows, and its answers.

No sockets here: a request and where it came from go in, a reply or a reason
for having none comes out.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tmcd_table import TABLE, Command, find_command

SERVER_VERSION = 34
DEFAULT_VERSION = 2
OPTION_WORDS = ("VERSION", "VNODEID", "PRIVKEY", "IDKEY", "REDIRECT")
OPTION_RULES = {
    "VERSION": r"-?\d{1,9}",
    "VNODEID": r"[A-Za-z0-9_-]{1,30}",
    "PRIVKEY": r"[0-9a-fA-F]{16,128}",
    "IDKEY": r"[A-Za-z0-9]+",
    "REDIRECT": r"\d{1,3}(\.\d{1,3}){3}",
}
SERVICE_LIMIT = 127
IDENTIFY = ("either", "source", "called")


class Dropped(Exception):
    """The request gets no answer; the text says why."""


# -- the description ---------------------------------------------------------


@dataclass
class Experiment:
    """One experiment; see the README for the description."""

    pid: str
    eid: str
    creator: str = "nobody"
    swapper: str | None = None
    sync_server: str | None = None
    keyhash: str | None = None
    eventkey: str | None = None
    userenv: list[list[str]] = field(default_factory=list)
    lans: dict[str, list[list[Any]]] = field(default_factory=dict)

    @property
    def user(self) -> str:
        """The swapper, or else the creator."""
        return self.swapper or self.creator


@dataclass
class Node:
    """One node, physical or virtual."""

    id: str
    experiment: str | None = None
    vname: str | None = None
    address: str | None = None
    called_at: str | None = None
    host: str | None = None
    role: str = "node"
    remote: bool = False
    control: bool = False
    privkey: str | None = None
    idkey: str | None = None
    notmcdinfo: bool = False
    update: int = 0
    startupcmd: str | None = None
    programs: list[dict[str, Any]] = field(default_factory=list)
    trafgens: list[dict[str, Any]] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)

    @property
    def virtual(self) -> bool:
        """Virtual nodes have a host."""
        return self.host is not None

    @property
    def nickname(self) -> str:
        """The name in the experiment, or else the id."""
        return self.vname or self.id


@dataclass(frozen=True)
class Origin:
    """Where a request came from and how."""

    transport: str  # tcp, tls or udp
    peer: str
    local: str


@dataclass
class Request:
    """A request in its parts."""

    options: dict[str, str]
    word: str
    args: str

    @property
    def version(self) -> int:
        """The client's protocol version."""
        return int(self.options.get("VERSION", DEFAULT_VERSION))


def parse_request(text: str) -> Request:
    """Option words in any order, the command, the rest.

    Empty words are skipped, as the specification advises new servers to do.
    """
    options: dict[str, str] = {}
    rest = text
    while True:
        rest = rest.lstrip(" \r\n\t")
        word = re.split(r"[ \r\n\t]", rest, maxsplit=1)[0]
        key, equals, value = word.partition("=")
        if not equals or key not in OPTION_WORDS:
            break
        if not re.fullmatch(OPTION_RULES[key], value, re.ASCII):
            raise Dropped(f"bad {key}")
        options[key] = value
        rest = rest[len(word) :]
    if not word:
        raise Dropped("no command")
    args = rest[len(word) :]
    return Request(options, word, args[1:] if args.startswith(" ") else args)


# -- the model ---------------------------------------------------------------


@dataclass
class Answer:
    """What comes of a request."""

    reply: str = ""
    dropped: str | None = None
    node: str | None = None
    request: Request | None = None


class Model:
    """Everything the server knows.  One request at a time."""

    def __init__(self, description: dict[str, Any], identify: str = "either") -> None:
        self.domain: str = description.get("domain", "example.net")
        self.boss: str | None = description.get("boss")
        self.nodes = [Node(**one) for one in description.get("nodes", [])]
        self.experiments = {
            f"{one['pid']}/{one['eid']}": Experiment(**one)
            for one in description.get("experiments", [])
        }
        self.ready: set[str] = set()
        self.start_status: dict[str, str] = {}
        self.states: list[tuple[str, str]] = []
        self.services: dict[tuple[str, str], tuple[str, int]] = {}
        self._identify = identify
        self._lock = threading.Lock()

    def answer(self, text: str, origin: Origin) -> Answer:
        """Answer a request; a refused one says why."""
        answer = Answer()
        with self._lock:
            try:
                answer.request = request = parse_request(text)
                node = self._caller(request, origin)
                answer.node = node.id
                command = self._admitted(request, node, origin)
                answer.reply = self.run(command, node, request, origin.transport)
            except Dropped as reason:
                answer.dropped = str(reason)
        return answer

    # who asks

    def _caller(self, request: Request, origin: Origin) -> Node:
        """Identify by key, by virtual node on its host, by address."""
        options = request.options
        if "REDIRECT" in options and origin.peer != self.boss:
            raise Dropped("redirect from elsewhere than boss")
        if "REDIRECT" in options:
            origin = Origin(origin.transport, options["REDIRECT"], "")
        if "PRIVKEY" in options:
            found = [n for n in self.nodes if n.privkey == options["PRIVKEY"]]
        elif "VNODEID" in options:
            found = [n for n in self.nodes if n.virtual and n.id == options["VNODEID"]]
            found = [n for n in found if self._speaks_for(n, request, origin)]
        elif "IDKEY" in options:
            found = [n for n in self.nodes if n.idkey == options["IDKEY"]]
        else:
            found = [n for n in self.nodes if not n.virtual and self._is_at(n, origin)]
        found = [node for node in found if not node.notmcdinfo]
        if not found:
            raise Dropped("no such node")
        return found[0]

    def _is_at(self, node: Node, origin: Origin) -> bool:
        """By the address that was called, or else by the one it came from."""
        called_at_known = any(origin.local and n.called_at == origin.local for n in self.nodes)
        if self._identify == "called" or (self._identify == "either" and called_at_known):
            return node.called_at is not None and node.called_at == origin.local
        return node.address is not None and node.address == origin.peer

    def _speaks_for(self, node: Node, request: Request, origin: Origin) -> bool:
        """A virtual node asks from its host, from its own address or by key."""
        if node.idkey is not None and node.idkey == request.options.get("IDKEY"):
            return True
        hosts = [n for n in self.nodes if n.id == node.host]
        return any(self._is_at(one, origin) for one in [node, *hosts])

    # whether it may

    def _admitted(self, request: Request, node: Node, origin: Origin) -> Command:
        """The command, if this caller may run it over this transport."""
        if node.control and origin.transport == "tcp":
            raise Dropped("control node without SSL")
        command = find_command(request.word)
        if command is None:
            raise Dropped("unknown command")
        if node.remote and origin.transport == "udp" and not command.has("U"):
            raise Dropped("not for remote nodes over UDP")
        if node.remote and origin.transport == "tcp" and command.has("S"):
            raise Dropped("remote node without SSL")
        if command.has("A") and node.experiment is None:
            raise Dropped("free node")
        if command.has("T"):
            raise Dropped("no TPM certificate")
        if command.has("t") and origin.transport == "udp":
            raise Dropped("TCP only")
        return command

    # what it hears

    def run(self, command: Command, node: Node, request: Request, transport: str) -> str:
        """The reply of one command; what is written in the description wins."""
        if command.word in node.replies:
            return node.replies[command.word]
        if command.word == "fullconfig":
            return self._fullconfig(node, request, transport)
        handler = HANDLERS.get(command.word)
        return "" if handler is None else handler(self, node, request)

    def _fullconfig(self, node: Node, request: Request, transport: str) -> str:
        """Every applicable section, also when it is empty."""
        parts = []
        for command in TABLE:
            hidden = command.has("S") and node.remote and transport != "tls"
            if command.in_fullconfig(node.virtual) and not hidden:
                body = self.run(command, node, request, transport)
                parts.append(f"*** {command.word}\n{body}*** {command.word}\n")
        return "".join(parts)

    def experiment_of(self, node: Node) -> Experiment:
        """The experiment of a node that has one."""
        if node.experiment is None:
            raise Dropped("free node")
        return self.experiments[node.experiment]


Handler = Callable[[Model, Node, Request], str]


def status(model: Model, node: Node, _: Request) -> str:
    """Free, or whose."""
    if node.experiment is None:
        return "FREE\n"
    experiment = model.experiment_of(node)
    return f"ALLOCATED={experiment.pid}/{experiment.eid} NICKNAME={node.nickname}\n"


def creator(model: Model, node: Node, request: Request) -> str:
    """The swapper from version 21 on."""
    experiment = model.experiment_of(node)
    swapper = f" SWAPPER={experiment.user}" if request.version > 20 else ""
    return f"CREATOR={experiment.creator}{swapper}\n"


def syncserver(model: Model, node: Node, _: Request) -> str:
    """Its full name, and whether it is the caller."""
    experiment = model.experiment_of(node)
    if not experiment.sync_server:
        return ""
    name = f"{experiment.sync_server}.{experiment.eid}.{experiment.pid}.{model.domain}"
    return f"SYNCSERVER SERVER='{name}' ISSERVER={int(node.vname == experiment.sync_server)}\n"


def ready(model: Model, node: Node, _: Request) -> str:
    """Set the bit; virtual nodes have none."""
    if not node.virtual:
        model.ready.add(node.id)
    return ""


def readycount(model: Model, node: Node, _: Request) -> str:
    """Counts all physical nodes of the experiment."""
    if node.virtual:
        return ""
    all_nodes = [n for n in model.nodes if n.experiment == node.experiment and not n.virtual]
    count = sum(one.id in model.ready for one in all_nodes)
    return f"READY={count} TOTAL={len(all_nodes)}\n"


def startupcmd(model: Model, node: Node, _: Request) -> str:
    """The legacy start command."""
    if not node.startupcmd:
        return ""
    return f"CMD='{node.startupcmd}' UID={model.experiment_of(node).user}\n"


def startstatus(model: Model, node: Node, request: Request) -> str:
    """A decimal number, kept as text."""
    if not re.fullmatch(r"-?\d+", request.args.strip(), re.ASCII):
        raise Dropped("bad start status")
    model.start_status[node.id] = request.args.strip()
    return ""


def state(model: Model, node: Node, request: Request) -> str:
    """Only the characters are checked."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", request.args.strip(), re.ASCII):
        raise Dropped("bad state")
    model.states.append((node.id, request.args.strip()))
    return ""


def programs(model: Model, node: Node, request: Request) -> str:
    """UID, then the agents; nothing without agents."""
    if not node.programs:
        return ""
    lines = [f"UID={model.experiment_of(node).user}\n"]
    for program in node.programs:
        line = f"AGENT={program['name']}"
        if request.version >= 23:
            for key in ("dir", "timeout", "expected_exit_code"):
                value = program.get(key)
                line += "" if value in (None, "") else f" {key.upper()}={value}"
        if request.version >= 13:
            line += f" COMMAND='{program['command']}'"
        lines.append(line + "\n")
    return "".join(lines)


def userenv(model: Model, node: Node, _: Request) -> str:
    """In the order of definition."""
    return "".join(f"{name}={value}\n" for name, value in model.experiment_of(node).userenv)


def trafgens(_: Model, node: Node, __: Request) -> str:
    """Fields under the names of the wire."""
    order = "TRAFGEN MYNAME MYPORT PEERNAME PEERPORT PROTO ROLE GENERATOR".split()
    lines = []
    for one in node.trafgens:
        values = {"MYNAME": f"{node.nickname}-0", "GENERATOR": "TG"} | one
        lines.append(" ".join(f"{key}={values[key]}" for key in order) + "\n")
    return "".join(lines)


def eventkey(model: Model, node: Node, _: Request) -> str:
    """The event key, if there is one."""
    key = model.experiment_of(node).eventkey
    return f"EVENTKEY KEY='{key}'\n" if key else ""


def keyhash(model: Model, node: Node, _: Request) -> str:
    """The key hash, if there is one."""
    key = model.experiment_of(node).keyhash
    return f"KEYHASH HASH='{key}'\n" if key else ""


def hostnames(model: Model, node: Node, request: Request) -> str:
    """The host table as the caller sees it."""
    lines = []
    for row, bare in host_rows(model.experiment_of(node).lans, node.nickname):
        alias = row.vname if bare else " "
        if request.version >= 3:
            aliases = f"{row.vname}-{row.port} {alias}"
            lines.append(f"NAME={row.vname}-{row.lan} IP={row.ip} ALIASES='{aliases}'\n")
        else:
            lines.append(f"NAME={row.vname} LINK={row.port} IP={row.ip} ALIAS={alias}\n")
    return "".join(lines)


@dataclass(frozen=True)
class HostRow:
    """One member of one LAN."""

    vname: str
    lan: str
    port: int
    ip: str


def host_rows(lans: dict[str, list[list[Any]]], viewer: str) -> list[tuple[HostRow, bool]]:
    """Rows in processing order, each with whether it has the bare alias.

    Sorted by (vnode, LAN) and processed in reverse.  The viewer's own bare
    name is on its port 0; that of a neighbour on the first LAN shared with
    it in processing order; that of anybody else on its first row.
    """
    members = [(lan, one) for lan, all_of_it in lans.items() for one in all_of_it]
    rows = [HostRow(vname, lan, port, ip) for lan, (vname, port, ip) in members]
    rows.sort(key=lambda row: (row.vname.encode(), row.lan.encode()), reverse=True)
    own = {row.lan for row in rows if row.vname == viewer}
    bare_lan: dict[str, str] = {}
    for row in rows:  # the first shared LAN of every node, or else its first
        shared = any(r.lan in own for r in rows if r.vname == row.vname)
        if row.lan in own or not shared:
            bare_lan.setdefault(row.vname, row.lan)
    return [
        (row, row.port == 0 if row.vname == viewer else bare_lan[row.vname] == row.lan)
        for row in rows
    ]


def portregister(model: Model, node: Node, request: Request) -> str:
    """Look up, register (a port), or delete (port 0)."""
    words = request.args.split()
    if not 1 <= len(words) <= 2 or len(words[0]) > SERVICE_LIMIT:
        raise Dropped("bad arguments")
    key = (node.experiment or "", words[0])
    if len(words) == 1:
        owner = model.services.get(key)
        return f"PORT={owner[1]} NODEID={owner[0]}.{model.domain}\n" if owner else ""
    if not re.fullmatch(r"\d{1,5}", words[1], re.ASCII) or int(words[1]) > 65535:
        raise Dropped("bad port")
    if int(words[1]):
        model.services[key] = (node.id, int(words[1]))
    else:
        model.services.pop(key, None)
    return ""


def constant(text: str) -> Handler:
    """Always the same."""
    return lambda model, node, request: text


HANDLERS: dict[str, Handler] = {
    "status": status,
    "nodeid": lambda model, node, request: f"{node.id}\n",
    "role": lambda model, node, request: f"{node.role}\n",
    "creator": creator,
    "syncserver": syncserver,
    "ready": ready,
    "readycount": readycount,
    "startupcmd": startupcmd,
    "startstatus": startstatus,
    "startstat": startstatus,
    "state": state,
    "programs": programs,
    "userenv": userenv,
    "trafgens": trafgens,
    "eventkey": eventkey,
    "keyhash": keyhash,
    "hostnames": hostnames,
    "portregister": portregister,
    "isalive": lambda model, node, request: f"UPDATE={node.update}\n",
    "rusage": lambda model, node, request: f"UPDATE={node.update}\n",
    "ntpinfo": lambda model, node, request: f"SERVER=ntp1.{model.domain}\n",
    "sdparams": constant("reg=300 agg=5 load=1 expt=5 ctl=1000\n"),
    "battery": constant("OK\n"),
    "tmcctest": lambda m, n, request: "" if "noreply" in request.args else "tmcctest disabled\n",
}


def load(path: str, identify: str) -> Model:
    """A model from a JSON file."""
    return Model(json.loads(Path(path).read_text(encoding="utf-8")), identify)
