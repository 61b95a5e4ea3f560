#!/usr/bin/env python3
"""A server of the Emulab sync service, for testing clients.

It follows the rules of the reference daemon without its faults, on TCP and on
UDP (where it answers to the port a datagram came from), for requests of 72
and 76 bytes in both byte orders.  On demand it is nasty instead: it answers
nonsense, closes early, drops datagrams, or comes up late.

Usage:  python3 sync_server.py --port 0      prints "listening PORT"
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, TextIO, cast

from barrier_model import INIT, NAME_FIELD, WAIT, BarrierTable, Release, barrier_name

OLD_SIZE, NEW_SIZE = 72, 76
KNOWN_WORDS = (INIT, WAIT)
BACKLOG = 4096
LINGER_S = 2.0
SWEEP_S = 0.2


# -- wire format -------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A request as read from the wire, with what is needed to answer it."""

    size: int
    order: str
    name: bytes
    word: int
    flags: int
    count: int
    error: int

    def reply(self, error: int) -> bytes:
        """Version 1 hears 1 whatever happened, version 2 hears the error."""
        return struct.pack(f"{self.order}i", 1 if self.size == OLD_SIZE else error)


def read_word(data: bytes) -> tuple[str, int, int]:
    """Byte order, request word and flags: the order shows in the word.

    The first layout has a 32-bit request word.  Little-endian it reads the
    same as a 16-bit word with flags 0; big-endian it starts with two bytes of
    0, which is no request in either order, so that it cannot be mistaken.
    """
    at = NAME_FIELD
    for order in "<>":
        word, flags = struct.unpack_from(f"{order}HH", data, at)
        if word in KNOWN_WORDS:
            return order, word, flags
    (word,) = struct.unpack_from(">I", data, at)
    if len(data) == OLD_SIZE and word in KNOWN_WORDS:
        return ">", word, 0
    word, flags = struct.unpack_from("<HH", data, at)
    return "<", word, flags


def decode(data: bytes) -> Request:
    """A request of 72 or 76 bytes."""
    order, word, flags = read_word(data)
    (count,) = struct.unpack_from(f"{order}i", data, 68)
    error = struct.unpack_from(f"{order}i", data, 72)[0] if len(data) == NEW_SIZE else 0
    return Request(len(data), order, barrier_name(data), word, flags, count, error)


# -- options -----------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """The command line."""

    host: str
    port: int
    log: str | None
    reply: bytes | None
    close_now: bool
    ignore_first: int
    refuse_for: float
    until_stdin_eof: bool
    allow: frozenset[str]
    v1_grace: float
    udp_expiry: float
    udp_silent_expiry: float
    udp_memory: float

    def may_use(self, origin: Any, _name: bytes) -> bool:
        """Hosts that may use barriers; all of them unless some are named."""
        return not self.allow or origin in self.allow


class RequestLog:
    """One JSON line for each request that arrives."""

    def __init__(self, path: str | None) -> None:
        self._file: TextIO | None = None
        if path is not None:
            self._file = open(path, "a", encoding="utf-8")  # open as long as we run

    def write(self, transport: str, peer: tuple[str, int], data: bytes, verdict: str) -> None:
        """``verdict``: request, partial (ended too early), bad (size), dropped."""
        if self._file is None:
            return
        entry = {
            "hex": data.hex(),
            "transport": transport,
            "peer_port": peer[1],
            "peer_host": peer[0],
            "verdict": verdict,
            "time": round(time.time(), 3),
        }
        print(json.dumps(entry), file=self._file, flush=True)


# -- the server --------------------------------------------------------------


class Waiter:
    """One client as the barrier table knows it, whatever its transport."""

    request: Request

    def release(self, error: int) -> None:
        """Tell the client that it may go on."""
        self.answer(self.request.reply(error))

    def answer(self, reply: bytes) -> None:
        """Send these bytes and be done with the client."""
        raise NotImplementedError

    def shut_out(self) -> None:
        """Be done with the client without an answer."""
        raise NotImplementedError


class Server:
    """What TCP and UDP share: settings, log and barriers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = RequestLog(settings.log)
        self.table: BarrierTable[Waiter] = BarrierTable(settings.may_use)

    def arrive(self, waiter: Waiter, host: str) -> None:
        """A whole request is there: treat it by the rules, or nastily."""
        if self.settings.close_now:
            waiter.shut_out()
        elif self.settings.reply is not None:
            waiter.answer(self.settings.reply)
        else:
            self._obey_rules(waiter, host)

    def _obey_rules(self, waiter: Waiter, host: str) -> None:
        r = waiter.request
        outcome = self.table.request(waiter, r.name, r.word, r.flags, r.count, r.error, host)
        if outcome.rejected:
            waiter.shut_out()
        release_all(outcome.released)

    def leave(self, waiter: Waiter) -> None:
        """A client is gone; that may release others."""
        release_all(self.table.leave(waiter))

    def clear(self) -> None:
        """The HUP signal."""
        release_all(self.table.clear())


def release_all(released: tuple[Release[Waiter], ...]) -> None:
    """Answer everybody on the list."""
    for release in released:
        release.waiter.release(release.error)


# -- TCP ---------------------------------------------------------------------


class TcpClient(asyncio.Protocol, Waiter):
    """One connection: first reading a request, then waiting, then done.

    Nothing here blocks, so a client that stalls holds up nobody.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._state = "reading"
        self._data = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._peer: tuple[str, int]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted."""
        self._transport = cast(asyncio.Transport, transport)
        self._peer = transport.get_extra_info("peername")

    def data_received(self, data: bytes) -> None:
        """Collect the request; whatever comes later is read and dropped.

        72 bytes may be all of an old request or the start of a new one.  Only
        time tells: an old client stops there and waits.
        """
        if self._state != "reading":
            return
        self._data += data
        self._stop_timer()
        if len(self._data) >= NEW_SIZE:
            self._begin(NEW_SIZE)
        elif len(self._data) == OLD_SIZE:
            grace = self._server.settings.v1_grace
            self._timer = asyncio.get_running_loop().call_later(grace, self._begin, OLD_SIZE)

    def eof_received(self) -> None:
        """The client closed; returning nothing closes our side too."""
        self._hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by a close or by a reset."""
        self._hang_up()
        self._stop_timer()

    def answer(self, reply: bytes) -> None:
        """Answer and close our half, reading on for a moment.

        Closing at once would turn into a reset if the client had sent bytes
        that were not read yet, and a reset can destroy the answer.
        """
        self._state = "done"
        if self._transport.is_closing():
            return
        self._transport.write(reply)
        self._transport.write_eof()
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)

    def shut_out(self) -> None:
        """Close without an answer."""
        self.answer(b"")

    def _begin(self, size: int) -> None:
        """A whole request of that size is there."""
        data = bytes(self._data[:size])
        self._state = "waiting"
        self.request = decode(data)
        self._server.log.write("tcp", self._peer, data, "request")
        self._server.arrive(self, self._peer[0])

    def _hang_up(self) -> None:
        """The client is gone, maybe straight after a whole old request."""
        if self._state == "reading" and len(self._data) == OLD_SIZE:
            self._stop_timer()
            self._begin(OLD_SIZE)
        if self._state == "reading" and self._data:
            self._server.log.write("tcp", self._peer, bytes(self._data), "partial")
        if self._state == "waiting":
            self._server.leave(self)
        self._state = "done"

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


# -- UDP ---------------------------------------------------------------------


@dataclass(eq=False)
class UdpClient(Waiter):
    """One request by datagram; the same bytes from the same port are a repeat.

    The answer is kept for a while, because it can get lost like any datagram:
    a repeat that comes after it is answered again, not counted again.
    """

    side: UdpSide
    peer: tuple[str, int]
    data: bytes
    heard: float
    repeated: bool = False
    reply: bytes | None = None
    request: Request = field(init=False)

    def __post_init__(self) -> None:
        self.request = decode(self.data)

    def repeat(self, now: float) -> None:
        """The same datagram again."""
        self.heard, self.repeated = now, True
        if self.reply is not None:
            self.side.send(self.reply, self.peer)

    def answer(self, reply: bytes) -> None:
        """Answer to the port that the request came from."""
        self.reply = reply
        self.heard = asyncio.get_running_loop().time()
        self.side.send(reply, self.peer)

    def shut_out(self) -> None:
        """There is no connection to close: forget the client."""
        self.side.forget(self)

    def is_over(self, now: float, settings: Settings) -> bool:
        """Whether nothing more is expected of this client.

        One that used to repeat itself and fell silent is dead.  One that
        never did may be an old client that waits in patience.
        """
        if self.reply is not None:
            patience = settings.udp_memory
        elif self.repeated:
            patience = settings.udp_expiry
        else:
            patience = settings.udp_silent_expiry
        return now - self.heard > patience


class UdpSide(asyncio.DatagramProtocol):
    """All datagrams."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._to_ignore = server.settings.ignore_first
        self._clients: dict[tuple[tuple[str, int], bytes], UdpClient] = {}
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._sweep()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Judge one datagram: lost on purpose, no request, a repeat, or new."""
        log = self._server.log
        if self._to_ignore > 0:
            self._to_ignore -= 1
            log.write("udp", addr, data, "dropped")
        elif len(data) not in (OLD_SIZE, NEW_SIZE):
            log.write("udp", addr, data, "bad")
        else:
            log.write("udp", addr, data, "request")
            self._take(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Says nothing of which client it is about; expiry deals with the dead."""

    def send(self, reply: bytes, peer: tuple[str, int]) -> None:
        """One datagram."""
        self._transport.sendto(reply, peer)

    def forget(self, client: UdpClient) -> None:
        """Further datagrams of this client are news."""
        self._clients.pop((client.peer, client.data), None)

    def _take(self, data: bytes, addr: tuple[str, int]) -> None:
        now = asyncio.get_running_loop().time()
        known = self._clients.get((addr, data))
        if known is not None:
            known.repeat(now)
            return
        client = UdpClient(self, addr, data, now)
        self._clients[addr, data] = client
        self._server.arrive(client, addr[0])

    def _sweep(self) -> None:
        """Now and then drop who is over; the table undoes those who waited."""
        loop = asyncio.get_running_loop()
        now, settings = loop.time(), self._server.settings
        for client in [c for c in self._clients.values() if c.is_over(now, settings)]:
            self.forget(client)
            self._server.leave(client)
        loop.call_later(SWEEP_S, self._sweep)


# -- coming up and going down ------------------------------------------------


def tcp_socket(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet, so connects are refused."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


async def open_udp(server: Server, port: int) -> None:
    """Take datagrams on the port TCP got."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind((server.settings.host, port))
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: UdpSide(server), sock=sock)


async def open_both(server: Server) -> int:
    """TCP and UDP on one port; a free TCP port may be taken on UDP: try on."""
    settings, loop = server.settings, asyncio.get_running_loop()
    for attempts_left in range(20, -1, -1):
        tcp = tcp_socket(settings.host, settings.port)
        port: int = tcp.getsockname()[1]
        try:
            if settings.refuse_for > 0:
                print(f"refusing {port}", flush=True)
                await asyncio.sleep(settings.refuse_for)
            await open_udp(server, port)
            await loop.create_server(lambda: TcpClient(server), sock=tcp, backlog=BACKLOG)
            return port
        except OSError:
            tcp.close()
            if settings.port or settings.refuse_for > 0 or not attempts_left:
                raise
    raise AssertionError("not reached")


def watch_stdin(stop: asyncio.Event) -> None:
    """Set ``stop`` at the end of stdin, so we never outlive who started us.

    The thread reads the descriptor itself: a thread inside ``sys.stdin`` would
    hold a lock that the interpreter needs when it ends by a signal.
    """
    loop = asyncio.get_running_loop()

    def drain() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=drain, daemon=True).start()


async def serve(settings: Settings) -> int:
    """Run until told to end."""
    server, stop = Server(settings), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, server.clear)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # verbosity: nothing to say here
    if settings.until_stdin_eof:
        watch_stdin(stop)
    opening = asyncio.create_task(open_both(server))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({opening, stopping}, return_when="FIRST_COMPLETED")
    if opening.done():
        if problem := opening.exception():
            print(f"sync_server.py: {problem}", file=sys.stderr)
            return 1
        print(f"listening {opening.result()}", flush=True)
    await stopping
    opening.cancel()
    return 0


def parse_arguments(arguments: list[str]) -> Settings:
    """The command line as settings."""
    parser = argparse.ArgumentParser(description="Emulab sync server for tests.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--port", type=int, default=16534, help="port; 0 takes a free one (default 16534)")
    add("--log", metavar="FILE", help="append one JSON line for each request")
    add("--until-stdin-eof", action="store_true", help="end when stdin ends")
    add("--allow", action="append", default=[], metavar="ADDR", help="shut others out; repeatable")
    nasty = parser.add_mutually_exclusive_group()
    nasty.add_argument(
        "--reply-hex",
        type=bytes.fromhex,
        dest="reply",
        metavar="HEX",
        help="answer every request with these bytes, then close",
    )
    nasty.add_argument(
        "--reply-short",
        action="store_const",
        const=b"\0\0",
        dest="reply",
        help="answer every request with two bytes, then close",
    )
    nasty.add_argument("--close-now", action="store_true", help="close after every request")
    add("--ignore-first", type=int, default=0, metavar="N", help="drop the first N datagrams")
    add(
        "--refuse-for",
        type=float,
        default=0.0,
        metavar="S",
        help='listen only after S seconds; prints "refusing PORT" meanwhile',
    )
    add(
        "--v1-grace-ms",
        type=float,
        default=200.0,
        metavar="MS",
        help="72 bytes and then this long nothing is an old request (default 200)",
    )
    add(
        "--udp-expiry",
        type=float,
        default=15.0,
        metavar="S",
        help="a UDP waiter that repeated itself is dead after S silent seconds (default 15)",
    )
    add(
        "--udp-silent-expiry",
        type=float,
        default=3600.0,
        metavar="S",
        help="the same for one that never repeated itself (default 3600)",
    )
    add(
        "--udp-memory",
        type=float,
        default=10.0,
        metavar="S",
        help="answer repeats again for S seconds after the answer (default 10)",
    )
    given = vars(parser.parse_args(arguments))
    given["allow"] = frozenset(given["allow"])
    given["v1_grace"] = given.pop("v1_grace_ms") / 1000
    return Settings(**given)


def main() -> int:
    """Command line."""
    settings = parse_arguments(sys.argv[1:])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return asyncio.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
