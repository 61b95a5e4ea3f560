#!/usr/bin/env python3
"""A client of the node configuration service whose wire behaviour can be chosen.

Left alone it sends what the original binary client sends: option words, then
the command, a space after every word, no newline, and (plain TCP) a
half-close.  Everything can be bent: other option words, raw bytes, pieces,
junk, several requests on one connection, TLS of a chosen version.  It reports
what came back as one line of JSON and never judges it.

One client:    tmcd_client.py --port 7777 portregister emulab_syncd
Many at once:  tmcd_client.py --port 7777 --script FILE      (- is stdin)

Each line of a script is a JSON object with an "id", the options of the
command line as keys, and optionally when to start.  Options given on the
command line are the defaults of all lines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import socket
import ssl
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

import tmcd_parse

TLS_TAG = b"ISPEAKSSL_TMCDV10"
CURRENT_VERSION = "34"
DEFAULT_PIECE_PAUSE_MS = 20.0
READ_SIZE = 65536
TLS_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


class UsageError(Exception):
    """The caller asked for something that makes no sense."""


class TlsFailure(Exception):
    """The handshake or the encrypted stream broke, with the stage in the text."""


# -- options -----------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """One option, the same on the command line and in a script line."""

    key: str
    kind: type
    text: str
    choices: tuple[str, ...] | None = None
    many: str = "append"

    @property
    def flag(self) -> str:
        """Its spelling on the command line."""
        return "--" + self.key.replace("_", "-")


OPTIONS = (
    Option("host", str, "server address (default 127.0.0.1)"),
    Option("port", int, "server port (default 7777)"),
    Option("source", str, "local address to send from"),
    Option("source_port", int, "local port to send from"),
    Option("udp", bool, "UDP in place of TCP"),
    Option("timeout", float, "give up after S seconds in all (default 10)"),
    # what is asked
    Option("version", str, "VERSION word (default 34; none: no such word)"),
    Option("vnodeid", str, "VNODEID word"),
    Option("privkey", str, "PRIVKEY word"),
    Option("idkey", str, "IDKEY word"),
    Option("redirect", str, "REDIRECT word"),
    Option("key_option", list, "a raw option word put in front; repeatable"),
    Option("data", str, "text that follows the request, as of -f"),
    Option("file", str, "file whose content follows the request, as of -f"),
    Option("pipeline", list, "send all these commands on one connection", None, "nargs"),
    Option("pipeline_delay", float, "ms between pipelined requests (default: one write)"),
    Option("raw_hex", str, "send exactly these bytes in place of a request"),
    # how it is sent
    Option("newline", bool, "end the request with a newline"),
    Option("no_newline", bool, "no newline (the default, but not of --pipeline)"),
    Option("no_trailing_space", bool, "no space after the last word"),
    Option("no_half_close", bool, "keep our direction open after the request"),
    Option("split", int, "send in pieces of N bytes (1 when only --byte-delay is given)"),
    Option("byte_delay", float, "pause between pieces in ms (20 when only --split is given)"),
    Option("junk", int, "send N bytes of junk"),
    Option("junk_at", str, "where (default after)", ("before", "after", "instead")),
    Option("junk_delay", float, "ms between the request and junk after it (default 0)"),
    Option("junk_seed", int, "which junk (default 1)"),
    Option("close_after", float, "close MS after sending, if nothing came until then"),
    Option("abort_rst", bool, "with --close-after: reset in place of an orderly close"),
    # TLS
    Option("tls", bool, "the tag in clear, then TLS"),
    Option("tls_version", str, "only this version of TLS", tuple(TLS_VERSIONS)),
    Option("cafile", str, "check the server's certificate against these"),
    Option("cert", str, "certificate of the client (PEM)"),
    Option("key", str, "its key, if not in the same file"),
    Option("check_name", bool, "the certificate's common name must resolve to the address"),
    Option("tag_hex", str, "other bytes in place of the tag; empty: none"),
    Option("tag_glue", bool, "tag and the first handshake bytes in one write"),
    Option("tag_delay", float, "ms between the tag and the handshake"),
    # what is made of the answer
    Option("linger", float, "UDP: go on receiving for MS after the first datagram"),
    Option("follow", int, "follow up to N redirects (the original: 4)"),
    Option("parse", bool, 'add "parsed" or "parse_error" (see tmcd_parse.py)'),
    Option("command", list, "command and arguments", None, "positional"),
)

SCRIPT_ONLY = ("id", "start_after_ms", "after", "after_sent")


@dataclass(frozen=True)
class Spec:
    """What one client is to do; the fields are those of ``OPTIONS``."""

    host: str = "127.0.0.1"
    port: int = 7777
    source: str | None = None
    source_port: int = 0
    udp: bool = False
    timeout: float = 10.0
    version: str = CURRENT_VERSION
    vnodeid: str | None = None
    privkey: str | None = None
    idkey: str | None = None
    redirect: str | None = None
    key_option: tuple[str, ...] = ()
    data: str | None = None
    file: str | None = None
    pipeline: tuple[str, ...] = ()
    pipeline_delay: float | None = None
    raw_hex: str | None = None
    newline: bool = False
    no_newline: bool = False
    no_trailing_space: bool = False
    no_half_close: bool = False
    split: int | None = None
    byte_delay: float | None = None
    junk: int = 0
    junk_at: str = "after"
    junk_delay: float = 0.0
    junk_seed: int = 1
    close_after: float | None = None
    abort_rst: bool = False
    tls: bool = False
    tls_version: str | None = None
    cafile: str | None = None
    cert: str | None = None
    key: str | None = None
    check_name: bool = False
    tag_hex: str | None = None
    tag_glue: bool = False
    tag_delay: float | None = None
    linger: float = 0.0
    follow: int = 0
    parse: bool = False
    command: tuple[str, ...] = ()


def checked(option: Option, value: Any) -> Any:
    """A JSON value as the type the option wants, or a complaint."""
    if type(value) is int and option.kind in (str, float):
        value = option.kind(value)  # {"version": 34} is meant well
    if option.kind is list and isinstance(value, str):
        value = [value]
    if type(value) is not option.kind:
        raise UsageError(f"{option.key}: not of type {option.kind.__name__}: {value!r}")
    if option.kind is list:
        if not all(isinstance(word, str) for word in value):
            raise UsageError(f"{option.key}: not a list of texts")
        return tuple(value)
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
    """Refuse what cannot be done, rather than dropping it."""
    asks = [bool(spec.command), bool(spec.pipeline), spec.raw_hex is not None]
    asks.append(bool(spec.junk) and spec.junk_at == "instead")
    if sum(asks) != 1:
        raise UsageError("give one of: a command, pipeline, raw_hex, junk instead")
    if spec.udp and spec.tls:
        raise UsageError("tls: UDP is never encrypted")
    if spec.newline and spec.no_newline:
        raise UsageError("newline: not together with no_newline")
    if spec.split is not None and spec.split < 1:
        raise UsageError("split: must be at least 1")
    if not 0 < spec.port < 65536:
        raise UsageError(f"port: not between 0 and 65536: {spec.port}")
    requests(spec)
    tag(spec)


# -- the request -------------------------------------------------------------


def from_hex(key: str, text: str) -> bytes:
    """Bytes written in hex."""
    try:
        return bytes.fromhex(text)
    except ValueError as problem:
        raise UsageError(f"{key}: {problem}") from None


def to_bytes(text: str) -> bytes:
    """Text of the command line, odd bytes included."""
    return text.encode("utf-8", "surrogateescape")


def option_words(spec: Spec) -> list[str]:
    """Option words.  VNODEID, PRIVKEY, VERSION come in the original's order."""
    words = list(spec.key_option)
    named = {
        "REDIRECT": spec.redirect,
        "IDKEY": spec.idkey,
        "VNODEID": spec.vnodeid,
        "PRIVKEY": spec.privkey,
        "VERSION": None if spec.version == "none" else spec.version,
    }
    return words + [f"{word}={value}" for word, value in named.items() if value is not None]


def request_bytes(spec: Spec, command: str, newline: bool) -> bytes:
    """One request: a space after every word, also the last."""
    text = " ".join([*option_words(spec), command])
    text += "" if spec.no_trailing_space else " "
    return to_bytes(text) + appended(spec) + (b"\n" if newline else b"")


def appended(spec: Spec) -> bytes:
    """What ``-f`` of the original client appends."""
    content = b"" if spec.data is None else to_bytes(spec.data)
    if spec.file is None:
        return content
    try:
        return content + Path(spec.file).read_bytes()
    except OSError as problem:
        raise UsageError(f"file: {problem}") from None


def junk_bytes(spec: Spec) -> bytes:
    """The same junk for the same seed, of all byte values."""
    return random.Random(spec.junk_seed).randbytes(spec.junk)


def requests(spec: Spec) -> list[bytes]:
    """All that is to be sent, junk after it left out, in separate writes.

    Pipelined requests end with a newline unless told otherwise: without one
    nobody could tell where the second begins.
    """
    if spec.pipeline:
        found = [request_bytes(spec, one, not spec.no_newline) for one in spec.pipeline]
        found = [b"".join(found)] if spec.pipeline_delay is None else found
    elif spec.raw_hex is not None:
        found = [from_hex("raw_hex", spec.raw_hex)]
    elif spec.command:
        found = [request_bytes(spec, " ".join(spec.command), spec.newline)]
    else:
        found = [b""]
    if spec.junk_at != "after":
        found[0] = junk_bytes(spec) + found[0]
    return found


def pieces(spec: Spec, data: bytes) -> list[bytes]:
    """Bytes cut as asked for."""
    size = spec.split
    if size is None:
        size = len(data) if spec.byte_delay is None else 1
    return [data[at : at + size] for at in range(0, len(data), max(1, size))]


def tag(spec: Spec) -> bytes:
    """What announces TLS."""
    return TLS_TAG if spec.tag_hex is None else from_hex("tag_hex", spec.tag_hex)


# -- the wire, plain and encrypted -------------------------------------------


class Wire(Protocol):
    """A connection that carries requests and replies."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""

    async def receive(self) -> bytes:
        """Some bytes; none at the end of the stream."""

    def finish(self) -> None:
        """Tell the server that no more comes, where that is possible."""


class PlainWire:
    """The bytes as they are, on a connected socket of either kind."""

    def __init__(self, sock: socket.socket, half_close: bool) -> None:
        self._sock = sock
        self._half_close = half_close

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def receive(self) -> bytes:
        """Some bytes; none at the end of the stream."""
        return await asyncio.get_running_loop().sock_recv(self._sock, READ_SIZE)

    def finish(self) -> None:
        """Half-close, as the original client does in plain mode."""
        if self._half_close:
            self._sock.shutdown(socket.SHUT_WR)


class TlsWire:
    """TLS in memory, so that tag and handshake can be sent as one chooses."""

    def __init__(self, plain: PlainWire, context: ssl.SSLContext) -> None:
        self._plain = plain
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        self.orderly = False

    async def handshake(self, front: bytes) -> None:
        """Shake hands; ``front`` goes before the first bytes, in one write."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush(front)
                front = b""
                await self._fill("handshake")
            except ssl.SSLError as problem:
                await self._flush(front)  # the alert
                raise TlsFailure(f"handshake: {problem}") from None
        await self._flush(front)

    async def send(self, data: bytes) -> None:
        """Send all of it, as a record of its own."""
        self._tls.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """Some bytes; none at the end, with or without a close alert."""
        while True:
            try:
                data = self._tls.read(READ_SIZE)
                self.orderly = not data  # only a close alert ends it here
                return data
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill(None):
                    return b""
            except ssl.SSLError as problem:
                raise TlsFailure(f"stream: {problem}") from None

    def finish(self) -> None:
        """TLS has no half-close that the original would use."""

    def facts(self) -> dict[str, Any]:
        """What was agreed on, for the report."""
        cipher = self._tls.cipher()
        name = common_name(self._tls)
        return {
            "version": self._tls.version(),
            "cipher": cipher[0] if cipher else None,
            "peer_cn": name,
            "close_notify": self.orderly,
        }

    def peer_name(self) -> str | None:
        """The common name of the server, if its certificate was checked."""
        return common_name(self._tls)

    async def _flush(self, front: bytes = b"") -> None:
        data = front + self._out.read()
        if data:
            await self._plain.send(data)

    async def _fill(self, stage: str | None) -> bool:
        data = await self._plain.receive()
        if data:
            self._in.write(data)
        elif stage:
            raise EOFError(stage)
        return bool(data)


def common_name(tls: ssl.SSLObject) -> str | None:
    """The common name of the peer; only known when its certificate is checked."""
    if tls.version() is None:
        return None  # the handshake is not done
    certificate = tls.getpeercert() or {}
    subject: Any = certificate.get("subject", ())
    return next((v for part in subject for k, v in part if k == "commonName"), None)


def tls_context(spec: Spec) -> ssl.SSLContext:
    """Versions and certificates as asked; old versions need weak ciphers too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if spec.cafile else ssl.CERT_NONE
    if spec.tls_version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        wanted = TLS_VERSIONS[spec.tls_version]
        warnings.simplefilter("ignore", DeprecationWarning)  # old is what is wanted
        context.minimum_version = wanted
        context.maximum_version = wanted
    if spec.cafile:
        context.load_verify_locations(spec.cafile)
    if spec.cert:
        context.load_cert_chain(spec.cert, spec.key)
    return context


async def check_name(spec: Spec, name: str | None) -> None:
    """The original's rule: the common name resolves to the connected address."""
    if name is None:
        raise TlsFailure("name: no common name known (cafile is needed to see it)")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(name, None, family=socket.AF_INET)
        wanted = await loop.getaddrinfo(spec.host, None, family=socket.AF_INET)
    except socket.gaierror as problem:
        raise TlsFailure(f"name: {name}: {problem}") from None
    if wanted[0][4][0] not in {entry[4][0] for entry in found}:
        raise TlsFailure(f"name: {name} is not {spec.host}")


# -- one conversation --------------------------------------------------------


@dataclass
class Result:
    """What came of it, before it is printed."""

    outcome: str
    closed: bool = False
    detail: str | None = None


@dataclass
class Conversation:
    """One client at work: its connection and what it has received so far."""

    spec: Spec
    sent: asyncio.Event
    reply: bytearray = field(default_factory=bytearray)
    datagrams: int = 0
    tls: TlsWire | None = None

    async def run(self) -> Result:
        """Everything from the socket to its close; never raises OSError."""
        kind = socket.SOCK_DGRAM if self.spec.udp else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.setblocking(False)
            try:
                async with asyncio.timeout(self.spec.timeout):
                    await self._connect(sock)
                    return await self._talk(sock, await self._wire(sock))
            except TimeoutError:
                return Result("reply" if self.reply else "timeout")
            except (OSError, EOFError, TlsFailure) as problem:
                return failed(problem)
            finally:
                self.sent.set()

    async def _connect(self, sock: socket.socket) -> None:
        """Bind and connect.  UDP too, so that an unreachable port shows."""
        spec = self.spec
        if spec.source is not None or spec.source_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((spec.source or "0.0.0.0", spec.source_port))
        if not spec.udp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (spec.host, spec.port))

    async def _wire(self, sock: socket.socket) -> Wire:
        """The wire to talk on; for TLS the tag comes before the handshake."""
        spec = self.spec
        plain = PlainWire(sock, not (spec.udp or spec.tls or spec.no_half_close))
        if not spec.tls:
            return plain
        self.tls = TlsWire(plain, tls_context(spec))
        front = tag(spec)
        if not spec.tag_glue:
            for piece in pieces(spec, front):
                await plain.send(piece)
                await asyncio.sleep(pause_of(spec))
            await asyncio.sleep((spec.tag_delay or 0) / 1000)
            front = b""
        await self.tls.handshake(front)
        if spec.check_name:
            await check_name(spec, self.tls.peer_name())
        return self.tls

    async def _talk(self, sock: socket.socket, wire: Wire) -> Result:
        """Send and receive at once, until an end comes from either side.

        Both run side by side because a server may answer or close while a
        slow request is still being sent.
        """
        receive = self._receive_datagrams if self.spec.udp else self._receive_stream
        reader = asyncio.create_task(receive(wire))
        writer = asyncio.create_task(self._send_all(wire))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if not reader.done() and self.spec.close_after is not None:
                await asyncio.wait({reader}, timeout=self.spec.close_after / 1000)
                if not reader.done():
                    return self._gave_up(sock)
            return await reader
        finally:
            await stop(reader, writer)

    def _gave_up(self, sock: socket.socket) -> Result:
        """``--close-after`` came first."""
        if self.spec.abort_rst:
            linger = (1).to_bytes(4, sys.byteorder) + bytes(4)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return Result("reply" if self.reply else "aborted")

    async def _receive_stream(self, wire: Wire) -> Result:
        """Read until the server closes: that is what ends a reply."""
        try:
            while data := await wire.receive():
                self.reply += data
        except (OSError, TlsFailure) as problem:
            return failed(problem)
        return Result("reply" if self.reply else "eof", closed=True)

    async def _receive_datagrams(self, wire: Wire) -> Result:
        """One datagram is the answer; more are counted, for they are wrong."""
        try:
            self.reply += await wire.receive()
            self.datagrams = 1
            async with asyncio.timeout(self.spec.linger / 1000):
                while True:
                    self.reply += await wire.receive()
                    self.datagrams += 1
        except TimeoutError:
            return Result("reply")
        except OSError as problem:
            return failed(problem)

    async def _send_all(self, wire: Wire) -> None:
        """Requests, junk, half-close.

        A send error is left to the reader, which still gets what the server
        may have said before it broke off.
        """
        spec = self.spec
        try:
            for number, request in enumerate(requests(spec)):
                await asyncio.sleep((spec.pipeline_delay or 0) / 1000 if number else 0)
                await send_pieces(spec, wire, request)
            if spec.junk and spec.junk_at == "after":
                await asyncio.sleep(spec.junk_delay / 1000)
                await wire.send(junk_bytes(spec))
            wire.finish()
        except OSError:
            pass
        finally:
            self.sent.set()


async def send_pieces(spec: Spec, wire: Wire, data: bytes) -> None:
    """One request in the pieces asked for, an empty datagram included."""
    for number, piece in enumerate(pieces(spec, data) or [data]):
        if number:
            await asyncio.sleep(pause_of(spec))
        if piece or spec.udp:
            await wire.send(piece)


def pause_of(spec: Spec) -> float:
    """Seconds between pieces."""
    if spec.byte_delay is not None:
        return spec.byte_delay / 1000
    return 0.0 if spec.split is None else DEFAULT_PIECE_PAUSE_MS / 1000


def failed(problem: Exception) -> Result:
    """The outcome that an error stands for."""
    if isinstance(problem, ConnectionRefusedError):
        return Result("refused")
    if isinstance(problem, (ConnectionResetError, BrokenPipeError)):
        return Result("reset")
    if isinstance(problem, EOFError):
        return Result("eof", closed=True, detail=str(problem))
    if isinstance(problem, TlsFailure):
        return Result("tls", detail=str(problem))
    return Result("error", detail=str(problem))


async def stop(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they no longer touch their socket."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_once(spec: Spec, sent: asyncio.Event) -> dict[str, Any]:
    """One exchange and its description, without what was made of it."""
    begin = time.monotonic()
    conversation = Conversation(spec, sent)
    result = await conversation.run()
    reply = bytes(conversation.reply)
    described: dict[str, Any] = {
        "outcome": result.outcome,
        "reply": reply.decode("utf-8", "backslashreplace"),
        "reply_hex": reply.hex(),
        "closed": result.closed,
        "elapsed_ms": round((time.monotonic() - begin) * 1000),
    }
    if spec.udp:
        described["datagrams"] = conversation.datagrams
    if conversation.tls is not None:
        described["tls"] = conversation.tls.facts()
    return described if result.detail is None else described | {"detail": result.detail}


async def run_client(spec: Spec, sent: asyncio.Event) -> dict[str, Any]:
    """Run one client, follow redirects if asked, and describe the end."""
    described = await run_once(spec, sent)
    path: list[str] = []
    while target := redirect_target(described["reply"]):
        if len(path) >= spec.follow:
            break
        host, vnodeid = target
        path.append(host)
        spec = replace(spec, host=host, vnodeid=vnodeid or spec.vnodeid)
        described = await run_once(spec, sent)
    if path:
        described["redirects"] = path
    return described | parsed_reply(spec, bytes.fromhex(described["reply_hex"]))


def redirect_target(reply: str) -> tuple[str, str | None] | None:
    """Where a reply sends the client to, and as which virtual node."""
    if not reply.startswith("REDIRECT="):
        return None
    host, _, vnodeid = reply.removeprefix("REDIRECT=").split()[0].partition(":")
    return host, vnodeid or None


def parsed_reply(spec: Spec, reply: bytes) -> dict[str, Any]:
    """The reply by the documented format of the command."""
    if not spec.parse or not spec.command:
        return {}
    version = int(spec.version) if spec.version.isdigit() else tmcd_parse.OLDEST_VERSION
    command = spec.command[0].split(" ")[0]
    try:
        return {"parsed": tmcd_parse.parse(command, reply, version)}
    except tmcd_parse.FormatError as problem:
        return {"parse_error": problem.described()}


# -- many clients ------------------------------------------------------------


@dataclass
class Entry:
    """One line of a script."""

    ident: Any
    spec: Spec
    start_after_ms: float
    after: tuple[Any, ...]
    after_sent: tuple[Any, ...]

    def needs(self) -> tuple[Any, ...]:
        """All ids it waits for before it starts."""
        return self.after + self.after_sent


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
    for asks in ("command", "pipeline", "raw_hex"):
        if asks in own:  # else a default request would stand beside it
            base = {k: v for k, v in base.items() if k not in ("command", "pipeline", "raw_hex")}
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
            print_line({"id": values.get("id"), "outcome": "error", "detail": str(problem)})
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
        try:
            described = await run_client(entry.spec, marks.sent)
        except Exception as problem:  # one client must not take the others along
            described = {"outcome": "error", "detail": repr(problem)}
        print_line({"id": entry.ident} | described)
        marks.sent.set()
        marks.ended.set()

    def _drop_hopeless(self) -> None:
        """End clients that wait for one who never comes, or in a circle."""
        can_start: set[Any] = set()
        pending = dict(self._entries)
        while ready := [i for i, e in pending.items() if can_start.issuperset(e.needs())]:
            can_start.update(ready)
            for ident in ready:
                del pending[ident]
        for ident in pending:
            self._tasks[ident].cancel()
            print_line({"id": ident, "outcome": "error", "detail": "its start never comes"})


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


def add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    """An option as argparse wants it; what is not given stays absent."""
    extra: dict[str, Any] = {"default": argparse.SUPPRESS, "help": option.text}
    if option.many == "positional":
        parser.add_argument(option.key, nargs="*", default=[], help=option.text)
    elif option.kind is bool:
        parser.add_argument(option.flag, action="store_true", **extra)
    elif option.kind is list and option.many == "nargs":
        parser.add_argument(option.flag, dest=option.key, nargs="+", **extra)
    elif option.kind is list:
        parser.add_argument(option.flag, dest=option.key, action="append", **extra)
    else:
        extra |= {"type": option.kind, "choices": option.choices}
        parser.add_argument(option.flag, dest=option.key, **extra)


def parse_arguments(arguments: list[str]) -> tuple[str | None, dict[str, Any]]:
    """The script to run, if any, and the options that were given."""
    parser = argparse.ArgumentParser(
        description="Client of the node configuration service, for tests.", allow_abbrev=False
    )
    parser.add_argument("--script", metavar="FILE", help="run clients from JSON lines; - is stdin")
    for option in OPTIONS:
        add_option(parser, option)
    given = vars(parser.parse_intermixed_args(arguments))
    if not given["command"]:
        del given["command"]
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
        if script is not None:
            return asyncio.run(Script(given).run(script))
        return asyncio.run(run_one(make_spec(given)))
    except UsageError as problem:
        print(f"tmcd_client.py: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
