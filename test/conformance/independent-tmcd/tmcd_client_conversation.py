"""One conversation of a client: connect, send, receive, say what came of it."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any

import tmcd_parse
from tmcd_client_options import Spec, junk_bytes, pieces, requests, tag
from tmcd_client_wire import PlainWire, TlsFailure, TlsWire, Wire, check_name, tls_context
from tmcd_layout import OLDEST_VERSION, FormatError

DEFAULT_PIECE_PAUSE_MS = 20.0


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
    version = int(spec.version) if spec.version.isdigit() else OLDEST_VERSION
    command = spec.command[0].split(" ")[0]
    try:
        return {"parsed": tmcd_parse.parse(command, reply, version)}
    except FormatError as problem:
        return {"parse_error": problem.described()}
