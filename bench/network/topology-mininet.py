# SPDX-License-Identifier: MIT
# One measurement of Mininet 2.3: the same ring of hosts, without switches or shaping; up, a program
# on each, down. Prints one line of JSON, milliseconds.
import json
import sys
import time

from mininet.log import setLogLevel
from mininet.net import Mininet

setLogLevel("error")
count = int(sys.argv[1])


def elapsed(since):
    return (time.monotonic() - since) * 1000


begin = time.monotonic()
net = Mininet(controller=None)
hosts = [net.addHost("h%d" % index, ip=None) for index in range(count)]
for index, host in enumerate(hosts):
    peer = hosts[(index + 1) % count]
    subnet = "10.%d.%d" % (1 + index // 250, index % 250)
    net.addLink(
        host,
        peer,
        intfName1="h%d-a" % index,
        intfName2="h%d-b" % ((index + 1) % count),
        params1={"ip": subnet + ".2/24"},
        params2={"ip": subnet + ".3/24"},
    )
net.start()
up = elapsed(begin)
begin = time.monotonic()
for host in hosts:
    host.cmd("true")
programs = elapsed(begin)
begin = time.monotonic()
net.stop()
down = elapsed(begin)
print(json.dumps({"upMs": up, "programsMs": programs, "downMs": down}))
