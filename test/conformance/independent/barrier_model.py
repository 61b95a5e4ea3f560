#!/usr/bin/env python3
"""The barrier rules of the Emulab sync service, as a pure state machine.

No sockets, no clock, no wire format: a caller feeds in what clients do and is
told who must be answered with what.  That makes the rules testable alone, and
lets another implementation be compared to them step by step.

Rules, in short: a barrier is its name and has a signed count.  An init adds
its waiters to the count, a wait takes one away, and whenever the count is 0
everybody listed is answered and the barrier is gone.

Usage:
    python3 barrier_model.py --selftest
    python3 barrier_model.py --random SEED STEPS
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import unittest
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

INIT = 1
WAIT = 2
FLAG_NO_WAIT = 1
ERROR_CLEARED = 240
NAME_FIELD = 64

W = TypeVar("W", bound=Hashable)


def barrier_name(name_field: bytes) -> bytes:
    """The name inside the 64-byte field of a request.

    A field without a NUL is read as its first 63 bytes, always: the old
    daemon stored the shortened name but looked up the long one, so that two
    such requests never met (fault 5).  Reading it in one way mends that.
    """
    return name_field[: NAME_FIELD - 1].split(b"\0", 1)[0]


@dataclass(frozen=True)
class Release(Generic[W]):
    """One client to be answered, and the error it is told."""

    waiter: W
    error: int


@dataclass(frozen=True)
class Outcome(Generic[W]):
    """What one request leads to.

    ``rejected`` means: close this client's connection without an answer.
    """

    released: tuple[Release[W], ...] = ()
    rejected: bool = False


@dataclass
class Barrier(Generic[W]):
    """One barrier; ``waiters`` maps each client to its effect on the count."""

    count: int = 0
    error: int = 0
    waiters: dict[W, int] = field(default_factory=dict)


MayUse = Callable[[Any, bytes], bool]


class BarrierTable(Generic[W]):
    """All barriers of one server."""

    def __init__(self, may_use: MayUse | None = None) -> None:
        """``may_use(origin, name)`` decides who may touch a barrier (fault 7)."""
        self._barriers: dict[bytes, Barrier[W]] = {}
        self._place: dict[W, bytes] = {}
        self._may_use = may_use

    # -- what clients do ---------------------------------------------------

    def request(
        self,
        waiter: W,
        name: bytes,
        word: int,
        flags: int = 0,
        count: int = 0,
        error: int = 0,
        origin: Any = None,
    ) -> Outcome[W]:
        """One request as it came over the wire."""
        if self._may_use is not None and not self._may_use(origin, name):
            return Outcome(rejected=True)
        if word == INIT:
            no_wait = bool(flags & FLAG_NO_WAIT)
            return Outcome(self.init(waiter, name, count, not no_wait, error))
        if word == WAIT:
            return Outcome(self.wait(waiter, name, error))
        self._barrier(name)  # a barrier that a bad request names stays, empty
        return Outcome(rejected=True)

    def init(
        self, waiter: W, name: bytes, count: int, waits: bool = True, error: int = 0
    ) -> tuple[Release[W], ...]:
        """Add ``count`` waiters; the initialiser waits too unless told not to.

        One who does not wait is answered 0 whatever happens, and its error is
        dropped.
        """
        if waits:
            self._list(waiter, name, count, error)
            return self._settle(name)
        self._barrier(name).count += count
        return (Release(waiter, 0), *self._settle(name))

    def wait(self, waiter: W, name: bytes, error: int = 0) -> tuple[Release[W], ...]:
        """Take one from the count and put the client on the list."""
        self._list(waiter, name, -1, error)
        return self._settle(name)

    def leave(self, waiter: W) -> tuple[Release[W], ...]:
        """A client went away before its release; unknown clients do no harm.

        Its effect on the count is undone.  The barrier keeps its count though
        nobody may be listed any more (fault 1), and an undo that makes the
        count 0 releases the others at once (fault 8).  The error it brought
        stays with the barrier.
        """
        name = self._place.pop(waiter, None)
        if name is None:
            return ()
        barrier = self._barriers[name]
        barrier.count -= barrier.waiters.pop(waiter)
        return self._settle(name)

    def clear(self) -> tuple[Release[W], ...]:
        """Forget every barrier; every waiter is answered 240."""
        released = tuple(Release(waiter, ERROR_CLEARED) for waiter in self._place)
        self._barriers.clear()
        self._place.clear()
        return released

    # -- looking in --------------------------------------------------------

    def snapshot(self) -> dict[bytes, tuple[int, list[W]]]:
        """Count and waiters of every barrier, for logs and tests."""
        return {n: (b.count, list(b.waiters)) for n, b in self._barriers.items()}

    # -- inside ------------------------------------------------------------

    def _barrier(self, name: bytes) -> Barrier[W]:
        """The barrier of that name, made with count 0 by who names it first."""
        return self._barriers.setdefault(name, Barrier())

    def _list(self, waiter: W, name: bytes, effect: int, error: int) -> None:
        """Apply ``effect`` and put the client on the list, remembering both."""
        if waiter in self._place:
            raise ValueError("this client waits already")
        barrier = self._barrier(name)
        barrier.count += effect
        barrier.error = max(barrier.error, error)
        barrier.waiters[waiter] = effect
        self._place[waiter] = name

    def _settle(self, name: bytes) -> tuple[Release[W], ...]:
        """If the count is 0, the barrier goes and its list is answered."""
        barrier = self._barriers[name]
        if barrier.count != 0:
            return ()
        del self._barriers[name]
        for waiter in barrier.waiters:
            del self._place[waiter]
        return tuple(Release(waiter, barrier.error) for waiter in barrier.waiters)


# -- random vectors ----------------------------------------------------------


class VectorMaker:
    """Makes random but reproducible operations and notes what each leads to.

    Only operations a real client can cause are made: counts above 0, errors
    from 0 to 239, every client sends one request in its life.
    """

    NAMES = ("alpha", "beta", "gamma")

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._table: BarrierTable[str] = BarrierTable()
        self._born = 0

    def make(self, steps: int) -> list[dict[str, Any]]:
        """The whole list of ``steps`` operations with their results."""
        return [self._step() for _ in range(steps)]

    def _step(self) -> dict[str, Any]:
        draw = self._random.random()
        waiting = self._waiting()
        if draw < 0.01:
            return self._clear()
        if draw < 0.04:
            return self._bad()
        if draw < 0.19 and waiting:
            return self._leave(self._random.choice(waiting))
        return self._arrive()

    def _waiting(self) -> list[str]:
        lists = (waiters for _, waiters in self._table.snapshot().values())
        return [waiter for waiters in lists for waiter in waiters]

    def _new_id(self) -> str:
        self._born += 1
        return f"c{self._born}"

    def _error(self) -> int:
        if self._random.random() < 0.7:
            return 0
        return self._random.choice((1, 32, 33, 100, 238, 239))

    def _arrive(self) -> dict[str, Any]:
        """A wait or an init, whichever tends to bring the count back to 0."""
        name = self._random.choice(self.NAMES)
        count, _ = self._table.snapshot().get(name.encode(), (0, []))
        likely_init = 0.15 if count > 0 else 0.35 if count == 0 else 0.55
        if self._random.random() < likely_init:
            return self._init(name)
        client, error = self._new_id(), self._error()
        released = self._table.wait(client, name.encode(), error)
        op = {"op": "wait", "id": client, "name": name, "error": error}
        return self._note(op, released)

    def _init(self, name: str) -> dict[str, Any]:
        client, error = self._new_id(), self._error()
        count = self._random.choice((1, 1, 1, 2, 2, 3, 4))
        waits = self._random.random() < 0.6
        released = self._table.init(client, name.encode(), count, waits, error)
        op = {"op": "init", "id": client, "name": name, "error": error}
        return self._note(op | {"count": count, "no_wait": not waits}, released)

    def _leave(self, client: str) -> dict[str, Any]:
        return self._note({"op": "leave", "id": client}, self._table.leave(client))

    def _clear(self) -> dict[str, Any]:
        return self._note({"op": "clear"}, self._table.clear())

    def _bad(self) -> dict[str, Any]:
        name = self._random.choice(self.NAMES)
        client, word = self._new_id(), self._random.choice((0, 3, 7, 999))
        outcome = self._table.request(client, name.encode(), word)
        op = {"op": "bad", "id": client, "name": name, "request": word}
        return self._note(op, outcome.released, rejected=[client])

    def _note(
        self,
        op: dict[str, Any],
        released: tuple[Release[str], ...],
        rejected: list[str] | None = None,
    ) -> dict[str, Any]:
        """The operation, who is answered (in id order), who is shut out."""
        in_order = sorted(released, key=lambda release: int(release.waiter[1:]))
        answers = [{"id": release.waiter, "error": release.error} for release in in_order]
        state = {
            name.decode(): {"count": count, "waiting": waiters}
            for name, (count, waiters) in sorted(self._table.snapshot().items())
        }
        after = {"released": answers, "rejected": rejected or [], "state": state}
        return op | after


# -- self test ---------------------------------------------------------------


def answers(released: tuple[Release[str], ...]) -> dict[str, int]:
    """Releases as a dictionary from client to error."""
    return {release.waiter: release.error for release in released}


class Rules(unittest.TestCase):
    """Every rule, with one letter for each client."""

    def setUp(self) -> None:
        self.table: BarrierTable[str] = BarrierTable()

    def test_master_first(self) -> None:
        self.assertEqual(self.table.init("m", b"x", 2), ())
        self.assertEqual(self.table.wait("a", b"x"), ())
        self.assertEqual(answers(self.table.wait("b", b"x")), {"m": 0, "a": 0, "b": 0})

    def test_master_last_and_count_goes_negative(self) -> None:
        self.table.wait("a", b"x")
        self.table.wait("b", b"x")
        self.assertEqual(self.table.snapshot()[b"x"][0], -2)
        self.assertEqual(answers(self.table.init("m", b"x", 2)), {"a": 0, "b": 0, "m": 0})

    def test_master_in_the_middle(self) -> None:
        self.table.wait("a", b"x")
        self.assertEqual(self.table.init("m", b"x", 2), ())
        self.assertEqual(set(answers(self.table.wait("b", b"x"))), {"a", "b", "m"})

    def test_several_inits_add_up(self) -> None:
        self.table.init("m", b"x", 1)
        self.table.init("n", b"x", 1)
        self.assertEqual(self.table.wait("a", b"x"), ())
        self.assertEqual(set(answers(self.table.wait("b", b"x"))), {"m", "n", "a", "b"})

    def test_names_are_apart(self) -> None:
        self.table.init("m", b"x", 1)
        self.table.init("n", b"y", 1)
        self.assertEqual(set(answers(self.table.wait("a", b"y"))), {"n", "a"})
        self.assertEqual(set(self.table.snapshot()), {b"x"})

    def test_name_is_free_again_at_once(self) -> None:
        for master, waiter in (("m", "a"), ("n", "b"), ("m", "a")):
            self.table.init(master, b"x", 1)
            self.assertEqual(set(answers(self.table.wait(waiter, b"x"))), {master, waiter})
            self.assertEqual(self.table.snapshot(), {})

    def test_no_wait_init_is_answered_at_once(self) -> None:
        self.assertEqual(answers(self.table.init("m", b"x", 1, waits=False)), {"m": 0})
        self.assertEqual(answers(self.table.wait("a", b"x")), {"a": 0})

    def test_no_wait_init_that_completes_releases_the_others(self) -> None:
        self.table.wait("a", b"x", 50)
        released = self.table.init("m", b"x", 1, waits=False, error=99)
        self.assertEqual(answers(released), {"m": 0, "a": 50})

    def test_no_wait_init_error_is_dropped(self) -> None:
        self.table.init("m", b"x", 1, waits=False, error=99)
        self.assertEqual(answers(self.table.wait("a", b"x", 40)), {"a": 40})

    def test_no_wait_init_is_never_undone(self) -> None:
        self.table.init("m", b"x", 2, waits=False)
        self.assertEqual(self.table.leave("m"), ())
        self.assertEqual(self.table.snapshot()[b"x"], (2, []))

    def test_largest_error_goes_to_all(self) -> None:
        self.table.init("m", b"x", 2, error=33)
        self.table.wait("a", b"x", 200)
        self.assertEqual(answers(self.table.wait("b", b"x", 40)), dict.fromkeys("mab", 200))

    def test_error_of_one_who_left_counts(self) -> None:
        self.table.wait("a", b"x", 77)
        self.table.wait("b", b"x")
        self.table.leave("a")
        self.assertEqual(answers(self.table.init("m", b"x", 1)), {"b": 77, "m": 77})

    def test_error_goes_with_the_barrier(self) -> None:
        self.table.wait("a", b"x", 77)
        self.table.init("m", b"x", 1)
        self.table.wait("b", b"x")
        self.assertEqual(answers(self.table.init("n", b"x", 1)), {"b": 0, "n": 0})

    def test_bad_word(self) -> None:
        for word in (0, 3, 7, -1, 256):
            outcome = self.table.request("z", b"x", word, count=5, error=9)
            self.assertEqual(outcome, Outcome(rejected=True))
        self.assertEqual(self.table.snapshot(), {b"x": (0, [])})
        self.table.wait("a", b"x")
        self.assertEqual(answers(self.table.init("m", b"x", 1)), {"a": 0, "m": 0})

    def test_bad_word_leaves_a_barrier_alone(self) -> None:
        self.table.init("m", b"x", 1)
        self.table.request("z", b"x", 7, count=-1)
        self.assertEqual(self.table.snapshot(), {b"x": (1, ["m"])})

    def test_request_words_and_flags(self) -> None:
        self.assertEqual(self.table.request("a", b"x", WAIT, flags=1, count=9).released, ())
        self.assertEqual(self.table.snapshot()[b"x"][0], -1)
        outcome = self.table.request("m", b"x", INIT, flags=FLAG_NO_WAIT, count=2)
        self.assertEqual(answers(outcome.released), {"m": 0})
        outcome = self.table.request("n", b"x", INIT, flags=2, count=-1)
        self.assertEqual(set(answers(outcome.released)), {"a", "n"})

    def test_leaving_waiter_gives_one_back(self) -> None:
        self.table.init("m", b"x", 2)
        self.table.wait("a", b"x")
        self.table.leave("a")
        self.table.wait("b", b"x")
        self.assertEqual(set(answers(self.table.wait("c", b"x"))), {"m", "b", "c"})

    def test_leaving_master_takes_its_count_away(self) -> None:
        self.table.init("m", b"x", 2)
        self.table.wait("a", b"x")
        self.table.leave("m")
        self.assertEqual(self.table.snapshot(), {b"x": (-1, ["a"])})

    def test_leaving_after_release_changes_nothing(self) -> None:
        self.table.init("m", b"x", 1)
        self.table.wait("a", b"x")
        self.table.wait("b", b"x")
        self.table.leave("a")
        self.assertEqual(self.table.snapshot(), {b"x": (-1, ["b"])})

    def test_clear(self) -> None:
        self.table.wait("a", b"x", 3)
        self.table.init("m", b"y", 3)
        self.table.init("n", b"z", 3, waits=False)
        self.assertEqual(answers(self.table.clear()), {"a": 240, "m": 240})
        self.assertEqual(self.table.snapshot(), {})
        self.assertEqual(self.table.leave("a"), ())
        self.assertEqual(self.table.clear(), ())

    def test_one_client_cannot_wait_twice(self) -> None:
        self.table.wait("a", b"x")
        with self.assertRaises(ValueError):
            self.table.wait("a", b"y")


class FaultsAbsent(unittest.TestCase):
    """The eight faults of the old daemon, each shown not to be here."""

    def setUp(self) -> None:
        self.table: BarrierTable[str] = BarrierTable()

    def test_1_count_outlives_the_last_waiter(self) -> None:
        self.table.init("m", b"x", 3, waits=False)
        self.table.wait("a", b"x", 60)
        self.assertEqual(self.table.leave("a"), ())
        self.assertEqual(self.table.snapshot(), {b"x": (3, [])})
        self.table.wait("b", b"x")
        self.table.wait("c", b"x")
        self.assertEqual(answers(self.table.wait("d", b"x")), dict.fromkeys("bcd", 60))

    def test_2_many_waiters_on_one_barrier(self) -> None:
        for number in range(9999):
            self.assertEqual(self.table.wait(f"c{number}", b"x"), ())
        self.assertEqual(len(self.table.init("m", b"x", 9999)), 10000)

    def test_3_many_clients_at_once(self) -> None:
        for number in range(5000):
            self.table.wait(f"c{number}", b"x%d" % number)
        for number in range(5000):
            released = self.table.init(f"m{number}", b"x%d" % number, 1)
            self.assertEqual(set(answers(released)), {f"c{number}", f"m{number}"})

    def test_4_storm_in_one_burst(self) -> None:
        """Accepting is the server's part; here: no request of a burst is lost."""
        self.table.init("m", b"x", 900)
        released = [self.table.wait(f"c{n}", b"x") for n in range(900)]
        self.assertEqual([len(r) for r in released], [0] * 899 + [901])

    def test_5_name_without_nul(self) -> None:
        first, second = barrier_name(b"n" * 64), barrier_name(b"n" * 64)
        self.assertEqual((first, len(first)), (second, 63))
        self.table.wait("a", first)
        self.assertEqual(len(self.table.init("m", second, 1)), 2)

    def test_5_bytes_behind_the_nul_do_not_count(self) -> None:
        self.assertEqual(barrier_name(b"ab\0cd".ljust(64, b"\xff")), b"ab")
        self.assertEqual(barrier_name(bytes(64)), b"")

    def test_6_leaving_needs_no_connection(self) -> None:
        """A dead UDP client is taken off by the same door as a TCP client."""
        self.table.init("m", b"x", 1, waits=False)
        self.table.wait("a", b"y")
        self.table.leave("a")
        self.assertEqual(self.table.snapshot(), {b"x": (1, [])})

    def test_7_hosts_can_be_kept_out(self) -> None:
        table: BarrierTable[str] = BarrierTable(lambda host, name: host == "friend")
        table.request("m", b"x", INIT, count=1, origin="friend")
        outcome = table.request("z", b"x", WAIT, origin="stranger")
        self.assertEqual(outcome, Outcome(rejected=True))
        table.request("z", b"new", WAIT, origin="stranger")
        self.assertEqual(table.snapshot(), {b"x": (1, ["m"])})

    def test_8_undo_to_zero_releases(self) -> None:
        self.table.init("m", b"x", 1)
        self.table.init("n", b"x", 1)
        self.table.wait("a", b"x", 44)
        self.assertEqual(answers(self.table.leave("n")), {"m": 44, "a": 44})
        self.assertEqual(self.table.snapshot(), {})

    def test_8_undo_of_a_wait_to_zero_releases(self) -> None:
        self.table.wait("a", b"x")
        self.table.wait("b", b"x")
        self.table.init("m", b"x", 1, waits=False)
        self.assertEqual(answers(self.table.leave("a")), {"b": 0})

    def test_8_undo_to_zero_of_an_empty_barrier(self) -> None:
        self.table.wait("a", b"x", 44)
        self.assertEqual(self.table.leave("a"), ())
        self.assertEqual(self.table.snapshot(), {})


class Vectors(unittest.TestCase):
    """The vectors are reproducible and reach the interesting cases."""

    def test_same_seed_same_vectors(self) -> None:
        self.assertEqual(VectorMaker(7).make(300), VectorMaker(7).make(300))
        self.assertNotEqual(VectorMaker(7).make(300), VectorMaker(8).make(300))

    def test_everything_happens(self) -> None:
        vectors = VectorMaker(1).make(2000)
        self.assertEqual({v["op"] for v in vectors}, {"wait", "init", "leave", "clear", "bad"})
        self.assertTrue(any(v["op"] == "leave" and v["released"] for v in vectors))
        self.assertTrue(any(v["op"] == "clear" and v["released"] for v in vectors))

    def test_nobody_is_answered_twice(self) -> None:
        for seed in range(20):
            vectors = VectorMaker(seed).make(500)
            told = [answer["id"] for v in vectors for answer in v["released"]]
            self.assertEqual(len(told), len(set(told)))
            for vector in vectors:
                for barrier in vector["state"].values():
                    self.assertTrue(barrier["count"] != 0 or not barrier["waiting"])


def self_test() -> int:
    """Run the tests of this file; exit status 0 when all pass."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    return 0 if unittest.TextTestRunner().run(suite).wasSuccessful() else 1


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Barrier rules of the sync service.")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--selftest", action="store_true", help="test every rule")
    choice.add_argument(
        "--random", nargs=2, type=int, metavar=("SEED", "STEPS"), help="print test vectors"
    )
    arguments = parser.parse_args()
    if arguments.selftest:
        return self_test()
    seed, steps = arguments.random
    print(json.dumps(VectorMaker(seed).make(steps), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
