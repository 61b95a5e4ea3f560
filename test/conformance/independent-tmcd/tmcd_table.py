"""The command table of the node configuration service.

Its order matters twice: a request is matched by prefix against the words in
this order, and ``fullconfig`` answers in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

# Word, membership in fullconfig (P physical, V virtual, A all, - none), flags:
# A allocated nodes only, U remote UDP allowed, S remote nodes need SSL,
# T needs a TPM certificate, t TCP only.
TABLE_TEXT = """
reboot - -
nodeid A -
manifest A -
status - -
ifconfig A A
accounts A St
delay A A
bridges A A
linkdelay A A
hostnames - A
rpms A A
tarballs A A
blobs A A
deltas - A
startupcmd A A
startstatus - A
startstat - -
readycount - A
ready - A
mounts A A
sfshostid - A
loadinfo - -
reset - -
routing A A
trafgens A A
nseconfigs A At
creator A A
state - -
tunnels A A
vnodelist P -
subnodelist P -
isalive - U
ipodinfo P t
ntpinfo P t
ntpdrift - t
jailconfig V A
plabconfig V A
subconfig - -
sdparams P -
programs A A
syncserver A A
keyhash A AS
eventkey A AS
fullconfig - A
routelist P A
role P A
rusage - U
watchdoginfo A U
hostkeys - -
tmcctest - -
firewallinfo A -
hostinfo - -
emulabconfig - A
eplabconfig - A
localization P -
rootpswd - S
booterrno - -
bootlog - -
battery - U
topomap - A
ltmap - A
ltpmap - A
userenv A A
tiptunnels A A
traceinfo A A
elvindport - -
plabeventkeys - S
intfcmap - -
motelog A A
portregister - -
bootwhat - -
tpmblob A -
tpmpubkey A -
tpmdummy A T
securestate - S
quoteprep - S
imagekey - T
dhcpdconf A -
"""


@dataclass(frozen=True)
class Command:
    """One entry of the table."""

    word: str
    config: str
    flags: str

    def has(self, flag: str) -> bool:
        """Whether a flag is set."""
        return flag in self.flags

    def in_fullconfig(self, virtual: bool) -> bool:
        """Whether the caller's fullconfig has it; TPM entries are left out."""
        return self.config in ("A", "V" if virtual else "P") and not self.has("T")


TABLE = tuple(Command(*line.split()) for line in TABLE_TEXT.split("\n") if line)
BY_WORD = {command.word: command for command in TABLE}


def find_command(word: str) -> Command | None:
    """The first entry whose whole word the given one begins with."""
    return next((command for command in TABLE if word.startswith(command.word)), None)
