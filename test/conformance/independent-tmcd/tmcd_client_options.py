"""What one client is to do: its options, checked, and the bytes that it sends."""

from __future__ import annotations

import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TLS_TAG = b"ISPEAKSSL_TMCDV10"
CURRENT_VERSION = "34"
TLS_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


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
