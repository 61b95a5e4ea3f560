#!/usr/bin/env python3
"""A client of both GNUnet testbed doors that does what it is told, good or bad.

Reads one JSON object a line on standard input and obeys it at once; prints one
JSON object a line for everything that comes back.  Judges nothing.

    {"open": "d", "at": "/tmp/testbed.sock"}        or "127.0.0.1:2101"
    {"send": "d", "hello": {"host": 0, "mask": 0, "name": "127.0.0.1"}}
    {"send": "d", "create": {"host": 0, "operation": 1, "peer": 1, "config": "[x]\\n"}}
    {"send": "d", "start" or "stop" or "destroy": {"operation": 2, "peer": 1}}
    {"send": "d", "init": {"quorum": 100, "name": "b"}}
    {"send": "d", "cancel": {"name": "b"}}
    {"send": "d", "status": {"status": 2, "name": "b", "text": "..."}}
    {"send": "p", "wait": {"name": "b"}}
    {"send": "p", "raw": "000301e7"}
    {"send": "p", "wait": {"name": "b"}, "pieces": 1}     so many bytes a write
    {"shut": "p"}      sends no more;  {"close": "p"}     closes;  {"reset": "p"}  resets

What comes back:  {"id": "p", "opened": true}, {"id": "p", "type": 486, "hex": "...",
"status": 2, "name": "b", "rest": ""}, {"id": "p", "closed": "eof"} or "reset".
Ends at the end of its input, when `--until-closed` is given only after every
connection is closed by the other side.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import zlib

# Section 2.2 and the list of section 6.
TESTBED_INIT, CREATE_PEER, START_PEER, STOP_PEER, DESTROY_PEER = 460, 464, 466, 467, 468
OPERATION_FAIL_EVENT, CREATE_PEER_SUCCESS, GENERIC_SUCCESS = 473, 474, 475
BARRIER_INIT, BARRIER_CANCEL, BARRIER_STATUS, BARRIER_WAIT = 484, 485, 486, 487


def frame(kind: int, body: bytes) -> bytes:
    """Section 2.1: size and type, both big-endian; the size counts the header."""
    return struct.pack("!HH", 4 + len(body), kind) + body


def text(value: str) -> bytes:
    """Names and texts are bytes; what cannot be UTF-8 is written as \\udcXX."""
    return value.encode("utf-8", "surrogateescape")


def encode(order: dict) -> bytes:
    """The bytes of the one message that an order names.  Sections 2.3 and 6."""
    if "raw" in order:
        return bytes.fromhex(order["raw"])
    if "hello" in order:
        given = order["hello"]
        fixed = struct.pack("!IQ", given.get("host", 0), given.get("mask", 0))
        return frame(TESTBED_INIT, fixed + text(given.get("name", "127.0.0.1")) + b"\0")
    if "create" in order:
        given = order["create"]
        config = text(given.get("config", "[PATHS]\n"))
        fixed = struct.pack(
            "!IQIH", given.get("host", 0), given["operation"], given["peer"], len(config)
        )
        return frame(CREATE_PEER, fixed + zlib.compress(config))
    for word, kind in (("start", START_PEER), ("stop", STOP_PEER), ("destroy", DESTROY_PEER)):
        if word in order:
            given = order[word]
            return frame(kind, struct.pack("!IQ", given["peer"], given["operation"]))
    if "init" in order:
        given = order["init"]
        return frame(BARRIER_INIT, bytes([given["quorum"]]) + text(given["name"]))
    if "cancel" in order:
        return frame(BARRIER_CANCEL, text(order["cancel"]["name"]))
    if "wait" in order:
        return frame(BARRIER_WAIT, text(order["wait"]["name"]))
    given = order["status"]
    name = text(given["name"])
    tail = text(given["text"]) + b"\0" if "text" in given else b""
    body = struct.pack("!HH", given["status"], len(name)) + name + b"\0" + tail
    return frame(BARRIER_STATUS, body)


def decode(kind: int, body: bytes) -> dict:
    """What a test may want to look at; the bytes are told besides."""
    if kind == BARRIER_STATUS:
        status, length = struct.unpack("!HH", body[:4])
        name, rest = body[4 : 4 + length], body[4 + length :]
        return {
            "status": status,
            "name": name.decode("utf-8", "surrogateescape"),
            "terminated": rest[:1] == b"\0",
            "text": rest[1:].rstrip(b"\0").decode("utf-8", "replace"),
        }
    if kind == CREATE_PEER_SUCCESS:
        peer, operation = struct.unpack("!IQ", body)
        return {"peer": peer, "operation": operation}
    if kind == GENERIC_SUCCESS:
        event, operation = struct.unpack("!IQ", body)
        return {"event": event, "operation": operation}
    if kind == OPERATION_FAIL_EVENT:
        event, operation = struct.unpack("!IQ", body[:12])
        return {
            "event": event,
            "operation": operation,
            "text": body[12:].rstrip(b"\0").decode("utf-8", "replace"),
        }
    return {}


def say(record: dict) -> None:
    print(json.dumps(record), flush=True)


class Client:
    def __init__(self) -> None:
        self.writers: dict[str, asyncio.StreamWriter] = {}
        self.readers: list[asyncio.Task[None]] = []

    async def open(self, name: str, at: str) -> None:
        if at.startswith("/"):
            reader, writer = await asyncio.open_unix_connection(at)
        else:
            host, port = at.rsplit(":", 1)
            reader, writer = await asyncio.open_connection(host, int(port))
        self.writers[name] = writer
        self.readers.append(asyncio.create_task(self.listen(name, reader)))
        say({"id": name, "opened": True})

    async def listen(self, name: str, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                head = await reader.readexactly(4)
                size, kind = struct.unpack("!HH", head)
                body = await reader.readexactly(size - 4)
                record = {"id": name, "type": kind, "hex": (head + body).hex()}
                say(record | decode(kind, body))
        except asyncio.IncompleteReadError as error:
            closed = {"id": name, "closed": "eof"}
            say(closed if error.partial == b"" else closed | {"partial": error.partial.hex()})
        except ConnectionError:
            say({"id": name, "closed": "reset"})

    async def send(self, order: dict) -> None:
        writer = self.writers[order["send"]]
        data = encode(order) * order.get("times", 1)
        size = order.get("pieces", len(data) or 1)
        try:
            for at in range(0, len(data), size):
                writer.write(data[at : at + size])
                await writer.drain()
                if size < len(data):
                    await asyncio.sleep(0)
        except ConnectionError:
            pass  # Told by the reader.

    async def obey(self, order: dict) -> None:
        if "open" in order:
            await self.open(order["open"], order["at"])
        elif "send" in order:
            await self.send(order)
        elif "shut" in order:
            self.writers[order["shut"]].write_eof()
        elif "close" in order:
            self.writers[order["close"]].close()
        elif "reset" in order:
            writer = self.writers[order["reset"]]
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif "sync" in order:
            say({"sync": order["sync"]})


async def main() -> None:
    client = Client()
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        await client.obey(json.loads(line))
    if "--until-closed" in sys.argv[1:]:
        await asyncio.gather(*client.readers)


if __name__ == "__main__":
    asyncio.run(main())
