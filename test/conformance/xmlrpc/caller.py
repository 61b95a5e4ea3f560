# SPDX-License-Identifier: MIT
# A client of boss's XML-RPC that shares no code with it: Python's xmlrpc.client. Reads lines of
# JSON, [method, arguments...], and prints one line of JSON for each: {"value": ...} or
# {"fault": [code, text]} or {"error": text}.
#
#   caller.py https URL CERT KEY CA     over HTTPS with a client certificate
#   caller.py command ARG...            over the standard input and output of a command
import datetime
import json
import ssl
import subprocess
import sys
import xmlrpc.client


class CommandTransport(xmlrpc.client.Transport):
    """Calls through the pipes of a process that stays, as a remote command of ssh does."""

    def __init__(self, command):
        super().__init__()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def request(self, host, handler, request_body, verbose=False):
        pipe = self.process.stdin
        pipe.write(b"Content-Length: %d\r\n\r\n" % len(request_body))
        pipe.write(request_body)
        pipe.flush()
        length = None
        while True:
            line = self.process.stdout.readline()
            if line == b"":
                raise EOFError("the command has ended")
            if line in (b"\r\n", b"\n"):
                break
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        parser, unmarshaller = self.getparser()
        parser.feed(self.process.stdout.read(length))
        parser.close()
        return unmarshaller.close()


def connect(kind, *rest):
    if kind == "command":
        return xmlrpc.client.ServerProxy("http://ssh/", transport=CommandTransport(rest))
    url, cert, key, authority = rest
    context = ssl.create_default_context(cafile=authority)
    if cert != "":
        context.load_cert_chain(cert, key)
    return xmlrpc.client.ServerProxy(url, context=context, allow_none=True)


def plain(value):
    if isinstance(value, xmlrpc.client.Binary):
        return {"binary": list(value.data)}
    if isinstance(value, (xmlrpc.client.DateTime, datetime.datetime)):
        return {"time": str(value)}
    raise TypeError(type(value))


def main():
    server = connect(*sys.argv[1:])
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            answer = {"value": getattr(server, method)(*arguments)}
        except xmlrpc.client.Fault as fault:
            answer = {"fault": [fault.faultCode, fault.faultString]}
        except xmlrpc.client.ProtocolError as error:
            answer = {"error": "HTTP %d" % error.errcode}
        except (OSError, EOFError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer, default=plain), flush=True)


main()
