# SPDX-License-Identifier: MIT
"""A client of the Testground sync service, written from its specification."""
import json
from collections import deque

from websocket import BINARY, PONG, TEXT, WebSocket

FIELDS = {"id", "error", "publish", "subscribe", "signal_entry"}


class ProtocolError(AssertionError):
    """The server has sent what the specification does not allow."""


class Client:
    def __init__(self, port, **options):
        self.socket = WebSocket(port, **options)
        self.next_id = 0
        self.waiting = {}

    def new_id(self):
        self.next_id += 1
        return str(self.next_id - 1)

    def send(self, request, opcode=TEXT, compress=False):
        self.socket.send(json.dumps(request), opcode, compress)

    def receive(self):
        """The next answer, checked: a text message of one object with all five fields."""
        while True:
            opcode, data = self.socket.receive()
            if opcode == PONG:
                continue
            if opcode == BINARY:
                raise ProtocolError("an answer is text")
            if not data.endswith(b"\n"):
                raise ProtocolError("an answer ends in a newline")
            answer = json.loads(data)
            if set(answer) != FIELDS:
                raise ProtocolError(f"fields {sorted(answer)}")
            texts = [answer[name] for name in ("id", "error", "subscribe")]
            if not all(isinstance(text, str) for text in texts):
                raise ProtocolError(f"a text that is none: {answer}")
            return answer

    def answer(self, wanted):
        """The next answer with this id; others are kept."""
        kept = self.waiting.get(wanted)
        if kept:
            return kept.popleft()
        while True:
            answer = self.receive()
            if answer["id"] == wanted:
                return answer
            self.waiting.setdefault(answer["id"], deque()).append(answer)

    def ask(self, **operation):
        own = self.new_id()
        self.send({"id": own, **operation})
        return own

    def done(self, own):
        answer = self.answer(own)
        if answer["error"]:
            raise RuntimeError(answer["error"])
        return answer

    def signal(self, state):
        return self.done(self.ask(signal_entry={"state": state}))["signal_entry"]["seq"]

    def ask_barrier(self, state, target):
        return self.ask(barrier={"state": state, "target": target})

    def barrier(self, state, target):
        answer = self.done(self.ask_barrier(state, target))
        met = {"publish": None, "subscribe": "", "signal_entry": None}
        if {name: answer[name] for name in met} != met:
            raise ProtocolError(f"a barrier that is met is an empty answer, not {answer}")

    def publish(self, topic, payload):
        own = self.ask(publish={"topic": topic, "payload": payload})
        return self.done(own)["publish"]["seq"]

    def subscribe(self, topic):
        return self.ask(subscribe={"topic": topic})

    def message(self, own):
        """The next message of a subscription."""
        answer = self.done(own)
        if answer["publish"] is not None or answer["signal_entry"] is not None:
            raise ProtocolError(f"a message holds only itself: {answer}")
        return json.loads(answer["subscribe"])

    def is_quiet(self):
        """Nothing has been sent but what was taken: a question is answered at once."""
        before = {key: len(kept) for key, kept in self.waiting.items()}
        self.barrier(f"quiet-{id(self)}", 0)
        after = {key: len(kept) for key, kept in self.waiting.items()}
        return before == after

    def close(self):
        return self.socket.close()
