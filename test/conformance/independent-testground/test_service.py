# SPDX-License-Identifier: MIT
"""What the specification says of the Testground sync service, against the one at PORT.

Usage: test_service.py PORT. Every test has a state and a topic of its own.
"""
import json
import struct
import sys
import threading
import unittest

from sync_client import Client
from websocket import BINARY, CLOSE, PING, Closed, WebSocket, plain_request

PORT = 0
IN_MAX = 512 * 1024


class ServiceTest(unittest.TestCase):
    def setUp(self):
        self.clients = []
        self.name = self.id().split(".")[-1]

    def tearDown(self):
        for client in self.clients:
            client.socket.abort()

    def client(self, **options):
        client = Client(PORT, **options)
        self.clients.append(client)
        return client

    def closed(self, client):
        """How the server closes the connection."""
        with self.assertRaises(Closed) as caught:
            while True:
                client.receive()
        return caught.exception


class Transport(ServiceTest):
    def test_a_plain_request_is_told_to_upgrade(self):
        for target in ("/", "/metrics?x=1"):
            request = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            status, headers, body = plain_request(PORT, request)
            self.assertIn(" 426", status)
            self.assertEqual(headers["upgrade"].lower(), "websocket")
            self.assertIn("upgrade", headers["connection"].lower())
            self.assertTrue(headers["content-type"].startswith("text/plain"))
            self.assertTrue(body)

    def test_any_path_query_and_origin(self):
        for path in ("/", "/any/where?token=1&x", "/%20"):
            client = self.client(path=path, headers=["Origin: http://elsewhere.example"])
            client.barrier(self.name, 0)

    def test_no_protocol_is_chosen(self):
        socket = WebSocket(PORT, headers=["Sec-WebSocket-Protocol: sync, other"])
        self.assertNotIn("sec-websocket-protocol", socket.headers)
        socket.abort()

    def test_binary_messages_are_read(self):
        client = self.client()
        client.send({"id": "b", "signal_entry": {"state": self.name}}, opcode=BINARY)
        self.assertEqual(client.answer("b")["signal_entry"], {"seq": 1})

    def test_fragments_are_one_message(self):
        client = self.client()
        text = json.dumps({"id": "ü", "signal_entry": {"state": self.name}})
        client.socket.send_fragments([text[:3], text[3:9], text[9:]])
        self.assertEqual(client.answer("ü")["signal_entry"], {"seq": 1})

    def test_pings_are_answered(self):
        client = self.client()
        client.socket.send(b"are you there", PING)
        client.barrier(self.name, 0)
        self.assertEqual(client.socket.pongs, [b"are you there"])

    def test_a_close_is_answered_with_its_code(self):
        for code in (1000, 1001):
            self.assertEqual(self.client().socket.close(code), code)

    def test_compression_without_context(self):
        client = self.client(deflate=True)
        self.assertIn("server_no_context_takeover", client.socket.extensions)
        self.assertIn("client_no_context_takeover", client.socket.extensions)
        own = client.subscribe(self.name)
        for length, compressed in ((10, False), (4000, True), (20000, True)):
            request = {"publish": {"topic": self.name, "payload": "x" * length}}
            client.send({"id": f"p{length}", **request}, compress=True)
            client.done(f"p{length}")
            other = self.client(deflate=True)
            there = other.subscribe(self.name)
            while other.message(there) != "x" * length:
                pass
            self.assertEqual(other.socket.last_was_compressed, compressed)
            self.assertEqual(client.message(own), "x" * length)

    def test_messages_up_to_512_kib_are_read(self):
        client = self.client()
        text = json.dumps({"id": "0", "publish": {"topic": self.name, "payload": ""}})
        payload = "x" * (IN_MAX - len(text))
        whole = json.dumps({"id": "0", "publish": {"topic": self.name, "payload": payload}})
        self.assertEqual(len(whole), IN_MAX)
        client.socket.send(whole)
        self.assertEqual(client.answer("0")["publish"], {"seq": 1})
        own = client.subscribe(self.name)
        self.assertEqual(client.message(own), payload)
        client.socket.send(whole + " ")
        self.assertEqual(self.closed(client).code, 1009)

    def test_a_message_that_says_it_is_huge_is_not_waited_for(self):
        client = self.client()
        client.socket.send_bytes(b"\x81\xff" + struct.pack(">Q", 64 * 1024 * 1024) + b"abcd")
        self.assertEqual(self.closed(client).code, 1009)

    def test_what_is_no_request_closes_with_1007(self):
        for text in (
            "",
            "nonsense",
            "[]",
            "null",
            "7",
            '{"id":7}',
            '{"id":"0","barrier":{"state":"s","target":"1"}}',
            '{"id":"0","barrier":{"state":"s","target":1.5}}',
            '{"id":"0","signal_entry":[]}',
            "[" * 200_000,
        ):
            client = self.client()
            client.socket.send(text)
            closed = self.closed(client)
            self.assertEqual(closed.code, 1007, text[:60])
            self.assertEqual(closed.reason, "failed to unmarshal JSON")

    def test_text_that_is_no_utf8_closes_with_1007(self):
        client = self.client()
        client.socket.send(b'{"id":"\xff"}')
        self.assertEqual(self.closed(client).code, 1007)

    def test_frames_against_the_rules_close_with_1002(self):
        for frame in (b"\x83\x80abcd", b"\x81\x02{}", b"\xf1\x80abcd"):
            client = self.client()
            client.socket.send_bytes(frame)
            self.assertEqual(self.closed(client).code, 1002)


class Envelope(ServiceTest):
    def test_ids_come_back_as_they_were(self):
        client = self.client()
        for own in ("", "a b", "ü\"\\\n", "x" * 1000):
            client.send({"id": own, "barrier": {"state": self.name, "target": 0}})
            self.assertEqual(client.receive()["id"], own)
        client.send({"barrier": {"state": self.name, "target": 0}})
        self.assertEqual(client.receive()["id"], "")

    def test_one_id_may_be_under_way_several_times(self):
        client = self.client()
        for target in (1, 2):
            client.send({"id": "same", "barrier": {"state": self.name, "target": target}})
        for _ in range(2):
            client.signal(self.name)
        for _ in range(2):
            self.assertEqual(client.answer("same")["error"], "")

    def test_of_several_operations_one_runs(self):
        operations = {
            "signal_entry": {"state": self.name},
            "barrier": {"state": self.name, "target": 0},
            "subscribe": {"topic": self.name},
            "publish": {"topic": self.name, "payload": 1},
        }
        client = self.client()
        client.send({"id": "all", **operations})
        self.assertEqual(client.answer("all")["publish"], {"seq": 1})
        del operations["publish"]
        client.send({"id": "three", **operations})
        self.assertEqual(client.answer("three")["subscribe"], "1")
        del operations["subscribe"]
        client.send({"id": "two", **operations})
        self.assertIsNone(client.answer("two")["signal_entry"])
        self.assertEqual(client.signal(self.name), 1)

    def test_a_request_for_nothing_is_passed_over(self):
        client = self.client()
        client.send({"id": "nothing"})
        client.send({})
        client.send({"id": "null", "publish": None})
        self.assertTrue(client.is_quiet())

    def test_names_of_fields_in_any_case_and_unknown_ones(self):
        client = self.client()
        client.send({"ID": "x", "Signal_Entry": {"STATE": self.name}, "y": [None]})
        self.assertEqual(client.answer("x")["signal_entry"], {"seq": 1})


class States(ServiceTest):
    def test_signals_count_from_one(self):
        a, b = self.client(), self.client()
        self.assertEqual([a.signal(self.name), b.signal(self.name), a.signal(self.name)], [1, 2, 3])
        self.assertEqual(a.signal(self.name + "-other"), 1)

    def test_a_barrier_waits_for_its_own_target(self):
        client = self.client()
        second, first = client.ask_barrier(self.name, 2), client.ask_barrier(self.name, 1)
        client.signal(self.name)
        client.done(first)
        self.assertTrue(client.is_quiet())
        client.signal(self.name)
        client.done(second)
        client.barrier(self.name, 1)
        client.barrier(self.name, 2)

    def test_a_target_of_nothing_is_met_at_once(self):
        client = self.client()
        client.barrier(self.name, 0)
        client.barrier(self.name, -5)
        client.send({"id": "none", "barrier": {"state": self.name}})
        client.done("none")

    def test_all_parties_are_released(self):
        parties = [self.client() for _ in range(20)]
        asked = [(party, party.ask_barrier(self.name, 20)) for party in parties]
        numbers = sorted(party.signal(self.name) for party in parties)
        self.assertEqual(numbers, list(range(1, 21)))
        for party, own in asked:
            party.done(own)

    def test_what_was_counted_stays_when_the_client_leaves(self):
        leaver = self.client()
        leaver.signal(self.name)
        leaver.ask_barrier(self.name, 2)
        leaver.socket.abort()
        other = self.client()
        other.send({"id": "0", "signal_entry": {"state": self.name}})
        self.assertEqual(other.answer("0")["signal_entry"], {"seq": 2})

    def test_a_signal_that_was_sent_before_leaving_counts(self):
        leaver = self.client()
        leaver.ask(signal_entry={"state": self.name})
        leaver.close()
        self.client().barrier(self.name, 1)

    def test_runs_do_not_meet(self):
        client = self.client()
        key = "run:{}:plan:p:case:c:states:" + self.name
        for _ in range(2):
            client.signal(key.format("a" + self.name))
        self.assertEqual(client.signal(key.format("b" + self.name)), 1)
        self.assertEqual(client.signal("plan:p:case:c:states:" + self.name), 1)
        self.assertEqual(client.signal(key.format("a" + self.name)), 3)


class Topics(ServiceTest):
    def test_messages_have_numbers_from_one(self):
        a, b = self.client(), self.client()
        numbers = [a.publish(self.name, 1), b.publish(self.name, 2), a.publish(self.name, 3)]
        self.assertEqual(numbers, [1, 2, 3])

    def test_a_subscriber_gets_all_from_the_first_then_live(self):
        client = self.client()
        payloads = [{"b": [1, None, "<&>"], "a": {}}, "text \" \\ ü", 0, -1.5, True, None, []]
        for payload in payloads[:3]:
            client.publish(self.name, payload)
        other = self.client()
        own = other.subscribe(self.name)
        for payload in payloads[:3]:
            self.assertEqual(other.message(own), payload)
        self.assertTrue(other.is_quiet())
        for payload in payloads[3:]:
            client.publish(self.name, payload)
            self.assertEqual(other.message(own), payload)

    def test_no_payload_is_null(self):
        client = self.client()
        own = client.subscribe(self.name)
        client.done(client.ask(publish={"topic": self.name}))
        self.assertIsNone(client.message(own))

    def test_a_number_is_not_rounded(self):
        client = self.client()
        own = client.subscribe(self.name)
        client.publish(self.name, 12345678901234567890)
        self.assertEqual(client.message(own), 12345678901234567890)

    def test_subscribing_twice_is_two_subscriptions(self):
        client = self.client()
        client.publish(self.name, 1)
        owns = [client.subscribe(self.name) for _ in range(2)]
        self.assertEqual([client.message(own) for own in owns], [1, 1])

    def test_all_subscribers_see_one_order(self):
        publishers = [self.client() for _ in range(5)]
        readers = [self.client() for _ in range(5)]
        owns = [reader.subscribe(self.name) for reader in readers]
        numbers = {}

        def publish(index):
            for count in range(40):
                numbers[(index, count)] = publishers[index].publish(self.name, [index, count])

        threads = [threading.Thread(target=publish, args=(index,)) for index in range(5)]
        for thread in threads:
            thread.start()
        seen = [[reader.message(own) for _ in range(200)] for reader, own in zip(readers, owns)]
        for thread in threads:
            thread.join()
        late = self.client()
        own = late.subscribe(self.name)
        seen.append([late.message(own) for _ in range(200)])
        for order in seen:
            self.assertEqual(order, seen[0])
        for place, (index, count) in enumerate(seen[0]):
            self.assertEqual(numbers[(index, count)], place + 1)

    def test_order_within_a_connection(self):
        client = self.client()
        own = client.subscribe(self.name)
        asked = [
            (client.ask(publish={"topic": self.name, "payload": n}),
             client.ask(signal_entry={"state": self.name}))
            for n in range(200)
        ]
        for place, (published, signalled) in enumerate(asked):
            self.assertEqual(client.done(published)["publish"]["seq"], place + 1)
            self.assertEqual(client.done(signalled)["signal_entry"]["seq"], place + 1)
        self.assertEqual([client.message(own) for _ in range(200)], list(range(200)))

    def test_a_message_too_long_for_clients_in_go_ends_their_subscription(self):
        client = self.client()
        go = self.client(headers=["User-Agent: Go-http-client/1.1"])
        short, long = "x" * 100, '"' * 12000
        own = go.subscribe(self.name)
        client.publish(self.name, short)
        self.assertEqual(go.message(own), short)
        client.publish(self.name, long)
        answer = go.answer(own)
        self.assertIn("32768", answer["error"])
        self.assertIn("message 2", answer["error"])
        client.publish(self.name, short)
        self.assertTrue(go.is_quiet())
        other = client.subscribe(self.name)
        self.assertEqual([client.message(other) for _ in range(3)], [short, long, short])


class Cancel(ServiceTest):
    def cancel(self, client, own, **body):
        client.send({"id": own, "is_cancel": True, **body})

    def test_a_cancelled_subscription_gets_nothing_more(self):
        client = self.client()
        client.publish(self.name, 1)
        own = client.subscribe(self.name)
        self.assertEqual(client.message(own), 1)
        self.cancel(client, own)
        client.publish(self.name, 2)
        self.assertTrue(client.is_quiet())

    def test_cancel_with_a_subscription_begins_again(self):
        client = self.client()
        client.publish(self.name, 1)
        own = client.subscribe(self.name)
        self.assertEqual(client.message(own), 1)
        self.cancel(client, own, subscribe={"topic": self.name})
        self.assertEqual(client.message(own), 1)
        client.publish(self.name, 2)
        self.assertEqual(client.message(own), 2)
        self.assertTrue(client.is_quiet())

    def test_a_cancelled_barrier_is_not_answered(self):
        client = self.client()
        own = client.ask_barrier(self.name, 1)
        self.cancel(client, own)
        client.signal(self.name)
        self.assertTrue(client.is_quiet())

    def test_of_an_unknown_id_the_whole_message_is_passed_over(self):
        client = self.client()
        self.cancel(client, "nobody", signal_entry={"state": self.name})
        own = client.subscribe(self.name)
        self.cancel(client, own)
        self.cancel(client, own, signal_entry={"state": self.name})
        self.assertTrue(client.is_quiet())
        self.assertEqual(client.signal(self.name), 1)


if __name__ == "__main__":
    PORT = int(sys.argv.pop(1))
    unittest.main()
