"""The words of a conflict."""

import json

import pytest

from ezpyp.hashing import FunctionIdentity, function_identity
from ezpyp.schema import changes_of, conflict_message, upstream_keys
from ezpyp.store import Edge, KnownStep, StepRecord


def identity(digest=b"f", name="alpha"):
    return FunctionIdentity(digest, name, "study", name, "study.py", 12, None, (), ())


def record(params=None, codec="pickle", settings=None):
    text = None if settings is None else json.dumps(settings)
    return StepRecord("alpha", b"new", b"f", codec, 0, "[]", "{}", json.dumps(params or {}), text, None, ())


def known(params=None, codec="pickle", settings=None):
    text = None if settings is None else json.dumps(settings)
    return KnownStep(1, "alpha", b"old", 1, codec, 0, "[]", "{}", json.dumps(params or {}), text, None)


def changes(new, old, *, identities=None, upstreams=({}, {})):
    return changes_of(new, old, identities or (identity(), identity()), upstreams)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({"x": "3"}, {"x": "4"}, "argument x: 3 -> 4"),
        ({}, {"x": "4"}, "argument x: new, 4"),
        ({"x": "3"}, {}, "argument x: gone, was 3"),
        ({"x": "[1, 2] #aa"}, {"x": "[1, 3] #bb"}, "argument x: [1, 2] -> [1, 3]"),
        ({"x": "<ndarray> #aa"}, {"x": "<ndarray> #bb"}, "argument x: changed somewhere in <ndarray>"),
        ({"x": "TMP for a"}, {"x": "3"}, "argument x: TMP for a -> 3"),
    ],
)
def test_changed_argument(before, after, line):
    assert changes(record(after), known(before)) == [line]


def test_argument_that_is_a_step_is_told_among_the_upstreams():
    upstreams = ({"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "1", "d": "1"})
    found = changes(record({"x": "TMP for d"}), known({"x": "TMP for c"}), upstreams=upstreams)
    assert found == ["upstream a", "upstream d added", "upstream c left out"]


def test_changed_codec_and_settings():
    found = changes(record(codec="numpy", settings={"version": "2"}), known(settings={"cache": False}))
    assert found == ["codec pickle -> numpy", "cache= False -> None", "version= None -> '2'"]


def test_changed_constant_is_named_with_its_line():
    functions = {}
    for constant in (3, 4):
        exec(compile(f"\n\ndef alpha(x):\n    return x + {constant}\n", "study.py", "exec"), functions)
        functions[constant] = function_identity(functions["alpha"])
    (line,) = changes(record(), known(), identities=(functions[3], functions[4]))
    assert "3 -> 4" in line
    assert "study.py:4" in line


def test_change_of_code_without_recorded_parts_is_told_by_its_place():
    (line,) = changes(record(), known(), identities=(identity(b"f"), identity(b"g")))
    assert line.startswith("code ")
    assert line.endswith("alpha (study.py:12)")


def test_change_that_left_no_trace_is_said_to_be_one():
    assert changes(record(), known()) == ["something that is not recorded in detail"]


def test_long_lists_of_upstreams_are_cut():
    upstreams = ({}, {f"u{n:02d}": "1" for n in range(15)})
    (line,) = changes(record(), known(), upstreams=upstreams)
    assert line.endswith("u09 and 5 more added")


def test_message_says_what_it_costs_and_every_way_on():
    text = conflict_message("/cache", {"beta": ["constant 3 -> 4", "codec a -> b"]}, (7, 12.345), False)
    assert text.splitlines()[:3] == [
        "1 step(s) at /cache have results and would change their meaning:",
        "  beta: constant 3 -> 4; codec a -> b",
        "Nothing was written. 7 step(s) would run again (12.35 s when they last ran).",
    ]
    assert "another location" in text
    assert "revise=['beta'], revise=True or EZPYP_REVISE=1" in text
    assert "sweep" not in text


def test_message_offers_a_sweep_where_only_arguments_differ():
    assert "function.map([...])" in conflict_message("/cache", {"beta": ["argument x: 3 -> 4"]}, (1, 0.0), True)


def test_message_lists_ten_and_counts_the_rest():
    text = conflict_message("/cache", {f"s{n}": ["x"] for n in range(13)}, (13, 0.001), False)
    assert "13 step(s) at" in text
    assert "  s9: x" in text
    assert "  s10: x" not in text
    assert "  and 3 more" in text
    assert "under 0.01 s" in text


def test_upstream_keys_by_name():
    step = known()._replace(key=b"\x01\xff")
    assert upstream_keys([Edge(1, "value", "x")], {1: step}.__getitem__) == {"alpha": "01ff"}
