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
import resource
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tmcd_client_conversation import run_client
from tmcd_client_options import OPTIONS, Option, Spec, UsageError, make_spec

SCRIPT_ONLY = ("id", "start_after_ms", "after", "after_sent")


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
