"""Bodies of steps on one rank: what they get, and what becomes of what they do."""

import json
import os
import signal
import sys
import threading

import numpy as np
import pytest

from ezpyp.errors import DamagedResultError
from ezpyp.execution.messages import Ref
from ezpyp.execution.worker import Worker
from ezpyp.steps.function import RUNNING
from ezpyp.store.codecs.encoded import encode_result
from ezpyp.store.objects import INLINE_LIMIT
from tests.graph.programs import Study

SEEN = []
"""What bodies got; they run in this process."""


class Bench:
    """A worker for the steps that a test declares, run in their order."""

    def __init__(self, location):
        self.location = location
        self.study = Study()

    def step(self, code, *args, **options):
        return self.study.function(options.pop("name", code.__name__), code, **options)(*args)

    def run(self):
        self.program = self.study.freeze()
        self.worker = Worker(self.program, self.location, 0, "host")
        SEEN.clear()
        return [self.worker.run(position) for position in range(len(self.program))]

    def only(self, code, *args, **options):
        self.step(code, *args, **options)
        (outcome,) = self.run()
        return outcome


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def keep(value):
    SEEN.append(value)
    return value


def spoil(value):
    SEEN.append(list(value))
    value.append("spoiled")


def fill(array):
    SEEN.append(array.sum())
    array[:] = 7


def share(pair, again):
    SEEN.append(pair[0] is again)


def test_plain_values_arrive_and_the_result_is_described(bench):
    outcome = bench.only(lambda x: x**2, 3, name="square")
    assert outcome.failure is None
    result = outcome.result
    assert (result.preview, result.type_name, result.codec, result.key) == ("9", "int", "pickle", bench.program.keys[0])
    assert (outcome.rank, outcome.host, outcome.position, outcome.args) == (0, "host", 0, None)
    assert outcome.seconds >= 0


@pytest.mark.parametrize(
    ("given", "body", "seen"),
    [
        (lambda bench: [1], spoil, [[1], [1]]),
        (lambda bench: bench.step(keep, [1]), spoil, [[1], [1], [1]]),
        (lambda bench: bench.step(np.zeros, INLINE_LIMIT, codec="numpy"), fill, [0.0, 0.0]),
    ],
    ids=["the callers", "a result", "a large array"],
)
def test_no_step_sees_what_others_do_to_a_value(bench, given, body, seen):
    value = given(bench)
    bench.step(body, value, name="first"), bench.step(body, value, name="second")
    bench.run()
    assert seen == SEEN
    assert not isinstance(value, list) or value == [1]


def test_sharing_within_a_call_arrives_as_sharing(bench):
    mine, upstream = [1], bench.step(lambda: [1], name="upstream")
    bench.step(share, [mine], mine), bench.step(share, [upstream], upstream)
    bench.run()
    assert SEEN == [True, True]


def test_result_changed_after_it_was_returned_arrives_as_it_was_returned(bench):
    bench.step(spoil, bench.step(keep, [1]))
    worker = Worker(bench.study.freeze(), bench.location, 0, "host")
    SEEN.clear()
    worker.run(0)
    SEEN[0].append("later")
    worker.run(1)
    assert SEEN[1] == [1]


def test_parts_are_picked_and_a_wrong_pick_fails_the_step(bench):
    upstream = bench.step(lambda: {"mean": [4, 5]}, name="upstream")
    bench.step(keep, [upstream["mean"][1], upstream["mean"][:1]]), bench.step(keep, upstream["median"])
    _, outcome, wrong = bench.run()
    assert SEEN == [[5, [4]]]
    assert (outcome.args, outcome.kwargs) == ("[[5, [4]]]", "{}")
    assert (wrong.failure.type_name, wrong.failure.message) == ("KeyError", "'median'")


def test_small_results_travel_and_large_ones_are_files(bench):
    bench.step(lambda: b"x" * 100, name="small"), bench.step(lambda: b"x" * (INLINE_LIMIT + 1), name="large")
    small, large = (outcome.result for outcome in bench.run())
    assert small.payload is not None
    assert large.payload is None
    digest = large.digest.hex()
    path = bench.location / "objects" / digest[:2] / f"{digest[2:]}{large.suffix}"
    assert path.stat().st_size == large.size


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


def raised(error):
    raise error


@pytest.mark.parametrize(
    ("act", "name", "message"),
    [
        (lambda: raised(SystemExit(3)), "SystemExit", "3"),
        (lambda: sys.exit("enough"), "SystemExit", "enough"),
        (lambda: raised(ValueError("no")), "ValueError", "no"),
        (lambda: raised(GeneratorExit()), "GeneratorExit", ""),
        (lambda: raised(ExceptionGroup("both", [ValueError("one")])), "ExceptionGroup", "both (1 sub-exception)"),
        (lambda: raised(Mute()), f"{__name__}.Mute", "<its __str__ raised RuntimeError>"),
        (lambda: json.loads("{"), "json.decoder.JSONDecodeError", "Expecting property name"),
        # What a body meets of another cache is its own failure.
        (lambda: raised(DamagedResultError("elsewhere", digest="")), "ezpyp.errors.DamagedResultError", "elsewhere"),
    ],
)
def test_what_a_body_raises_fails_its_step_in_the_users_own_line(bench, act, name, message):
    def outer():
        act()

    outcome = bench.only(outer)
    failure = outcome.failure
    assert (outcome.result, outcome.damaged) == (None, ())
    assert failure.type_name == name
    assert failure.message.startswith(message)
    lines = {raised.__code__.co_firstlineno + 1, act.__code__.co_firstlineno}
    assert failure.file == __file__
    assert failure.line in lines
    assert "in outer" in failure.traceback
    assert "execution/worker.py" not in failure.traceback


def test_interrupt_ends_the_run(bench):
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(5)

    bench.step(interrupt)
    # A shell starts background jobs with the signal ignored, and pytest may be one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            bench.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert RUNNING.depth == 0


def test_endless_recursion_fails_the_step_with_a_bounded_traceback(bench):
    def again(x=0):
        return again(x + 1)

    failure = bench.only(again, 0).failure
    assert failure.type_name == "RecursionError"
    assert len(failure.traceback) < 101_000


def test_result_that_the_codec_cannot_store_falls_back_and_what_nobody_can_store_fails_the_step(bench):
    bench.step(lambda: {"not": "an array"}, name="table", codec="numpy"), bench.step(threading.Lock)
    table, lock = bench.run()
    assert table.result.codec == "pickle"
    assert table.reason.startswith("stored by pickle: ")
    assert "UnstorableResultError" in lock.failure.type_name
    assert RUNNING.depth == 0


def test_decorated_function_is_the_plain_one_inside_a_body(bench):
    helper = bench.study.function("helper", lambda x: x + 1)
    outcome = bench.only(lambda: helper(3), name="user")
    assert outcome.result.preview == "4"


def spoiled(worker, position):
    """Another rank that was told of a result whose bytes are not those that were stored."""
    ref = worker._refs[position]
    if ref.payload is not None:
        return ref._replace(payload=ref.payload[:-1] + b"?")
    path = worker._objects.path(ref.digest, ref.suffix)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # still a pickle
    path.write_bytes(data)
    return ref


@pytest.mark.parametrize("size", [1, INLINE_LIMIT + 1], ids=["small", "large"])
def test_damaged_upstream_is_told_and_the_body_does_not_run(bench, size):
    upstream = bench.step(lambda: [bytes(size)], name="upstream")
    bench.step(keep, upstream)
    bench.run()
    SEEN.clear()
    worker = Worker(bench.program, bench.location, 1, "host")
    assert not worker.knows(0)
    worker.learn({0: spoiled(bench.worker, 0)})
    assert worker.knows(0)
    outcome = worker.run(1)
    assert (outcome.damaged, outcome.result, SEEN) == ((0,), None, [])
    assert "DamagedResultError" in outcome.failure.type_name


def test_all_damaged_upstreams_are_told_at_once_and_no_whole_one(bench):
    parts = [bench.step(lambda: [1], name=f"part{number}", version=str(number)) for number in range(4)]
    bench.step(keep, parts)
    bench.run()
    worker = Worker(bench.program, bench.location, 1, "host")
    refs = {number: bench.worker._refs[number] for number in range(4)}
    worker.learn(refs | {number: spoiled(bench.worker, number) for number in (1, 3)})
    assert worker.run(4).damaged == (1, 3)


@pytest.mark.parametrize("is_forgotten", [True, False])
def test_result_computed_anew_elsewhere_replaces_what_is_at_hand(bench, is_forgotten):
    bench.step(keep, bench.step(lambda: "old", name="upstream"))
    bench.run()
    encoded = encode_result("new", "pickle")
    if is_forgotten:
        bench.worker.forget([0])
        assert not bench.worker.knows(0)
    bench.worker.learn({0: Ref(encoded.digest, encoded.size, "pickle", 1, ".pickle", encoded.pieces[0])})
    bench.worker.run(1)
    assert SEEN == ["old", "new"]


def test_the_middle_of_a_very_long_traceback_is_left_out(bench):
    failure = bench.only(lambda: raised(ValueError("a" * 300_000 + "z"))).failure
    assert 100_000 < len(failure.traceback) < 101_000
    assert failure.traceback.startswith("Traceback")
    assert failure.traceback.endswith("az\n")
