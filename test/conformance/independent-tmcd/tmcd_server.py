#!/usr/bin/env python3
"""A node configuration server for testing clients, nasty on demand.

It answers from a JSON description of nodes (see the README), over TCP, over
TLS after the tag in clear, and over UDP.

Usage:  tmcd_server.py --nodes FILE --port 0         prints "listening PORT"
        tmcd_server.py --nodes FILE --ask NODE 'VERSION=34 hostnames '
                                                     prints that reply only
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import select
import signal
import socket
import ssl
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from typing import Any, TextIO

from tmcd_model import IDENTIFY, Answer, Model, Origin, load
from tmcd_table import find_command

TLS_TAG = b"ISPEAKSSL_TMCDV10"
TCP_LIMIT = 16383
UDP_LIMIT = 2047
UDP_REPLY_LIMIT = 8192
IO_TIMEOUT_S = 3.0
BACKLOG = 1024
PORT_TRIES = 50
LINGER_S = 0.5
NASTY = {
    "silent": "take the request, never answer, never close",
    "close-now": "close before reading anything",
    "close": "close after reading, without an answer",
    "reset": "reset after reading",
    "hold": "answer, never close",
    "short": "answer only the first N bytes",
    "slow": "answer after N ms",
    "drip": "answer byte by byte, N ms between them",
    "reply-hex": "answer these bytes",
    "redirect": "answer REDIRECT=TEXT",
    "twice": "UDP: answer twice",
    "ignore": "drop the first N requests",
}


# -- nastiness ---------------------------------------------------------------


@dataclass(frozen=True)
class Nasty:
    """One bad habit, for all commands or for one."""

    mode: str
    value: str
    command: str | None

    def hits(self, command: str | None) -> bool:
        """Whether it is to be shown on this command."""
        return self.command is None or self.command == command


def parse_nasty(text: str) -> Nasty:
    """``mode[=value][@command]``."""
    head, _, command = text.partition("@")
    mode, _, value = head.partition("=")
    if mode not in NASTY:
        raise argparse.ArgumentTypeError(f"not one of {', '.join(NASTY)}: {mode}")
    if mode in ("short", "slow", "drip", "ignore") and not value.isdigit():
        raise argparse.ArgumentTypeError(f"{mode}: wants a number, as {mode}=N")
    return Nasty(mode, value, command or None)


# -- the server --------------------------------------------------------------


@dataclass
class Server:
    """Sockets on the addresses that nodes call, and what they share."""

    model: Model
    asked: argparse.Namespace
    log: TextIO | None
    context: ssl.SSLContext | None
    lock: threading.Lock = field(default_factory=threading.Lock)
    ignored: int = 0
    held: list[socket.socket] = field(default_factory=list)

    def nasty(self, mode: str, command: str | None) -> str | None:
        """The value of a bad habit, if it is to be shown now."""
        for one in self.asked.nasty:
            if one.mode == mode and one.hits(command):
                return str(one.value)
        return None

    def record(self, data: bytes, origin: Origin, port: int, answer: Answer, verdict: str) -> None:
        """A line of the log."""
        if self.log is None:
            return
        request = answer.request
        line = {
            "time": time.time(),
            "transport": origin.transport,
            "peer": origin.peer,
            "peer_port": port,
            "called_at": origin.local,
            "hex": data.hex(),
            "text": data.decode("utf-8", "backslashreplace"),
            "options": request.options if request else None,
            "command": command_of(answer),
            "args": request.args if request else None,
            "node": answer.node,
            "reply": answer.reply,
            "dropped": answer.dropped,
            "verdict": verdict,
        }
        with self.lock:
            self.log.write(json.dumps(line) + "\n")
            self.log.flush()

    def take(self, data: bytes, origin: Origin, port: int) -> tuple[Answer, bytes | None]:
        """Answer one request; None means not a byte, by habit or refusal."""
        with self.lock:
            model = self.model
        answer = model.answer(data.decode("utf-8", "surrogateescape"), origin)
        reply, verdict = self._spoiled(answer)
        self.record(data, origin, port, answer, verdict)
        return answer, reply

    def _spoiled(self, answer: Answer) -> tuple[bytes | None, str]:
        """The reply after all bad habits, and what to call it."""
        command = command_of(answer)
        ignore = self.nasty("ignore", command)
        if ignore is not None:
            with self.lock:
                self.ignored += 1
                if self.ignored <= int(ignore):
                    return None, "ignored"
        for mode in ("silent", "close", "reset"):
            if self.nasty(mode, command) is not None:
                return None, mode
        reply = answer.reply.encode("utf-8", "surrogateescape")
        verdict = "dropped" if answer.dropped else "answered" if reply else "empty"
        raw, target = self.nasty("reply-hex", command), self.nasty("redirect", command)
        if raw is not None:
            reply = bytes.fromhex(raw)
        elif target is not None:
            reply = f"REDIRECT={target}\n".encode()
        short = self.nasty("short", command)
        if short is not None:
            reply = reply[: int(short)]
        slow = self.nasty("slow", command)
        if slow is not None:
            time.sleep(int(slow) / 1000)
        return reply, verdict


def command_of(answer: Answer) -> str | None:
    """The command that a request was taken for."""
    command = find_command(answer.request.word) if answer.request else None
    return command.word if command else None


# -- TCP ---------------------------------------------------------------------


def serve_tcp(server: Server, listener: socket.socket) -> None:
    """One thread per connection."""
    while True:
        connection, peer = listener.accept()
        given = (server, connection, peer)
        threading.Thread(target=serve_connection, args=given, daemon=True).start()


def serve_connection(server: Server, connection: socket.socket, peer: tuple[str, int]) -> None:
    """One request, one reply, close."""
    connection.settimeout(server.asked.io_timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    local = connection.getsockname()[0]
    if server.nasty("close-now", None) is not None:
        connection.close()
        server.record(b"", Origin("tcp", peer[0], local), peer[1], Answer(), "close-now")
        return
    try:
        converse(server, connection, peer, local)
    except (OSError, ssl.SSLError) as problem:
        answer = Answer(dropped=f"{type(problem).__name__}: {problem}")
        server.record(b"", Origin("tcp", peer[0], local), peer[1], answer, "broken")
        connection.close()


def converse(server: Server, plain: socket.socket, peer: tuple[str, int], local: str) -> None:
    """Sniff for TLS, read, answer, close."""
    connection, data = plain, read_tag(plain)
    transport = "tcp"
    if data == TLS_TAG and server.context is not None:
        connection = server.context.wrap_socket(plain, server_side=True)
        data, transport = b"", "tls"
    data = read_request(connection, data, server.asked)
    answer, reply = server.take(data, Origin(transport, peer[0], local), peer[1])
    command = command_of(answer)
    if reply is None and server.nasty("reset", command) is not None:
        linger = (1).to_bytes(4, sys.byteorder) + bytes(4)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()
        return
    if reply is None and server.nasty("silent", command) is not None:
        server.held.append(connection)
        return
    send_reply(server, connection, reply or b"", command)
    if server.nasty("hold", command) is not None:
        server.held.append(connection)
        return
    close(connection)


def read_tag(connection: socket.socket) -> bytes:
    """The tag, or whatever shows first that it is not the tag."""
    data = b""
    while TLS_TAG.startswith(data) and len(data) < len(TLS_TAG):
        more = connection.recv(len(TLS_TAG) - len(data))
        if not more:
            break
        data += more
    return data


def read_request(connection: socket.socket, data: bytes, asked: argparse.Namespace) -> bytes:
    """The whole request.

    It ends with the client's half-close, or with a newline (``bootlog`` has
    newlines in it), or when nothing more comes for a while.  ``--one-read``
    takes what one read gives, as the original does.
    """
    if asked.one_read:
        connection.setblocking(True)
        connection.settimeout(asked.io_timeout)
        ready = data and not isinstance(connection, ssl.SSLSocket)
        if ready and not select.select([connection], [], [], 0)[0]:
            return data
        return data + connection.recv(TCP_LIMIT - len(data))
    while len(data) < TCP_LIMIT:
        if data.endswith(b"\n") and b"bootlog" not in data:
            break
        connection.settimeout(asked.grace_ms / 1000 if data else asked.io_timeout)
        try:
            more = connection.recv(TCP_LIMIT - len(data))
        except TimeoutError:
            break
        if not more:
            break
        data += more
    connection.settimeout(asked.io_timeout)
    return data


def send_reply(
    server: Server, connection: socket.socket, reply: bytes, command: str | None
) -> None:
    """All at once, or drop by drop."""
    drip = server.nasty("drip", command)
    if drip is None:
        connection.sendall(reply)
        return
    for at in range(len(reply)):
        connection.sendall(reply[at : at + 1])
        time.sleep(int(drip) / 1000)


def close(connection: socket.socket) -> None:
    """Orderly: bytes that nobody read must not turn the close into a reset."""
    with contextlib.suppress(OSError, ssl.SSLError):
        connection.settimeout(LINGER_S)
        plain = connection.unwrap() if isinstance(connection, ssl.SSLSocket) else connection
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(TCP_LIMIT):
            pass
    connection.close()


# -- UDP ---------------------------------------------------------------------


def serve_udp(server: Server, sock: socket.socket) -> None:
    """Datagrams of one address; each is answered by its own thread."""
    local = sock.getsockname()[0]
    while True:
        with contextlib.suppress(OSError):  # an unreachable client of before
            data, peer = sock.recvfrom(UDP_LIMIT)
            work = threading.Thread(
                target=serve_datagram, args=(server, sock, data, peer, local), daemon=True
            )
            work.start()


def serve_datagram(
    server: Server, sock: socket.socket, data: bytes, peer: tuple[str, int], local: str
) -> None:
    """At most one datagram back, none when there is nothing to say."""
    answer, reply = server.take(data, Origin("udp", peer[0], local), peer[1])
    for _ in range(2 if server.nasty("twice", command_of(answer)) is not None else 1):
        if reply:
            with contextlib.suppress(OSError):
                sock.sendto(reply[:UDP_REPLY_LIMIT], peer)


# -- sockets and options -----------------------------------------------------


def bind_all(addresses: list[str], port: int) -> list[tuple[socket.socket, socket.socket]]:
    """A TCP and a UDP socket on each address, all on the same port."""
    for _ in range(PORT_TRIES if port == 0 else 1):
        found: list[tuple[socket.socket, socket.socket]] = []
        with contextlib.ExitStack() as stack:
            chosen = port
            try:
                for address in addresses:
                    found.append(bind_pair(stack, address, chosen))
                    chosen = found[0][0].getsockname()[1]
            except OSError:
                if port:
                    raise
                continue
            stack.pop_all()
            return found
    raise OSError("no port is free on all addresses")


def bind_pair(
    stack: contextlib.ExitStack, address: str, port: int
) -> tuple[socket.socket, socket.socket]:
    """Both sockets of one address; the TCP one does not listen yet."""
    tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((address, port))
    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.bind(tcp.getsockname())
    return tcp, udp


def tls_context(asked: argparse.Namespace) -> ssl.SSLContext | None:
    """TLS, when there is a certificate; old clients may use old versions."""
    if not asked.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(asked.tls_cert, asked.tls_key)
    if asked.tls_old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        warnings.simplefilter("ignore", DeprecationWarning)  # old is what is wanted
        context.minimum_version = ssl.TLSVersion.TLSv1
    if asked.tls_cafile:
        context.load_verify_locations(asked.tls_cafile)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def parse_arguments() -> argparse.Namespace:
    """Options of the command line."""
    modes = "; ".join(f"{mode}: {text}" for mode, text in NASTY.items())
    parser = argparse.ArgumentParser(description="Node configuration server, for tests.")
    add = parser.add_argument
    add("--nodes", required=True, help="JSON description of the nodes")
    add("--port", type=int, default=0, help="0: any free one")
    add("--listen", action="append", default=[], help="address to listen on (default 127.0.0.1)")
    add("--identify", choices=IDENTIFY, default="either", help="by which address")
    add("--log", help="append a JSON line for every request")
    add("--nasty", type=parse_nasty, action="append", default=[], metavar="MODE[=VALUE][@COMMAND]",
        help=modes)  # fmt: skip
    add("--refuse-for", type=float, metavar="S", help="refuse connections at first")
    add("--one-read", action="store_true", help="one read is one request, as originally")
    add("--grace-ms", type=float, default=200, help="silence that ends a request (200)")
    add("--io-timeout", type=float, default=IO_TIMEOUT_S, help="seconds to wait for a client (3)")
    add("--tls-cert", help="certificate (PEM); without it there is no TLS")
    add("--tls-key", help="its key, if not in the same file")
    add("--tls-cafile", help="demand a client certificate by one of these")
    add("--tls-old", action="store_true", help="allow TLS 1.0 and weak ciphers")
    add("--until-stdin-eof", action="store_true", help="end with the end of stdin")
    add("--ask", nargs=2, metavar=("NODE", "REQUEST"), help="print one reply, do not listen")
    return parser.parse_args()


def ask(model: Model, node: str, request: str) -> int:
    """The reply that a node would hear over TLS, for making vectors."""
    found = next((one for one in model.nodes if node in (one.id, one.vname)), None)
    if found is None:
        print(f"tmcd_server.py: no node {node}", file=sys.stderr)
        return 2
    host = next((one for one in model.nodes if one.id == found.host), found)
    front = f"VNODEID={found.id} " if found.virtual else ""
    origin = Origin("tls", host.address or "", host.called_at or "")
    sys.stdout.write(model.answer(front + request, origin).reply)
    return 0


def start(server: Server, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    """Listen, and serve every socket from a thread."""
    for tcp, udp in pairs:
        tcp.listen(BACKLOG)
        threading.Thread(target=serve_tcp, args=(server, tcp), daemon=True).start()
        threading.Thread(target=serve_udp, args=(server, udp), daemon=True).start()


def wait_for_end(server: Server) -> None:
    """Until TERM, INT or the end of stdin; HUP reads the description anew."""
    ended = threading.Event()

    def reread(*_: Any) -> None:
        server.model = load(server.asked.nodes, server.asked.identify)

    def end(*_: Any) -> None:
        ended.set()

    def read_stdin() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        ended.set()

    signal.signal(signal.SIGHUP, reread)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if server.asked.until_stdin_eof:
        threading.Thread(target=read_stdin, daemon=True).start()
    while not ended.wait(0.2):
        pass


def addresses(model: Model, asked: argparse.Namespace) -> list[str]:
    """Where to listen: as told, and wherever nodes call."""
    called = [node.called_at for node in model.nodes if node.called_at]
    return list(dict.fromkeys((asked.listen or ["127.0.0.1"]) + called))


def main() -> int:
    """Listen, say so, serve."""
    asked = parse_arguments()
    model = load(asked.nodes, asked.identify)
    if asked.ask:
        return ask(model, *asked.ask)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(asked.log, "a", encoding="utf-8")) if asked.log else None
        server = Server(model, asked, log, tls_context(asked))
        pairs = bind_all(addresses(model, asked), asked.port)
        port = pairs[0][0].getsockname()[1]
        if asked.refuse_for:
            print(f"refusing {port}", flush=True)
            select.select([sys.stdin], [], [], asked.refuse_for)
        start(server, pairs)
        print(f"listening {port}", flush=True)
        wait_for_end(server)
    return 0


if __name__ == "__main__":
    sys.exit(main())
