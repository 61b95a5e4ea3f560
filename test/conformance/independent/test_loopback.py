#!/usr/bin/env python3
"""Tests the client against the server over the loopback interface.

Usage:  python3 test_loopback.py
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from barrier_model import VectorMaker

HERE = Path(__file__).resolve().parent
LAYOUTS = list(itertools.product(("72", "72a", "76"), ("little", "big")))
Line = dict[str, Any]


class ServerProcess:
    """A server of our own on a free port."""

    def __init__(self, *arguments: str) -> None:
        self._logs = tempfile.TemporaryDirectory()
        self._log = Path(self._logs.name) / "requests"
        command = [sys.executable, str(HERE / "sync_server.py"), "--port", "0"]
        command += ["--until-stdin-eof", "--log", str(self._log), *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.word, port = self.process.stdout.readline().split()
        self.port = int(port)

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        status = self.stop()
        self._logs.cleanup()
        assert status == 0, f"server ended with {status}"

    def stop(self) -> int:
        """End it by the end of its stdin."""
        self.process.communicate(timeout=10)
        return self.process.returncode

    def log(self) -> list[Line]:
        """What it says it received."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]


def run_script(port: int, lines: list[Line], *defaults: str) -> dict[Any, Line]:
    """Run clients and return how each ended, by id."""
    command = [sys.executable, str(HERE / "sync_client.py"), "--port", str(port)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(
        [*command, "--timeout", "5", *defaults, "--script", "-"],
        input=text, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(ends) == len(lines), done.stdout
    return {end["id"]: end for end in ends}


def run_single(port: int, *arguments: str) -> Line:
    """Run one client from the command line."""
    command = [sys.executable, str(HERE / "sync_client.py"), "--port", str(port), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    end: Line = json.loads(done.stdout)
    return end


class Against(unittest.TestCase):
    """Helpers of all tests."""

    def ends(self, ends: dict[Any, Line], **expected: Any) -> None:
        """Compare with an outcome, or with a value (and an orderly close)."""
        for ident, wanted in expected.items():
            end = ends[ident]
            if isinstance(wanted, str):
                self.assertEqual(end["outcome"], wanted, end)
            else:
                self.assertEqual((end["outcome"], end["value"]), ("reply", wanted), end)


class Wire(Against):
    """Layouts, byte orders and transports."""

    def test_every_layout_over_tcp(self) -> None:
        with ServerProcess() as server:
            lines: list[Line] = []
            for number, (version, order) in enumerate(LAYOUTS):
                common = {"version": version, "order": order, "name": f"n{number}"}
                lines.append({"id": f"m{number}", "init": 1, **common})
                lines.append({"id": f"a{number}", **common})
            ends = run_script(server.port, lines)
            for number, (version, order) in enumerate(LAYOUTS):
                value = 0 if version == "76" else 1
                self.ends(ends, **{f"m{number}": value, f"a{number}": value})
                self.assertTrue(ends[f"m{number}"]["closed"])
                raw = struct.pack("<i" if order == "little" else ">i", value).hex()
                self.assertEqual(ends[f"a{number}"]["reply_hex"], raw)

    def test_all_layouts_and_transports_meet_at_one_barrier(self) -> None:
        with ServerProcess() as server:
            clients = itertools.product(LAYOUTS, (False, True))
            lines: list[Line] = [
                {"id": number, "version": version, "order": order, "udp": udp}
                for number, ((version, order), udp) in enumerate(clients)
            ]
            lines.append({"id": "m", "init": len(lines), "error": 99})
            ends = run_script(server.port, lines)
            for line in lines:
                value = 99 if line.get("version", "76") == "76" else 1
                self.assertEqual(ends[line["id"]]["value"], value, line)
                self.assertEqual(ends[line["id"]]["closed"], not line.get("udp", False))

    def test_not_waiting_in_both_layouts_that_can(self) -> None:
        with ServerProcess() as server:
            for version, order in LAYOUTS[2:]:
                common = {"version": version, "order": order}
                value = 0 if version == "76" else 1
                ends = run_script(server.port, [
                    {"id": "m", "init": 1, "no_wait": True, **common},
                    {"id": "a", "after": "m", **common},
                ])  # fmt: skip
                self.ends(ends, m=value, a=value)

    def test_hex_on_the_wire(self) -> None:
        """The layouts, written out by hand."""
        cases = {
            ("72", "little"): "01000000 04030201",
            ("72", "big"): "00000001 01020304",
            ("72a", "little"): "0100 0000 04030201",
            ("72a", "big"): "0001 0000 01020304",
            ("76", "little"): "0100 0000 04030201 37000000",
            ("76", "big"): "0001 0000 01020304 00000037",
        }
        with ServerProcess("--close-now") as server:
            for (version, order), tail in cases.items():
                line: Line = {"id": 1, "version": version, "order": order, "init": 0x01020304}
                line |= {"error": 55} if version == "76" else {}
                run_script(server.port, [line])
                name = b"barrier".ljust(64, b"\0").hex()
                self.assertEqual(server.log()[-1]["hex"], name + tail.replace(" ", ""))

    def test_raw_bytes_and_bad_word(self) -> None:
        with ServerProcess() as server:
            raw = (b"r" * 64 + struct.pack(">hhii", 1, 1, 5, 0)).hex()
            ends = run_script(server.port, [
                {"id": "raw", "raw_hex": raw},
                *({"id": f"bad{n}", "request": 7, "version": v, "order": o}
                  for n, (v, o) in enumerate(LAYOUTS)),
                {"id": "udp", "request": 7, "udp": True, "timeout": 0.5},
            ])  # fmt: skip
            self.ends(ends, raw=0, udp="timeout", **{f"bad{n}": "eof" for n in range(6)})

    def test_names(self) -> None:
        with ServerProcess() as server:
            full, junk = ("6e" * 64), b"ab\0zz".ljust(64, b"\xff").hex()
            ends = run_script(server.port, [
                {"id": "full1", "name_hex": full}, {"id": "full2", "name_hex": full, "init": 1},
                {"id": "junk", "name_hex": junk}, {"id": "ab", "name": "ab", "init": 1},
                {"id": "raw", "name_hex": "ff80"}, {"id": "raw2", "name_hex": "ff80", "init": 1},
            ])  # fmt: skip
            self.ends(ends, full1=0, full2=0, junk=0, ab=0, raw=0, raw2=0)

    def test_pieces_and_stalls_hold_up_nobody(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "stall", "truncate": 30, "timeout": 1.5},
                {"id": "stall2", "truncate": 74, "timeout": 1.5},
                {"id": "gone", "truncate": 30, "abort_after": 50},
                {"id": "slow", "split": 7, "byte_delay": 30, "name": "s"},
                {"id": "fast", "init": 1, "name": "s"},
                {"id": "bytewise", "byte_delay": 1, "name": "t"},
                {"id": "quick1", "name": "u"}, {"id": "quick2", "name": "u", "init": 1},
                {"id": "t", "name": "t", "init": 1},
            ])  # fmt: skip
            self.ends(ends, stall="timeout", stall2="timeout", gone="aborted", slow=0, fast=0)
            self.ends(ends, bytewise=0, t=0, quick1=0, quick2=0)
            self.assertLess(ends["quick1"]["elapsed_ms"], 300)
            self.assertGreater(ends["slow"]["elapsed_ms"], 290)
            self.assertEqual([e["verdict"] for e in server.log()].count("partial"), 3)

    def test_junk_is_dropped(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "j", "junk_while_waiting": 500000, "junk_delay": 50},
                {"id": "old", "junk_while_waiting": 500, "version": "72"},
                {"id": "m", "init": 2, "start_after_ms": 600},
            ])  # fmt: skip
            self.ends(ends, j=0, old=1, m=0)
            self.assertTrue(ends["j"]["closed"])

    def test_source_address(self) -> None:
        with ServerProcess("--allow", "127.0.0.3") as server:
            ends = run_script(server.port, [
                {"id": "in", "source": "127.0.0.3"},
                {"id": "out", "source": "127.0.0.2", "init": 1},
                {"id": "m", "source": "127.0.0.3", "init": 1, "udp": True, "after": "out"},
            ])  # fmt: skip
            self.ends(ends, **{"in": 0, "out": "eof", "m": 0})

    def test_single_client(self) -> None:
        with ServerProcess() as server:
            end = run_single(server.port, "--init", "1", "--no-wait", "--order", "big")
            self.assertEqual((end["outcome"], end["value"], end["closed"]), ("reply", 0, True))
            end = run_single(server.port, "--name", "x", "--timeout", "0.3")
            self.assertEqual((end["outcome"], end["closed"]), ("timeout", False))
            self.assertTrue(290 <= end["elapsed_ms"] < 900)
        for more in ((), ("--udp",)):
            self.assertEqual(run_single(server.port, *more)["outcome"], "refused")


class Datagrams(Against):
    """What is particular to UDP."""

    def test_answers_go_to_each_sender(self) -> None:
        with ServerProcess() as server:
            lines: list[Line] = [{"id": n, "udp": True} for n in range(50)]
            lines.append({"id": "m", "udp": True, "init": 50, "error": 7})
            ends = run_script(server.port, lines)
            self.assertEqual({end["value"] for end in ends.values()}, {7})

    def test_repeats_are_not_counted(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "a", "udp": True, "udp_repeat": 20},
                {"id": "m", "init": 2, "start_after_ms": 400},
                {"id": "b", "start_after_ms": 700},
            ])  # fmt: skip
            self.ends(ends, a=0, m=0, b=0)
            self.assertGreater(ends["m"]["elapsed_ms"], 250)

    def test_lost_datagrams(self) -> None:
        with ServerProcess("--ignore-first", "3") as server:
            ends = run_script(server.port, [
                {"id": "m", "udp": True, "init": 1, "no_wait": True, "udp_repeat": 100},
            ])  # fmt: skip
            self.ends(ends, m=0)
            self.assertGreater(ends["m"]["elapsed_ms"], 290)
            verdicts = [entry["verdict"] for entry in server.log()]
            self.assertEqual(verdicts, ["dropped"] * 3 + ["request"])

    def test_lost_answer(self) -> None:
        """The same datagram after the answer is answered again, not counted."""
        with ServerProcess() as server, socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(3)
            sock.connect(("127.0.0.1", server.port))
            for _ in range(3):
                sock.send(struct.pack("<64shhii", b"x", 1, 1, 1, 0))
                self.assertEqual(sock.recv(100), bytes(4))
            ends = run_script(server.port, [
                {"id": "a", "name": "x"}, {"id": "b", "name": "x", "after": "a", "timeout": 0.5},
            ])  # fmt: skip
            self.ends(ends, a=0, b="timeout")

    def test_dead_clients_are_uncounted(self) -> None:
        with ServerProcess("--udp-expiry", "0.5", "--udp-silent-expiry", "1") as server:
            ends = run_script(server.port, [
                {"id": "dead", "udp": True, "udp_repeat": 50, "abort_after": 200, "error": 9},
                {"id": "mute", "udp": True, "timeout": 0.2},
                {"id": "live", "udp": True, "udp_repeat": 50},
                {"id": "m", "init": 2, "start_after_ms": 1700},
                {"id": "b", "start_after_ms": 2300},
            ])  # fmt: skip
            self.ends(ends, dead="aborted", mute="timeout", live=9, m=9, b=9)
            self.assertGreater(ends["m"]["elapsed_ms"], 400)

    def test_bad_sizes_are_ignored(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": n, "udp": True, "raw_hex": "00" * n, "timeout": 0.3} for n in (1, 71, 77)
            ])  # fmt: skip
            self.assertEqual({end["outcome"] for end in ends.values()}, {"timeout"})


class Rules(Against):
    """The barrier rules, seen from outside."""

    def test_order_does_not_matter(self) -> None:
        with ServerProcess() as server:
            for number, order in enumerate(itertools.permutations(("m", "a", "b"))):
                lines: list[Line] = [{"id": i, "name": str(number)} for i in order]
                for before, line in itertools.pairwise(lines):
                    line["after_sent"] = before["id"]
                    line["start_after_ms"] = 30
                lines[order.index("m")]["init"] = 2
                self.ends(run_script(server.port, lines), m=0, a=0, b=0)

    def test_inits_add_up_and_error_is_the_largest(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "m", "init": 1, "error": 40}, {"id": "n", "init": 1}, {"id": "a"},
                {"id": "b", "error": 32, "start_after_ms": 300},
            ])  # fmt: skip
            self.ends(ends, m=40, n=40, a=40, b=40)
            self.assertGreater(ends["a"]["elapsed_ms"], 250)

    def test_no_wait_error_is_dropped(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "a", "error": 33},
                {"id": "m", "init": 1, "no_wait": True, "error": 77, "start_after_ms": 100},
            ])  # fmt: skip
            self.ends(ends, a=33, m=0)

    def test_leaving_by_close_and_by_reset(self) -> None:
        with ServerProcess() as server:
            for rst in (False, True):
                ends = run_script(server.port, [
                    {"id": "gone", "abort_after": 100, "abort_rst": rst, "error": 50},
                    {"id": "a", "error": 40},
                    {"id": "m", "init": 2, "after": "gone", "start_after_ms": 50},
                    {"id": "b", "after_sent": "m", "start_after_ms": 300},
                ])  # fmt: skip
                self.ends(ends, gone="aborted", a=50, m=50, b=50)
                self.assertGreater(ends["m"]["elapsed_ms"], 250)

    def test_fault_1_count_is_kept(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "m", "init": 3, "no_wait": True},
                {"id": "gone", "after": "m", "abort_after": 100},
                *({"id": i, "after": "gone", "start_after_ms": 100} for i in "abc"),
            ])  # fmt: skip
            self.ends(ends, m=0, gone="aborted", a=0, b=0, c=0)

    def test_fault_8_undo_releases(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "m", "init": 1}, {"id": "a", "error": 3, "after_sent": "n"},
                {"id": "n", "init": 1, "abort_after": 300, "after_sent": "m"},
            ])  # fmt: skip
            self.ends(ends, m=3, a=3, n="aborted")

    def test_old_request_and_close_is_counted_and_undone(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "m", "version": "72a", "init": 2, "no_wait": True},
                {"id": "gone", "version": "72", "abort_after": 0, "after": "m"},
                {"id": "a", "after": "gone"},
                {"id": "b", "after_sent": "a", "start_after_ms": 500},
            ])  # fmt: skip
            self.ends(ends, m=1, gone="aborted", a=0, b=0)
            self.assertGreater(ends["a"]["elapsed_ms"], 450)

    def test_hup(self) -> None:
        with ServerProcess() as server:
            clients = subprocess.Popen(
                [sys.executable, str(HERE / "sync_client.py"), "--script", "-"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert clients.stdin is not None
            for line in ({"id": "a"}, {"id": "u", "udp": True}, {"id": "v", "version": "72"}):
                clients.stdin.write(json.dumps({"port": server.port, **line}) + "\n")
            clients.stdin.flush()
            time.sleep(1)
            server.process.send_signal(signal.SIGHUP)
            out, _ = clients.communicate(timeout=20)
            ends = {end["id"]: end for end in map(json.loads, out.splitlines())}
            self.ends(ends, a=240, u=240, v=1)

    def test_fault_3_and_4_storm(self) -> None:
        with ServerProcess() as server:
            lines: list[Line] = [{"id": n} for n in range(1500)]
            begin = time.monotonic()
            ends = run_script(server.port, [*lines, {"id": "m", "init": 1500}])
            self.assertEqual({end["value"] for end in ends.values()}, {0})
            self.assertLess(time.monotonic() - begin, 8)


class Nasty(Against):
    """The server's ways to test clients."""

    def test_reply_hex(self) -> None:
        with ServerProcess("--reply-hex", "ffffffff0102") as server:
            ends = run_script(server.port, [{"id": "a"}, {"id": "u", "udp": True}])
            for end in ends.values():
                self.assertEqual((end["reply_hex"], end["value"]), ("ffffffff0102", None))

    def test_negative_reply(self) -> None:
        with ServerProcess("--reply-hex", "fffffffe") as server:
            lines: list[Line] = [{"id": "b", "order": "big"}, {"id": "l"}]
            self.ends(run_script(server.port, lines), b=-2, l=-16777217)

    def test_reply_short(self) -> None:
        with ServerProcess("--reply-short") as server:
            end = run_script(server.port, [{"id": "a"}])["a"]
            self.assertEqual((end["outcome"], end["reply_hex"]), ("reply", "0000"))
            self.assertTrue(end["closed"])

    def test_close_now(self) -> None:
        with ServerProcess("--close-now") as server:
            lines: list[Line] = [{"id": "a"}, {"id": "u", "udp": True, "timeout": 0.4}]
            self.ends(run_script(server.port, lines), a="eof", u="timeout")

    def test_refuse_for(self) -> None:
        with ServerProcess("--refuse-for", "1") as server:
            self.assertEqual(server.word, "refusing")
            ends = run_script(server.port, [
                {"id": "a"}, {"id": "u", "udp": True},
                {"id": "late", "init": 1, "no_wait": True, "start_after_ms": 1300},
                {"id": "r", "udp": True, "udp_repeat": 100},
            ])  # fmt: skip
            self.ends(ends, a="refused", u="refused", late=0, r=0)

    def test_sigterm(self) -> None:
        with ServerProcess() as server:
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(5), 0)


class Scripts(Against):
    """Mistakes in scripts are told, and never hang."""

    def test_mistakes(self) -> None:
        with ServerProcess() as server:
            ends = run_script(server.port, [
                {"id": "x", "colour": "red"},
                {"id": "y", "version": "72", "no_wait": True, "init": 1},
                {"id": "z", "after": "nobody"},
                {"id": "p", "after": "q"}, {"id": "q", "after_sent": "p"},
                {"id": "long", "name": "n" * 65},
            ])  # fmt: skip
            self.assertEqual({end["outcome"] for end in ends.values()}, {"error"})


class Vectors(Against):
    """Random vectors replayed over the wire come out as the model says."""

    def test_replay(self) -> None:
        with ServerProcess() as server:
            replay = Replay(server.port, server.process.pid)
            for number, vector in enumerate(VectorMaker(11).make(250)):
                expected = {answer["id"]: answer["error"] for answer in vector["released"]}
                expected |= dict.fromkeys(vector["rejected"])
                self.assertEqual(replay.step(vector, len(expected)), expected, (number, vector))
            replay.close()


class Replay:
    """Plays vectors to a server with one plain connection for each client."""

    def __init__(self, port: int, pid: int) -> None:
        self._port, self._pid = port, pid
        self._open: dict[str, socket.socket] = {}

    def step(self, vector: Line, answers: int) -> dict[str, int | None]:
        """Do it; who was answered what (None: closed without an answer).

        Waits for as many answers as there should be, but takes all there are.
        """
        if vector["op"] == "clear":
            os.kill(self._pid, signal.SIGHUP)
        elif vector["op"] == "leave":
            self._open.pop(vector["id"]).close()
        else:
            self._arrive(vector)
        time.sleep(0.005)
        self._probe()
        heard, deadline = self._heard(), time.monotonic() + 3
        while len(heard) < answers and time.monotonic() < deadline:
            time.sleep(0.005)
            heard |= self._heard()
        return heard

    def _probe(self) -> None:
        """One round trip: the server has then seen all that came before."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=5) as sock:
            sock.sendall(struct.pack("<64shhii", b"probe", 7, 0, 0, 0))
            assert sock.recv(1) == b""

    def close(self) -> None:
        """Leave everything."""
        for sock in self._open.values():
            sock.close()

    def _arrive(self, vector: Line) -> None:
        sock = socket.create_connection(("127.0.0.1", self._port))
        word = vector.get("request", 1 if vector["op"] == "init" else 2)
        flags, count = int(vector.get("no_wait", False)), vector.get("count", 0)
        name, error = vector["name"].encode(), vector.get("error", 0)
        sock.sendall(struct.pack("<64shhii", name, word, flags, count, error))
        sock.setblocking(False)
        self._open[vector["id"]] = sock

    def _heard(self) -> dict[str, int | None]:
        """Everything that has arrived by now."""
        heard: dict[str, int | None] = {}
        for ident, sock in list(self._open.items()):
            try:
                data = sock.recv(100)
            except BlockingIOError:
                continue
            heard[ident] = struct.unpack("<i", data)[0] if data else None
            self._open.pop(ident).close()
        return heard


if __name__ == "__main__":
    unittest.main()
