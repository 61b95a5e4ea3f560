"""Values and lines of replies, and what parsers are put together from.

A reply is lines, a line is ``KEY=value`` fields of a layout, a value has a
kind.  Nothing here knows a command.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

CURRENT_VERSION = 34
OLDEST_VERSION = 2
Json = dict[str, Any]


class FormatError(Exception):
    """A reply breaks a rule of its format."""

    def __init__(self, rule: str, text: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule, self.text, self.line, self.column = rule, text, line, column

    def described(self) -> Json:
        """As it is printed; lines and columns count from 1, 0 is the whole."""
        return {"rule": self.rule, "line": self.line, "column": self.column, "text": self.text}


class UnknownFormat(Exception):
    """The command has no documented format."""


@dataclass(frozen=True)
class Context:
    """What a format may depend on besides the reply."""

    version: int = CURRENT_VERSION
    caller: str | None = None  # physical or virtual; None: not checked
    remote_plain: bool = False
    planetlab: bool = False


@dataclass(frozen=True)
class Text:
    """One line and where it stands."""

    number: int
    body: str

    def error(self, rule: str, text: str, column: int = 0) -> FormatError:
        """A complaint about this line."""
        return FormatError(rule, text, self.number, column)


# -- values ------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """A kind of value: where it ends, what it becomes, and its name."""

    pattern: str
    name: str
    convert: Callable[[str], Any] = str
    check: Callable[[str], bool] = lambda text: True


def is_ip(text: str) -> bool:
    """Dotted quad without leading zeros."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def is_mask(text: str) -> bool:
    """Ones, then zeros."""
    return is_ip(text) and "01" not in f"{int(ipaddress.IPv4Address(text)):032b}"


def up_to(limit: int) -> Callable[[str], bool]:
    """A number that is not above the limit."""
    return lambda text: int(text) <= limit


def one_of(*words: str) -> Value:
    """One of these words."""
    return Value(r"[^\s]*", "|".join(words), check=lambda text: text in words)


def strip(count: int) -> Callable[[str], str]:
    """Take quotes off both ends."""
    return lambda text: text[count:-count]


WORD = Value(r"\S+", "word")
NAME = Value(r"[-\w]+", "name of letters, digits, - and _")
NUMBER = Value(r"\d+", "decimal digits", int)
SIGNED = Value(r"-1|\d+", "decimal digits or -1", int)
DOTTED = Value(r"\d+(?:\.\d+)?", "digits with at most one dot", float)
CHANCE = Value(r"\d+(?:\.\d+)?", "number from 0 to 1", float, lambda text: float(text) <= 1)
FLAG = Value(r"[01]", "0 or 1", int)
PORT = Value(r"\d+", "port from 1 to 65535", int, lambda text: 0 < int(text) < 65536)
ANY_PORT = Value(r"\d+", "port from 0 to 65535", int, up_to(65535))
IP = Value(r"[\d.]+", "IP address", check=is_ip)
MASK = Value(r"[\d.]+", "netmask", check=is_mask)
MAC = Value(r"[0-9a-fA-F]+", "12 hex digits", str.lower, lambda text: len(text) == 12)
MD5 = Value(r"[0-9a-f]+", "32 hex digits", check=lambda text: len(text) == 32)
MBPS = Value(r"\d+Mbps", "digits and Mbps", lambda text: int(text[:-4]))
PATH = Value(r"\S+", "path")
EMPTY = Value("", "nothing", lambda text: None)
REST = Value(r".*", "rest of the line")
BLANKLESS = Value(r"\S*", "word or nothing")
QUOTED = Value(r"'[^']*'", "text in single quotes", strip(1))
QUOTED_OPEN = Value(r"'.*'", "text in single quotes, up to the last one", strip(1))
QUOTED_MD5 = Value(r"'[0-9a-f]{32}'", "32 hex digits in single quotes", strip(1))
QUOTED_WORD = Value(r"'\w+'", "letters and digits in single quotes", strip(1))
DOUBLE = Value(r'"[^"]*"', "text in double quotes", strip(1))


# -- lines -------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """A line: ``head`` words, then ``KEY=value`` fields with one blank between."""

    rule: str
    head: str
    fields: tuple[tuple[str, Value], ...]

    def begins(self, line: Text) -> bool:
        """Whether the line claims to be of this kind."""
        first = f"{self.head} " if self.head else f"{self.fields[0][0]}="
        return line.body.startswith(first)

    def read(self, line: Text) -> Json:
        """The fields in their order, nothing missing, nothing besides."""
        if not self.begins(line):
            wanted = self.head or f"{self.fields[0][0]}="
            raise line.error(self.rule, f"line must begin with {wanted}", 1)
        at = len(self.head) + 1 if self.head else 0
        found: Json = {}
        for number, (key, value) in enumerate(self.fields):
            if number:
                at = self._blank(line, at, key)
            at = self._field(line, at, key, value, found)
        if at != len(line.body):
            raise line.error(self.rule, "line goes on after its last field", at + 1)
        return found

    def _blank(self, line: Text, at: int, key: str) -> int:
        if line.body[at : at + 1] != " ":
            raise line.error(f"{self.rule}.{key}", f"one blank wanted before {key}=", at + 1)
        return at + 1

    def _field(self, line: Text, at: int, key: str, value: Value, found: Json) -> int:
        rule = f"{self.rule}.{key}"
        if not line.body.startswith(f"{key}=", at):
            raise line.error(rule, f"{key}= wanted here", at + 1)
        at += len(key) + 1
        match = re.compile(value.pattern, re.ASCII).match(line.body, at)
        if match is None or not value.check(match.group()):
            raise line.error(rule, f"{value.name} wanted", at + 1)
        found[key] = value.convert(match.group())
        return match.end()


def layout(rule: str, head: str, /, **values: Value) -> Layout:
    """A layout from keywords, in their order."""
    return Layout(rule, head, tuple(values.items()))


def keys(names: str, value: Value) -> dict[str, Value]:
    """Several fields of one kind."""
    return dict.fromkeys(names.split(), value)


def split_lines(reply: bytes, rule: str = "reply") -> list[Text]:
    """Lines of a reply; every line ends with a newline, the last one too."""
    if b"\0" in reply:
        raise FormatError(f"{rule}.nul", "a NUL byte in a text line")
    if reply and not reply.endswith(b"\n"):
        raise FormatError(f"{rule}.newline", "the last line does not end with a newline")
    try:
        text = reply.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise FormatError(f"{rule}.utf8", str(problem)) from None
    return [Text(n, body) for n, body in enumerate(text.split("\n")[:-1], 1)]


def one_line(rule: str, lines: list[Text]) -> Text | None:
    """The only line, or none at all."""
    if len(lines) > 1:
        raise lines[1].error(f"{rule}.one-line", "more than one line")
    return lines[0] if lines else None


def matched(rule: str, pattern: str, line: Text, wanted: str) -> re.Match[str]:
    """A line of its own shape."""
    match = re.compile(pattern, re.ASCII).fullmatch(line.body)
    if match is None:
        raise line.error(rule, f"wanted: {wanted}", 1)
    return match


# -- parsers of several lines ------------------------------------------------

Parser = Callable[[list[Text], Context], Any]


def single(wanted: Layout) -> Parser:
    """At most one line of one layout; null when there is none."""

    def parse_single(lines: list[Text], _: Context) -> Any:
        line = one_line(wanted.rule, lines)
        return None if line is None else wanted.read(line)

    return parse_single


def many(*wanted: Layout) -> Parser:
    """Any number of lines; with several layouts each line tells its kind."""

    def parse_many(lines: list[Text], _: Context) -> Any:
        return [read_any(wanted, line) for line in lines]

    return parse_many


def read_any(wanted: tuple[Layout, ...], line: Text) -> Json:
    """A line of the layout that it begins like."""
    chosen = [one for one in wanted if one.begins(line)]
    if len(wanted) == 1:
        return wanted[0].read(line)
    if not chosen:
        heads = ", ".join(one.head or one.fields[0][0] + "=" for one in wanted)
        raise line.error(wanted[0].rule, f"line must begin with one of: {heads}", 1)
    return {"kind": chosen[0].head} | chosen[0].read(line)


def from_version(version: int, parser: Parser) -> Parser:
    """A format that is only documented from a version on."""

    def parse_gated(lines: list[Text], context: Context) -> Any:
        if context.version < version:
            raise UnknownFormat(f"no documented format before version {version}")
        return parser(lines, context)

    return parse_gated
