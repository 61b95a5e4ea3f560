# SPDX-License-Identifier: MIT
"""A WebSocket client by hand (RFC 6455, RFC 7692), over the standard library alone.

It keeps nothing hidden: frames, fragments, compression and close codes are what tests ask for.
"""
import base64
import hashlib
import os
import socket
import struct
import zlib

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Closed(Exception):
    """The peer has closed: code (1006 when it said nothing) and reason."""

    def __init__(self, code, reason=""):
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


def read_head(stream):
    """The status line and the headers of an HTTP answer; names in lower case."""
    status = stream.readline().decode("latin-1").strip()
    headers = {}
    while True:
        line = stream.readline().decode("latin-1").strip()
        if not line:
            return status, headers
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()


def plain_request(port, text, host="127.0.0.1", timeout=60):
    """Sends an HTTP request as it is. Gives status line, headers, body."""
    with socket.create_connection((host, port), timeout) as connection:
        connection.sendall(text.encode("latin-1"))
        stream = connection.makefile("rb")
        status, headers = read_head(stream)
        length = headers.get("content-length")
        body = stream.read(int(length)) if length is not None else stream.read()
        return status, headers, body


class WebSocket:
    def __init__(self, port, path="/", headers=(), deflate=False, host="127.0.0.1", timeout=60):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.pings = 0
        self.pongs = []
        self.last_was_compressed = False
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *(["Sec-WebSocket-Extensions: permessage-deflate"] if deflate else []),
            *headers,
        ]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        self.status, self.headers = read_head(self.stream)
        if " 101 " not in self.status + " ":
            raise ConnectionError(self.status)
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if self.headers.get("sec-websocket-accept") != accept:
            raise ConnectionError("the server did not take the key")
        self.extensions = self.headers.get("sec-websocket-extensions", "")
        self.deflates = "permessage-deflate" in self.extensions

    def frame(self, opcode, payload, final=True, compressed=False):
        """The bytes of one frame, masked as a client must."""
        head = bytes([(0x80 if final else 0) | (0x40 if compressed else 0) | opcode])
        length = len(payload)
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", length)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", length)
        mask = os.urandom(4)
        repeated = (mask * (length // 4 + 1))[:length]
        masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
        return head + mask + masked.to_bytes(length, "big")

    def send(self, payload, opcode=TEXT, compress=False):
        if isinstance(payload, str):
            payload = payload.encode("utf-8")
        if compress:
            deflater = zlib.compressobj(wbits=-15)
            payload = deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)
            payload = payload[:-4]
        self.socket.sendall(self.frame(opcode, payload, compressed=compress))

    def send_fragments(self, parts):
        for index, part in enumerate(parts):
            opcode = TEXT if index == 0 else CONTINUATION
            final = index == len(parts) - 1
            self.socket.sendall(self.frame(opcode, part.encode("utf-8"), final))

    def send_bytes(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next message: (opcode, bytes). Pings are answered on the way."""
        opcode, payload, compressed = None, b"", False
        while True:
            first = self._exactly(2)
            final, code = first[0] & 0x80, first[0] & 0x0F
            length = first[1] & 0x7F
            if first[1] & 0x80:
                raise ConnectionError("a server does not mask")
            if length == 126:
                (length,) = struct.unpack(">H", self._exactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._exactly(8))
            data = self._exactly(length)
            if code == PING:
                self.pings += 1
                self.send(data, PONG)
            elif code == PONG:
                self.pongs.append(data)
                return PONG, data
            elif code == CLOSE:
                known = len(data) >= 2
                raise Closed(
                    struct.unpack(">H", data[:2])[0] if known else 1005,
                    data[2:].decode("utf-8"),
                )
            else:
                if code != CONTINUATION:
                    opcode, compressed = code, bool(first[0] & 0x40)
                payload += data
                if final:
                    break
        self.last_was_compressed = compressed
        if compressed:
            payload = zlib.decompressobj(wbits=-15).decompress(payload + b"\x00\x00\xff\xff")
        return opcode, payload

    def close(self, code=1000):
        """Closes in order and gives the code that the server answers with."""
        self.send(struct.pack(">H", code), CLOSE)
        try:
            while True:
                self.receive()
        except Closed as closed:
            return closed.code
        finally:
            self.abort()

    def abort(self):
        self.stream.close()
        self.socket.close()

    def _exactly(self, count):
        try:
            data = self.stream.read(count)
        except ConnectionResetError:
            raise Closed(1006) from None
        if len(data) < count:
            raise Closed(1006)
        return data
