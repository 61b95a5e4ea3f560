#!/usr/bin/env python3
"""Tests client, server and parsers with each other over the loopback interface.

Usage:  python3 test_loopback.py
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import tmcd_parse
from tmcd_table import TABLE, find_command

HERE = Path(__file__).resolve().parent
Line = dict[str, Any]
NODE0, NODE1, FREE, BOSS, REMOTE = (f"127.0.0.{n}" for n in (10, 11, 12, 9, 13))
STRANGER = "127.0.0.99"
KEY = "0123456789abcdef0123456789abcdef"

DESCRIPTION: Line = {
    "domain": "example.net",
    "boss": BOSS,
    "experiments": [
        {
            "pid": "P", "eid": "E", "creator": "alice", "swapper": "bob",
            "sync_server": "node0", "eventkey": KEY, "keyhash": "abc123",
            "userenv": [["B", "2 x"], ["A", ""]],
            "lans": {
                "link0": [["node0", 0, "10.1.3.2"], ["node2", 0, "10.1.3.3"]],
                "link1": [["node1", 0, "10.1.4.2"], ["node2", 1, "10.1.4.3"]],
                "link2": [["node2", 2, "10.1.1.3"], ["node3", 0, "10.1.1.2"]],
                "link3": [["node3", 1, "10.1.2.2"], ["node4", 0, "10.1.2.3"]],
            },
        },
        {"pid": "Q", "eid": "F", "creator": "carol"},
    ],
    "nodes": [
        {"id": "pc1", "experiment": "P/E", "vname": "node0", "address": NODE0},
        {
            "id": "pc2", "experiment": "P/E", "vname": "node1", "address": NODE1,
            "programs": [
                {"name": "node1_startcmd", "command": "(echo 'a b'; startcmddone $?)"},
                {"name": "p2", "command": "x", "dir": "{/tmp/a b}", "timeout": 5,
                 "expected_exit_code": 0},
            ],
            "startupcmd": "echo 'x'",
            "trafgens": [
                {"TRAFGEN": "t", "MYPORT": 1, "PEERNAME": "10.1.3.3", "PEERPORT": 2,
                 "PROTO": "udp", "ROLE": "source"},
            ],
            "privkey": KEY,
        },
        {"id": "pc3", "address": FREE},
        {"id": "pc4", "experiment": "Q/F", "address": REMOTE, "remote": True},
        {"id": "pcvm1-1", "experiment": "P/E", "vname": "v", "host": "pc1"},
        {"id": "pc5", "experiment": "Q/F", "called_at": "127.0.0.50"},
    ],
}  # fmt: skip


class ServerProcess:
    """A server of our own on a free port."""

    def __init__(self, *arguments: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        (folder / "nodes").write_text(json.dumps(DESCRIPTION))
        self._log = folder / "requests"
        command = [sys.executable, str(HERE / "tmcd_server.py"), "--nodes", str(folder / "nodes")]
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
        self.process.communicate(timeout=10)
        self._folder.cleanup()
        assert self.process.returncode == 0, f"server ended with {self.process.returncode}"

    def log(self) -> list[Line]:
        """What it says it received."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def ask(self, *arguments: str, source: str = NODE1) -> Line:
        """One client."""
        command = [sys.executable, str(HERE / "tmcd_client.py"), "--port", str(self.port)]
        command += ["--source", source, "--timeout", "5", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        end: Line = json.loads(done.stdout)
        return end

    def script(self, lines: list[Line], *defaults: str) -> dict[Any, Line]:
        """Many clients; how each ended, by id."""
        command = [sys.executable, str(HERE / "tmcd_client.py"), "--port", str(self.port)]
        command += ["--source", NODE1, "--timeout", "5", *defaults, "--script", "-"]
        done = subprocess.run(
            command, input="".join(json.dumps(line) + "\n" for line in lines),
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert not done.stderr, done.stderr
        ends = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(ends) == len(lines), done.stdout
        return {end["id"]: end for end in ends}


class WithServer(unittest.TestCase):
    """One server for all tests of a class."""

    arguments: tuple[str, ...] = ()
    server: ServerProcess

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = ServerProcess(*cls.arguments)
        cls.addClassCleanup(cls.server.__exit__)

    def replies(self, end: Line, text: str) -> None:
        """Compare with a reply; none means a close without a byte."""
        wanted = ("reply" if text else "eof", text, True)
        self.assertEqual((end["outcome"], end["reply"], end["closed"]), wanted, end)


class Vectors(WithServer):
    """The vectors of the specification."""

    def test_status(self) -> None:
        ask = self.server.ask
        self.replies(ask("status"), "ALLOCATED=P/E NICKNAME=node1\n")
        self.replies(ask("statusxyz"), "ALLOCATED=P/E NICKNAME=node1\n")
        self.replies(ask("status", source=FREE), "FREE\n")
        self.replies(ask("status", source=STRANGER), "")
        self.assertEqual(self.server.log()[-1]["text"], "VERSION=34 status ")

    def test_syncserver(self) -> None:
        ask = self.server.ask
        ask("syncserver")
        self.assertEqual(len(bytes.fromhex(self.server.log()[-1]["hex"])), 22)
        text = "SYNCSERVER SERVER='node0.E.P.example.net' ISSERVER="
        self.replies(ask("syncserver", source=NODE0), f"{text}1\n")
        self.replies(ask("syncserver"), f"{text}0\n")
        self.replies(ask("syncserver", source=REMOTE), "")
        self.replies(ask("syncserver", source=FREE), "")
        parsed = ask("--parse", "syncserver", source=NODE0)["parsed"]
        self.assertEqual((parsed["vname"], parsed["is_server"]), ("node0", True))

    def test_portregister(self) -> None:
        ask = self.server.ask
        self.replies(ask("portregister", "svc"), "")
        self.replies(ask("portregister", "svc", "16534", source=NODE0), "")
        self.replies(ask("portregister", "svc"), "PORT=16534 NODEID=pc1.example.net\n")
        self.replies(ask("portregister", "svc", source=REMOTE), "")
        self.replies(ask("portregister", "svc", "7", source=REMOTE), "")
        self.replies(ask("portregister", "svc", "99"), "")
        self.replies(ask("portregister", "svc", source=NODE0), "PORT=99 NODEID=pc2.example.net\n")
        self.replies(ask("portregister", "svc", "0", source=NODE0), "")
        self.replies(ask("portregister", "svc"), "")
        self.replies(ask("portregister", "svc", source=REMOTE), "PORT=7 NODEID=pc4.example.net\n")
        for bad in ((), ("a", "b"), ("a" * 128, "1")):
            self.replies(ask("portregister", *bad), "")
        self.assertEqual(self.server.log()[-1]["dropped"], "bad arguments")

    def test_ready(self) -> None:
        ask = self.server.ask
        self.replies(ask("ready"), "")
        self.replies(ask("readycount"), "READY=1 TOTAL=2\n")
        self.replies(ask("--vnodeid", "pcvm1-1", "ready", source=NODE0), "")
        self.replies(ask("--vnodeid", "pcvm1-1", "readycount", source=NODE0), "")
        self.replies(ask("readycount", source=NODE0), "READY=1 TOTAL=2\n")

    def test_versions(self) -> None:
        ask = self.server.ask
        self.replies(ask("creator"), "CREATOR=alice SWAPPER=bob\n")
        self.replies(ask("--version", "20", "creator"), "CREATOR=alice\n")
        self.replies(ask("--version", "none", "creator"), "CREATOR=alice\n")
        self.replies(ask("--version", "99", "status"), "ALLOCATED=P/E NICKNAME=node1\n")
        hosts = ask("--version", "2", "hostnames", source=NODE0)["reply"]
        self.assertIn("NAME=node2 LINK=0 IP=10.1.3.3 ALIAS=node2\n", hosts)
        old = ask("--version", "12", "programs")["reply"]
        self.assertEqual(old, "UID=bob\nAGENT=node1_startcmd\nAGENT=p2\n")
        middle = ask("--version", "22", "programs")["reply"]
        self.assertIn("AGENT=p2 COMMAND='x'\n", middle)
        new = ask("programs")["reply"]
        self.assertIn("p2 DIR={/tmp/a b} TIMEOUT=5 EXPECTED_EXIT_CODE=0 COMMAND='x'\n", new)

    def test_hostnames(self) -> None:
        reply = self.server.ask("hostnames", source=NODE0)["reply"]
        rows = [
            "node4-link3 IP=10.1.2.3 ALIASES='node4-0 node4'",
            "node3-link3 IP=10.1.2.2 ALIASES='node3-1 node3'",
            "node3-link2 IP=10.1.1.2 ALIASES='node3-0  '",
            "node2-link2 IP=10.1.1.3 ALIASES='node2-2  '",
            "node2-link1 IP=10.1.4.3 ALIASES='node2-1  '",
            "node2-link0 IP=10.1.3.3 ALIASES='node2-0 node2'",
            "node1-link1 IP=10.1.4.2 ALIASES='node1-0 node1'",
            "node0-link0 IP=10.1.3.2 ALIASES='node0-0 node0'",
        ]
        self.assertEqual(reply, "".join(f"NAME={row}\n" for row in rows))

    def test_options(self) -> None:
        ask = self.server.ask
        self.replies(ask("--key-option", f"REDIRECT={NODE1}", "nodeid", source=BOSS), "pc2\n")
        self.replies(ask("--redirect", NODE1, "nodeid", source=NODE0), "")
        self.replies(ask("--vnodeid", "bad/char", "status"), "")
        self.replies(ask("--vnodeid", "pcvm1-1", "nodeid", source=NODE0), "pcvm1-1\n")
        self.replies(ask("--vnodeid", "pcvm1-1", "nodeid", source=NODE1), "")
        self.replies(ask("--privkey", KEY, "nodeid", source=STRANGER), "pc2\n")
        self.replies(ask("--privkey", KEY[:15], "nodeid"), "")
        self.replies(ask("--key-option", "", "nodeid"), "pc2\n")
        self.replies(ask("loghosts"), "")

    def test_called_address_identifies(self) -> None:
        self.replies(self.server.ask("--host", "127.0.0.50", "nodeid"), "pc5\n")
        end = self.server.ask("--host", "127.0.0.50", "--udp", "nodeid")
        self.assertEqual((end["outcome"], end["reply"]), ("reply", "pc5\n"))

    def test_remote(self) -> None:
        ask = self.server.ask
        self.replies(ask("eventkey"), f"EVENTKEY KEY='{KEY}'\n")
        self.replies(ask("eventkey", source=REMOTE), "")
        self.assertEqual(self.server.log()[-1]["dropped"], "remote node without SSL")

    def test_udp(self) -> None:
        lines: list[Line] = [
            {"id": "isalive", "command": "isalive", "linger": 100},
            {"id": "portregister", "command": "portregister nobody", "timeout": 0.5},
            {"id": "ipodinfo", "command": "ipodinfo", "timeout": 0.5},
            {"id": "remote", "command": "isalive", "source": REMOTE},
            {"id": "remote2", "command": "status", "source": REMOTE, "timeout": 0.5},
        ]
        ends = self.server.script(lines, "--udp")
        wanted = {"isalive": "reply", "remote": "reply"}
        for ident, end in ends.items():
            self.assertEqual(end["outcome"], wanted.get(ident, "timeout"), end)
        self.assertEqual(ends["isalive"]["reply"], "UPDATE=0\n")
        self.assertEqual(ends["isalive"]["datagrams"], 1)

    def test_fullconfig(self) -> None:
        reply = self.server.ask("fullconfig")["reply"]
        self.assertTrue(reply.startswith("*** nodeid\npc2\n*** nodeid\n*** manifest\n"))
        context = tmcd_parse.Context(caller="physical")
        found = tmcd_parse.parse_reply("fullconfig", reply.encode(), context)
        self.assertIn("syncserver", [one["command"] for one in found])
        virtual = self.server.ask("--vnodeid", "pcvm1-1", "fullconfig", source=NODE0)["reply"]
        tmcd_parse.parse_reply("fullconfig", virtual.encode(), tmcd_parse.Context(caller="virtual"))
        with self.assertRaises(tmcd_parse.FormatError):
            tmcd_parse.parse_reply("fullconfig", virtual.encode(), context)
        remote = self.server.ask("fullconfig", source=REMOTE)["reply"]
        plain = tmcd_parse.Context(caller="physical", remote_plain=True)
        tmcd_parse.parse_reply("fullconfig", remote.encode(), plain)

    def test_every_reply_of_the_server_parses(self) -> None:
        words = [c.word for c in TABLE if c.word in tmcd_parse.PARSERS and c.word != "ready"]
        lines: list[Line] = [{"id": w, "command": [w], "parse": True} for w in words]
        for ident, end in self.server.script(lines).items():
            self.assertIn("parsed", end, f"{ident}: {end}")


class Wire(WithServer):
    """Ways to send a request."""

    def test_pieces_and_endings(self) -> None:
        for extra in (
            ("--split", "3"), ("--byte-delay", "5"), ("--newline",), ("--no-half-close",),
            ("--no-trailing-space",), ("--no-newline",),
        ):  # fmt: skip
            self.replies(self.server.ask(*extra, "nodeid"), "pc2\n")
        raw = b"VERSION=34 nodeid ".hex()
        self.replies(self.server.ask("--raw-hex", raw), "pc2\n")
        self.replies(self.server.ask("--raw-hex", ""), "")

    def test_data_follows(self) -> None:
        self.replies(self.server.ask("--data", "line1\nline2\n", "bootlog"), "")
        entry = self.server.log()[-1]
        self.assertEqual(entry["text"], "VERSION=34 bootlog line1\nline2\n")
        self.assertEqual(entry["args"], "line1\nline2\n")

    def test_pipeline_and_junk(self) -> None:
        self.replies(self.server.ask("--pipeline", "nodeid", "status"), "pc2\n")
        text = self.server.log()[-1]["text"]
        self.assertEqual(text, "VERSION=34 nodeid \nVERSION=34 status \n")
        self.replies(self.server.ask("--junk", "300", "--junk-at", "instead"), "")
        self.replies(self.server.ask("--junk", "9", "--newline", "nodeid"), "pc2\n")

    def test_nothing_there(self) -> None:
        with ServerProcess("--refuse-for", "60") as server:
            self.assertEqual(server.word, "refusing")
            self.assertEqual(server.ask("status")["outcome"], "refused")
        self.assertEqual(server.ask("--udp", "status")["outcome"], "refused")

    def test_many_at_once(self) -> None:
        lines: list[Line] = [{"id": n, "command": "nodeid"} for n in range(300)]
        lines.append({"id": "last", "command": "status", "after": [1, 2], "start_after_ms": 10})
        lines.append({"id": "never", "command": "status", "after": "nobody"})
        lines.append({"id": "bad", "command": "status", "colour": 1})
        ends = self.server.script(lines)
        for n in range(300):
            self.replies(ends[n], "pc2\n")
        self.replies(ends["last"], "ALLOCATED=P/E NICKNAME=node1\n")
        self.assertEqual([ends[i]["outcome"] for i in ("never", "bad")], ["error"] * 2)


class NastyServer(unittest.TestCase):
    """Every bad habit shows as it should."""

    def check(self, habit: str, outcome: str, reply: str = "", *extra: str) -> Line:
        with ServerProcess("--nasty", habit) as server:
            end = server.ask("--timeout", "1", *extra, "nodeid")
        self.assertEqual((end["outcome"], end["reply"]), (outcome, reply), end)
        return end

    def test_habits(self) -> None:
        self.check("silent", "timeout")
        self.check("close", "eof")
        self.check("reset", "reset")
        self.check("short=2", "reply", "pc")
        self.check("reply-hex=0aff", "reply", "\n\\xff")
        self.assertFalse(self.check("hold", "reply", "pc2\n")["closed"])
        self.assertGreaterEqual(self.check("slow=300", "reply", "pc2\n")["elapsed_ms"], 300)
        self.assertGreaterEqual(self.check("drip=30", "reply", "pc2\n")["elapsed_ms"], 120)
        self.check("silent@status", "reply", "pc2\n")
        self.check("silent", "timeout", "", "--udp")
        end = self.check("twice", "reply", "pc2\npc2\n", "--udp", "--linger", "200")
        self.assertEqual(end["datagrams"], 2)

    def test_close_now(self) -> None:
        with ServerProcess("--nasty", "close-now") as server:
            self.assertIn(server.ask("nodeid")["outcome"], ("eof", "reset"))

    def test_ignore_and_redirect(self) -> None:
        with ServerProcess("--nasty", "ignore=1") as server:
            outcomes = [server.ask("nodeid")["outcome"] for _ in range(2)]
        self.assertEqual(outcomes, ["eof", "reply"])
        with ServerProcess("--nasty", "redirect=127.0.0.1:pcvm1-1") as server:
            end = server.ask("--follow", "4", "nodeid", source=NODE0)
            self.assertEqual(end["redirects"], ["127.0.0.1"] * 4)
            self.assertEqual(server.log()[-1]["text"], "VNODEID=pcvm1-1 VERSION=34 nodeid ")

    def test_one_read_cuts_a_split_request(self) -> None:
        with ServerProcess("--one-read") as server:
            end = server.ask("--split", "17", "--byte-delay", "300", "portregister", "svc")
            self.assertEqual(end["outcome"], "eof")
            self.assertEqual(server.log()[-1]["text"], "VERSION=34 portre")
            self.assertEqual(server.ask("nodeid")["reply"], "pc2\n")


@unittest.skipUnless(shutil.which("openssl"), "needs openssl to make certificates")
class Tls(unittest.TestCase):
    """The tag in clear, then TLS."""

    pem: str
    key: str

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.pem, cls.key = f"{folder.name}/pem", f"{folder.name}/key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             "/CN=localhost", "-keyout", cls.key, "-out", cls.pem],
            check=True, capture_output=True,
        )  # fmt: skip

    def server(self, *extra: str) -> ServerProcess:
        return ServerProcess("--tls-cert", self.pem, "--tls-key", self.key, *extra)

    def test_tls(self) -> None:
        with self.server() as server:
            for extra in (
                (), ("--tls-version", "1.2"), ("--tag-glue",), ("--tag-delay", "100"),
                ("--split", "5"), ("--cafile", self.pem, "--check-name"),
            ):  # fmt: skip
                end = server.ask("--tls", *extra, "eventkey", source=NODE1)
                self.assertEqual(end["reply"], f"EVENTKEY KEY='{KEY}'\n", end)
            self.assertEqual(end["tls"]["peer_cn"], "localhost")
            self.assertTrue(end["tls"]["close_notify"])
            self.assertEqual(server.ask("--tls", "eventkey", source=REMOTE)["outcome"], "eof")
            self.assertEqual(server.ask("nodeid")["reply"], "pc2\n")
            self.assertEqual({e["transport"] for e in server.log()}, {"tls", "tcp"})
            end = server.ask("--tls", "--tls-version", "1.0", "nodeid")
            self.assertIn(end["outcome"], ("tls", "reset", "eof"), end)
            checks = ("--cafile", self.pem, "--check-name")
            end = server.ask("--tls", "--host", "127.0.0.50", *checks, "status")
            self.assertEqual(end["outcome"], "tls", end)

    def test_old_versions(self) -> None:
        with self.server("--tls-old") as server:
            end = server.ask("--tls", "--tls-version", "1.0", "nodeid")
            self.assertEqual((end["reply"], end["tls"]["version"]), ("pc2\n", "TLSv1"), end)

    def test_client_certificate(self) -> None:
        with self.server("--tls-cafile", self.pem) as server:
            end = server.ask("--tls", "--cert", self.pem, "--key", self.key, "nodeid")
            self.assertEqual(end["reply"], "pc2\n", end)
            end = server.ask("--tls", "nodeid")
            self.assertIn(end["outcome"], ("tls", "reset"), end)

    def test_tag_without_tls(self) -> None:
        with ServerProcess() as server:
            started = time.monotonic()
            end = server.ask("--tls", "nodeid")
            self.assertIn(end["outcome"], ("eof", "reset", "tls"), end)
            self.assertLess(time.monotonic() - started, 4)


GOOD: list[tuple[str, int, str]] = [
    ("status", 34, "FREE\n"),
    ("status", 34, ""),
    ("hostnames", 34, "NAME=x-a-lan IP=10.1.1.1 ALIASES='x-a-0  '\n"),
    ("hostnames", 2, "NAME=x LINK=0 IP=10.1.1.1 ALIAS= \n"),
    ("programs", 34, "UID=bob\nAGENT=a TIMEOUT=3 COMMAND='it's DIR=x'\n"),
    ("startupcmd", 34, "CMD='a' UID=b' UID=bob\n"),
    ("ifconfig", 34,
     "INTERFACE IFACETYPE=f INET=10.0.0.1 MASK=255.255.255.0 MAC=00aabbccddee SPEED=100Mbps"
     " DUPLEX=full IFACE= RTABID=0 LAN=lan0\n"
     "INTERFACE_SETTING MAC=00aabbccddee KEY='ssid' VAL='it's'\n"
     "INTERFACE IFACETYPE=f INET= MASK= MAC=00aabbccddef SPEED=100Mbps DUPLEX=full IFACE="
     " RTABID= LAN=\n"
     "INTERFACE IFACETYPE=vlan INET=10.0.0.2 MASK=255.255.255.0 ID=1 VMAC=00aabbccdde0"
     " PMAC=none RTABID=0 ENCAPSULATE=1 LAN=l VTAG=7\n"),
    ("linkdelay", 34,
     "LINKDELAY IFACE=00aabbccddee TYPE=duplex LINKNAME=l VNODE=n INET=10.0.0.1"
     " MASK=255.255.255.0 PIPE=1 DELAY=5.5 BW=100 PLR=0.1 RPIPE=2 RDELAY=5 RBW=100 RPLR=0"
     " RED=0 LIMIT=50 MAXTHRESH=15 MINTHRESH=5 WEIGHT=0.002 LINTERM=10 QINBYTES=0 BYTES=0"
     " MEANPSIZE=500 WAIT=1 SETBIT=0 DROPTAIL=1 GENTLE=0\n"),
    ("routing", 34, "ROUTERTYPE=manual\nROUTE DEST=10.1.0.0 DESTTYPE=net DESTMASK=255.255.0.0"
     " NEXTHOP=10.0.0.1 COST=1 SRC=10.0.0.2\n"),
    ("mounts", 34, "FSTYPE=NFS\nREMOTE=fs:/p LOCAL=/proj/p\n"),
    ("watchdoginfo", 34, "INTERVAL=-1 ISALIVE=180 NTPDRIFT=0 CVSUP=0 RUSAGE=0 HOSTKEYS=0"
     " DHCPDCONF=0 SETROOTPSWD=0\n"),
    ("tarballs", 34, "DIR=/a b TARBALL=/x.tar\n"),
]  # fmt: skip

BAD: list[tuple[str, str, str]] = [
    ("status", "FREE", "reply.newline"),
    ("status", "FREE\nFREE\n", "status.one-line"),
    ("status", "ALLOCATED=P/E NICKNAME= \n", "status"),
    ("status", "FREE\r\n", "status"),
    ("ready", "\n", "no-reply"),
    ("syncserver", "SYNCSERVER SERVER='a.b.c' ISSERVER=1\n", "syncserver.SERVER"),
    ("syncserver", "SYNCSERVER SERVER='a.b.c.d' ISSERVER=2\n", "syncserver.ISSERVER"),
    ("readycount", "READY=1  TOTAL=2\n", "readycount.TOTAL"),
    ("portregister", "NODEID=a.b PORT=1\n", "portregister"),
    ("portregister", "PORT=0 NODEID=a.b\n", "portregister.PORT"),
    ("portregister", "PORT=1 NODEID=a.b \n", "portregister"),
    ("programs", "UID=bob\n", "programs.agents"),
    ("programs", "UID=bob\nAGENT=a COMMAND='x' \n", "programs"),
    ("programs", "UID=bob\nAGENT=a TIMEOUT=1 DIR=/x COMMAND='x'\n", "programs.DIR"),
    ("hostnames", "NAME=x-l IP=10.1.1.1 ALIASES='x-0'\n", "hostnames.ALIASES"),
    ("hostnames", "NAME=x-l IP=10.1.1.1 ALIASES='x-0 y'\n", "hostnames.bare"),
    ("hostnames", "NAME=y-l IP=10.1.1.1 ALIASES='x-0 x'\n", "hostnames.NAME"),
    ("hostnames", "NAME=x-l IP=10.1.1.256 ALIASES='x-0 x'\n", "hostnames.IP"),
    ("eventkey", "EVENTKEY KEY='xyz'\n", "eventkey.KEY"),
    ("routing", "ROUTERTYPE=static\nROUTE \n", "routing.static"),
    ("isalive", "UPDATE=2\n", "isalive.UPDATE"),
    ("fullconfig", "*** nodeid\na\n", "fullconfig.pair"),
    ("fullconfig", "*** manifest\n*** manifest\n*** nodeid\n*** nodeid\n", "fullconfig.order"),
    ("fullconfig", "*** status\n*** status\n", "fullconfig.member"),
    ("trafgens", "TRAFGEN=t MYNAME=x MYPORT=1 PEERNAME=10.0.0.1 PEERPORT=1 PROTO=udp ROLE=sink"
     " GENERATOR=TG\n", "trafgens.MYNAME"),
]  # fmt: skip


class Parsers(unittest.TestCase):
    """What is accepted and which rule refuses the rest."""

    def test_good(self) -> None:
        for command, version, text in GOOD:
            with self.subTest(command=command, text=text):
                tmcd_parse.parse(command, text.encode(), version)

    def test_bad(self) -> None:
        for command, text, rule in BAD:
            with self.subTest(command=command, text=text):
                with self.assertRaises(tmcd_parse.FormatError) as caught:
                    tmcd_parse.parse(command, text.encode())
                self.assertEqual(caught.exception.rule, rule)

    def test_ifconfig_order(self) -> None:
        lines = next(text for command, _, text in GOOD if command == "ifconfig").splitlines(True)
        with self.assertRaises(tmcd_parse.FormatError) as caught:
            tmcd_parse.parse("ifconfig", "".join(reversed(lines)).encode())
        self.assertEqual(caught.exception.rule, "ifconfig.order")

    def test_table(self) -> None:
        self.assertEqual(len(TABLE), 78)
        for text, word in (("readycount", "readycount"), ("startstatus", "startstatus"),
                           ("linkdelays", "linkdelay"), ("loghosts", None)):  # fmt: skip
            found = find_command(text)
            self.assertEqual(found.word if found else None, word)

    def test_command_line(self) -> None:
        for text, code in (("FREE\n", 0), ("free\n", 1)):
            done = subprocess.run(
                [sys.executable, str(HERE / "tmcd_parse.py"), "status"],
                input=text, capture_output=True, text=True, check=False, timeout=30,
            )  # fmt: skip
            self.assertEqual(done.returncode, code)
            self.assertIn("error" if code else "reply", json.loads(done.stdout))


if __name__ == "__main__":
    unittest.main()
