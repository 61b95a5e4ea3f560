"""The wire of a client, plain and encrypted."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from typing import Any, Protocol

from tmcd_client_options import TLS_VERSIONS, Spec

READ_SIZE = 65536


class TlsFailure(Exception):
    """The handshake or the encrypted stream broke, with the stage in the text."""


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
