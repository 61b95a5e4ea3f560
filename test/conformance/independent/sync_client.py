#!/usr/bin/env python3
"""A client of the Emulab sync service whose wire behaviour can be chosen.

It can speak all three request layouts in both byte orders, over TCP and UDP,
and it can misbehave: stall, send in pieces, send junk, give up, send raw
bytes.  It reports what came back as one line of JSON and never judges it.

One client:      python3 sync_client.py --port 16534 --init 3
Many at once:    python3 sync_client.py --port 16534 --script FILE   (- is stdin)

Each line of a script is a JSON object with an "id", the options of the
command line as keys, and optionally when to start.  Options given on the
command line are the defaults of all lines.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

INIT, WAIT = 1, 2
NAME_FIELD = 64
VERSIONS = ("72", "72a", "76")
ORDERS = {"little": "<", "big": ">"}
DEFAULT_PIECE_PAUSE_MS = 20.0


class UsageError(Exception):
    """The caller asked for something that makes no sense."""


# -- options -----------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """One option, the same on the command line and in a script line."""

    key: str
    kind: type
    text: str
    choices: tuple[str, ...] | None = None

    @property
    def flag(self) -> str:
        """Its spelling on the command line."""
        return "--" + self.key.replace("_", "-")


OPTIONS = (
    Option("version", str, "request layout (default 76)", VERSIONS),
    Option("order", str, "byte order of the integers (default little)", tuple(ORDERS)),
    Option("udp", bool, "UDP instead of TCP"),
    Option("host", str, "server address (default 127.0.0.1)"),
    Option("port", int, "server port (default 16534)"),
    Option("source", str, "local address to send from"),
    Option("name", str, "barrier name, at most 64 bytes (64: no NUL)"),
    Option("name_hex", str, "barrier name field in hex, padded with NULs to 64"),
    Option("init", int, "init with this count; without it the request is a wait"),
    Option("no_wait", bool, "set the flag of an initialiser that does not wait"),
    Option("error", int, "error to bring along (default 0)"),
    Option("request", int, "raw request word in place of 1 or 2"),
    Option("raw_hex", str, "send exactly these bytes in place of a request"),
    Option("truncate", int, "send only the first N bytes, then wait"),
    Option("split", int, "send in pieces of N bytes (1 when only --byte-delay is given)"),
    Option("byte_delay", float, "pause between pieces in ms (20 when only --split is given)"),
    Option("abort_after", float, "close MS after sending, if still waiting"),
    Option("abort_rst", bool, "with --abort-after: reset in place of an orderly close"),
    Option("junk_while_waiting", int, "send N bytes of junk while waiting"),
    Option("junk_delay", float, "ms between the request and the junk (default 300)"),
    Option("timeout", float, "give up after S seconds in all (default 10)"),
    Option("udp_repeat", float, "repeat the datagram every MS until answered"),
)

SCRIPT_ONLY = ("id", "start_after_ms", "after", "after_sent")


@dataclass(frozen=True)
class Spec:
    """What one client is to do; the fields are those of ``OPTIONS``."""

    version: str = "76"
    order: str = "little"
    udp: bool = False
    host: str = "127.0.0.1"
    port: int = 16534
    source: str | None = None
    name: str = "barrier"
    name_hex: str | None = None
    init: int | None = None
    no_wait: bool = False
    error: int = 0
    request: int | None = None
    raw_hex: str | None = None
    truncate: int | None = None
    split: int | None = None
    byte_delay: float | None = None
    abort_after: float | None = None
    abort_rst: bool = False
    junk_while_waiting: int = 0
    junk_delay: float = 300.0
    timeout: float = 10.0
    udp_repeat: float | None = None


def checked(option: Option, value: Any) -> Any:
    """A JSON value as the type the option wants, or a complaint."""
    if option.kind is str and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # {"version": 72} is meant well
    if option.kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not option.kind:
        raise UsageError(f"{option.key}: not of type {option.kind.__name__}: {value!r}")
    if option.choices and value not in option.choices:
        raise UsageError(f"{option.key}: not one of {', '.join(option.choices)}: {value}")
    return value


def make_spec(values: Mapping[str, Any]) -> Spec:
    """Check all values and put them together; null means not given."""
    known = {option.key: option for option in OPTIONS}
    unknown = [key for key in values if key not in known]
    if unknown:
        raise UsageError(f"unknown option: {', '.join(unknown)}")
    given = {key: checked(known[key], v) for key, v in values.items() if v is not None}
    spec = Spec(**given)
    check_fits(spec)
    return spec


def check_fits(spec: Spec) -> None:
    """Refuse what the chosen layout has no room for, rather than dropping it."""
    if spec.version == "72" and spec.no_wait:
        raise UsageError("no_wait: the layout 72 has no flags")
    if spec.version != "76" and spec.error:
        raise UsageError(f"error: the layout {spec.version} has no error")
    if spec.udp_repeat is not None and not spec.udp:
        raise UsageError("udp_repeat: only with udp")
    if spec.split is not None and spec.split < 1:
        raise UsageError("split: must be at least 1")
    if not 0 < spec.port < 65536:
        raise UsageError(f"port: not between 0 and 65536: {spec.port}")
    payload(spec)


# -- the request -------------------------------------------------------------


def name_bytes(spec: Spec) -> bytes:
    """The name as it goes on the wire, without padding."""
    if spec.name_hex is not None:
        name = from_hex("name_hex", spec.name_hex)
    else:
        name = os.fsencode(spec.name)
    if len(name) > NAME_FIELD:
        raise UsageError(f"name: longer than {NAME_FIELD} bytes")
    return name


def from_hex(key: str, text: str) -> bytes:
    """Bytes written in hex."""
    try:
        return bytes.fromhex(text)
    except ValueError as problem:
        raise UsageError(f"{key}: {problem}") from None


def encode(spec: Spec) -> bytes:
    """A request in the chosen layout.

    Values are cut to the width of their field, so that negative and oversized
    ones can be sent too.
    """
    order = ORDERS[spec.order]
    default_word = WAIT if spec.init is None else INIT
    word = default_word if spec.request is None else spec.request
    count, error = (spec.init or 0) & 0xFFFFFFFF, spec.error & 0xFFFFFFFF
    name, flags = name_bytes(spec), int(spec.no_wait)
    if spec.version == "72":
        return struct.pack(f"{order}64sII", name, word & 0xFFFFFFFF, count)
    head = struct.pack(f"{order}64sHHI", name, word & 0xFFFF, flags, count)
    return head if spec.version == "72a" else head + struct.pack(f"{order}I", error)


def payload(spec: Spec) -> bytes:
    """All that this client sends, junk left out."""
    raw = spec.raw_hex
    data = encode(spec) if raw is None else from_hex("raw_hex", raw)
    return data if spec.truncate is None else data[: max(0, spec.truncate)]


def pieces(spec: Spec) -> list[bytes]:
    """The payload cut as asked for."""
    data = payload(spec)
    size = spec.split
    if size is None:
        size = len(data) if spec.byte_delay is None else 1
    return [data[at : at + size] for at in range(0, len(data), max(1, size))]


# -- one conversation --------------------------------------------------------


@dataclass
class Result:
    """What came of it, before it is printed."""

    outcome: str
    reply: bytes = b""
    closed: bool = False
    detail: str | None = None


@dataclass
class Conversation:
    """One client at work: a socket and what it has received so far."""

    spec: Spec
    sent: asyncio.Event
    reply: bytearray = field(default_factory=bytearray)

    async def run(self) -> Result:
        """Everything from the socket to its close; never raises OSError."""
        spec = self.spec
        deadline = asyncio.get_running_loop().time() + spec.timeout
        kind = socket.SOCK_DGRAM if spec.udp else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.setblocking(False)
            try:
                await self._connect(sock, deadline)
                return await self._exchange(sock, deadline)
            except OSError as problem:
                return self._failed(problem)
            finally:
                self.sent.set()

    async def _connect(self, sock: socket.socket, deadline: float) -> None:
        """Bind and connect.  UDP too, so that an unreachable port shows."""
        loop = asyncio.get_running_loop()
        if self.spec.source is not None:
            sock.bind((self.spec.source, 0))
        if not self.spec.udp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout_at(deadline):
            await loop.sock_connect(sock, (self.spec.host, self.spec.port))

    def _failed(self, problem: OSError) -> Result:
        """The outcome that an error of the system stands for."""
        if isinstance(problem, ConnectionRefusedError):
            return Result("refused", bytes(self.reply))
        if isinstance(problem, (ConnectionResetError, BrokenPipeError)):
            return Result("reset", bytes(self.reply))
        if isinstance(problem, TimeoutError):
            return Result("timeout", bytes(self.reply))
        return Result("error", bytes(self.reply), detail=str(problem))

    async def _exchange(self, sock: socket.socket, deadline: float) -> Result:
        """Send and receive at once, until an end comes from either side.

        Both run side by side because a server may answer or close while a
        slow request is still being sent.
        """
        now = asyncio.get_running_loop().time()
        receive = self._receive_udp if self.spec.udp else self._receive_tcp
        reader = asyncio.create_task(receive(sock))
        writer = asyncio.create_task(self._send_all(sock))
        try:
            tasks = {reader, writer}
            await asyncio.wait(tasks, timeout=deadline - now, return_when="FIRST_COMPLETED")
            if writer.done() and not reader.done() and not writer.result():
                now = asyncio.get_running_loop().time()
                await asyncio.wait({reader}, timeout=max(0.0, deadline - now))
            if reader.done():
                return reader.result()
            return self._gave_up(sock, aborted=writer.done() and writer.result())
        finally:
            await stop(reader, writer)

    def _gave_up(self, sock: socket.socket, aborted: bool) -> Result:
        """Neither answer nor close came in time."""
        if aborted and self.spec.abort_rst:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if aborted:
            return Result("aborted", bytes(self.reply))
        return Result("reply" if self.reply else "timeout", bytes(self.reply))

    # receiving

    async def _receive_tcp(self, sock: socket.socket) -> Result:
        """Read until end of file: that is what releases a client."""
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(sock, 65536):
                self.reply += data
        except OSError as problem:
            return self._failed(problem)
        return Result("reply" if self.reply else "eof", bytes(self.reply), closed=True)

    async def _receive_udp(self, sock: socket.socket) -> Result:
        """One datagram is the answer.

        A client that repeats itself takes an unreachable port for a server
        that is not up yet; any other reports it.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                self.reply += await loop.sock_recv(sock, 65536)
                return Result("reply", bytes(self.reply))
            except OSError as problem:
                if self.spec.udp_repeat is None:
                    return self._failed(problem)

    # sending

    async def _send_all(self, sock: socket.socket) -> bool:
        """Request, then whatever happens while waiting; true means aborted.

        A connection that breaks meanwhile is left to the receiving side, which
        may still find an answer in it.
        """
        extras: list[asyncio.Task[None]] = []
        try:
            await self._send_pieces(sock)
            self.sent.set()
            extras = [asyncio.create_task(extra) for extra in self._extras(sock)]
            if self.spec.abort_after is None:
                await asyncio.gather(*extras)
                return False
            await asyncio.sleep(self.spec.abort_after / 1000)
            return True
        except OSError:
            return False
        finally:
            await stop(*extras)

    def _extras(self, sock: socket.socket) -> Iterable[Coroutine[Any, Any, None]]:
        if self.spec.junk_while_waiting > 0:
            yield self._send_junk(sock)
        if self.spec.udp_repeat is not None:
            yield self._repeat(sock, self.spec.udp_repeat / 1000)

    async def _send_pieces(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        pause = self.spec.byte_delay
        pause = DEFAULT_PIECE_PAUSE_MS if pause is None else pause
        for number, piece in enumerate(pieces(self.spec)):
            if number:
                await asyncio.sleep(pause / 1000)
            await loop.sock_sendall(sock, piece)

    async def _send_junk(self, sock: socket.socket) -> None:
        """Junk comes late, so that it is not taken for a part of the request."""
        await asyncio.sleep(self.spec.junk_delay / 1000)
        junk = b"\xaa" * self.spec.junk_while_waiting
        await asyncio.get_running_loop().sock_sendall(sock, junk)

    async def _repeat(self, sock: socket.socket, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            with contextlib.suppress(OSError):  # the next repeat makes up for it
                sock.send(payload(self.spec))


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they no longer touch their socket."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def decode_value(spec: Spec, reply: bytes) -> int | None:
    """The int32 of a reply of exactly four bytes."""
    if len(reply) != 4:
        return None
    value: int = struct.unpack(f"{ORDERS[spec.order]}i", reply)[0]
    return value


async def run_client(spec: Spec, sent: asyncio.Event) -> dict[str, Any]:
    """Run one client and describe its end as it is printed."""
    begin = time.monotonic()
    result = await Conversation(spec, sent).run()
    described: dict[str, Any] = {
        "outcome": result.outcome,
        "reply_hex": result.reply.hex(),
        "value": decode_value(spec, result.reply),
        "closed": result.closed,
        "elapsed_ms": round((time.monotonic() - begin) * 1000),
    }
    return described if result.detail is None else described | {"detail": result.detail}


# -- many clients ------------------------------------------------------------


@dataclass
class Entry:
    """One line of a script, and how far its client has come."""

    ident: Any
    spec: Spec
    start_after_ms: float
    after: tuple[Any, ...]
    after_sent: tuple[Any, ...]


@dataclass
class Marks:
    """What others can wait for on one client."""

    sent: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """An id, a list of ids, or nothing, as ids."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


def parse_line(line: str) -> dict[str, Any]:
    """One script line; keys may be written with - or _."""
    try:
        parsed = json.loads(line)
    except json.JSONDecodeError as problem:
        raise UsageError(f"not JSON: {problem}") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("id"), (str, int)):
        raise UsageError(f'not an object with an "id": {line.strip()}')
    return {key.replace("-", "_"): value for key, value in parsed.items()}


def make_entry(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Entry:
    """A line's client; what the line does not say, the defaults do."""
    own = {key: value for key, value in values.items() if key not in SCRIPT_ONLY}
    base = dict(defaults)
    if "name" in own:
        base.pop("name_hex", None)  # else the default would win over the line
    return Entry(
        values["id"],
        make_spec(base | own),
        float(values.get("start_after_ms") or 0),
        as_tuple(values.get("after")),
        as_tuple(values.get("after_sent")),
    )


class Script:
    """Runs clients as their lines come in, and prints each one's end."""

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._defaults = defaults
        self._entries: dict[Any, Entry] = {}
        self._marks: dict[Any, Marks] = {}
        self._tasks: dict[Any, asyncio.Task[None]] = {}

    async def run(self, path: str) -> int:
        """Take lines until end of file, then see all clients to their end."""
        lines: asyncio.Queue[str | None] = asyncio.Queue()
        read_lines(path, lines)
        while (line := await lines.get()) is not None:
            if line.strip():
                self._start(line)
        self._drop_hopeless()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        return 0

    def _start(self, line: str) -> None:
        values: dict[str, Any] = {}
        try:
            values = parse_line(line)
            entry = make_entry(values, self._defaults)
            if entry.ident in self._entries:
                raise UsageError(f"id used twice: {entry.ident}")
        except UsageError as problem:
            described = {"id": values.get("id"), "outcome": "error", "detail": str(problem)}
            print_line(described)
            return
        self._entries[entry.ident] = entry
        self._tasks[entry.ident] = asyncio.create_task(self._live(entry))

    def _mark(self, ident: Any) -> Marks:
        """Marks of a client, which may be on a line still to come."""
        return self._marks.setdefault(ident, Marks())

    async def _live(self, entry: Entry) -> None:
        marks = self._mark(entry.ident)
        for ident in entry.after:
            await self._mark(ident).ended.wait()
        for ident in entry.after_sent:
            await self._mark(ident).sent.wait()
        if entry.start_after_ms:
            await asyncio.sleep(entry.start_after_ms / 1000)
        described = await run_client(entry.spec, marks.sent)
        print_line({"id": entry.ident} | described)
        marks.ended.set()

    def _drop_hopeless(self) -> None:
        """End clients that wait for one who never comes, or in a circle."""
        can_start: set[Any] = set()
        pending = dict(self._entries)
        while ready := [i for i, e in pending.items() if can_start.issuperset(needs(e))]:
            can_start.update(ready)
            for ident in ready:
                del pending[ident]
        for ident in pending:
            self._tasks[ident].cancel()
            print_line({"id": ident, "outcome": "error", "detail": "its start never comes"})


def needs(entry: Entry) -> tuple[Any, ...]:
    """All ids an entry waits for before it starts."""
    return entry.after + entry.after_sent


def read_lines(path: str, lines: asyncio.Queue[str | None]) -> None:
    """Feed lines from a thread: stdin may be a pipe, a file or a terminal."""
    loop = asyncio.get_running_loop()

    def feed() -> None:
        with open(0 if path == "-" else path, encoding="utf-8") as source:
            while line := source.readline():
                loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=feed, daemon=True).start()


def print_line(described: Mapping[str, Any]) -> None:
    """One JSON line, at once."""
    print(json.dumps(described), flush=True)


# -- command line ------------------------------------------------------------


def parse_arguments(arguments: list[str]) -> tuple[str | None, dict[str, Any]]:
    """The script to run, if any, and the options that were given."""
    parser = argparse.ArgumentParser(description="Emulab sync client for tests.")
    parser.add_argument("--script", metavar="FILE", help="run clients from JSON lines; - is stdin")
    for option in OPTIONS:
        extra: dict[str, Any] = {"default": argparse.SUPPRESS, "help": option.text}
        if option.kind is bool:
            parser.add_argument(option.flag, action="store_true", **extra)
        else:
            extra |= {"type": option.kind, "choices": option.choices}
            parser.add_argument(option.flag, dest=option.key, **extra)
    given = vars(parser.parse_args(arguments))
    return given.pop("script"), given


def allow_many_sockets() -> None:
    """Lift the soft limit of open files to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def run_one(spec: Spec) -> int:
    """Run the one client of the command line."""
    print_line(await run_client(spec, asyncio.Event()))
    return 0


def main() -> int:
    """Command line; 2 for misuse, else 0 whatever the server did."""
    assert {f.name for f in fields(Spec)} == {option.key for option in OPTIONS}
    script, given = parse_arguments(sys.argv[1:])
    allow_many_sockets()
    try:
        spec = make_spec(given)
    except UsageError as problem:
        print(f"sync_client.py: {problem}", file=sys.stderr)
        return 2
    return asyncio.run(run_one(spec) if script is None else Script(given).run(script))


if __name__ == "__main__":
    sys.exit(main())
