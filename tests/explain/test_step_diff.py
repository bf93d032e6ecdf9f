"""The words of a conflict."""

import json

import pytest

from ezpyp.explain.record import FunctionRecord, record_of
from ezpyp.explain.step_diff import Cause, Recorded, Upstream, causes_of, function_causes, plain
from ezpyp.schema.rule import Stored, changes_of, conflict_message
from ezpyp.store.rows import KnownStep, Manifest, StepRecord


def identity(digest=b"f", name="alpha"):
    return FunctionRecord(digest, name, "study", name, "study.py", 12, None, (), ())


def given(params):
    return f"[{', '.join(plain(text) for text in params.values())}]"


def record(params=None, codec="pickle", settings=None, manifest=None, args=None, kwargs="{}"):
    text = None if settings is None else json.dumps(settings)
    params = params or {}
    args = given(params) if args is None else args
    return StepRecord("alpha", b"new", b"f", codec, 0, args, kwargs, json.dumps(params), text, None, (), manifest)


def known(params=None, codec="pickle", settings=None, args=None, kwargs="{}"):
    text = None if settings is None else json.dumps(settings)
    params = params or {}
    args = given(params) if args is None else args
    return KnownStep(1, "alpha", b"old", 1, codec, 0, args, kwargs, json.dumps(params), text, None)


def changes(new, old, *, identities=None, upstreams=({}, {}), trees=None, place=("", 0)):
    """The texts of the causes; upstreams are given as name -> (slot, key)."""
    functions = function_causes(*identities) if identities else ()
    edges = tuple([(slot, Upstream(0, name, key)) for name, (slot, key) in each.items()] for each in upstreams)
    stored = Stored(lambda step: trees or {}, lambda digest: None, place)
    return [cause.text for cause in changes_of(new, old, functions, edges, stored)]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({"x": "3"}, {"x": "4"}, "argument x 3 -> 4"),
        ({"x": "1"}, {"x": "1.0"}, "argument x 1 -> 1.0"),
        ({"x": "1"}, {"x": "True"}, "argument x 1 -> True"),
        ({"x": "1"}, {"x": "'1'"}, "argument x 1 -> '1'"),
        ({}, {"x": "4"}, "argument x is new: 4"),
        ({"x": "3"}, {}, "argument x is gone: 3"),
        ({"x": "TMP for a"}, {"x": "3"}, "argument x TMP for a -> 3"),
        ({"x": "None"}, {"x": "TMP for a"}, "argument x None -> TMP for a"),
    ],
)
def test_changed_argument(before, after, line):
    assert changes(record(after), known(before)) == [line]


@pytest.mark.parametrize(
    ("then", "now", "line"),
    [
        ("[1]", "[1]", "default tol 3 -> 4 in alpha (study.py:7)"),
        ("[1, 3]", "[1]", "argument tol 3 -> 4"),
        ("[1]", "[1, 4]", "argument tol 3 -> 4"),
        # Too long to tell whether the call gave it.
        ("[1...]", "[1...]", "argument tol 3 -> 4"),
    ],
)
def test_changed_default_of_the_step_itself_is_named_by_its_place(then, now, line):
    new, old = record({"x": "1", "tol": "4"}, args=now), known({"x": "1", "tol": "3"}, args=then)
    assert changes(new, old, place=("/lab/study.py", 7)) == [line]


@pytest.mark.parametrize("kwargs", ["{'tol': 4}", "{'x': 1, 'y': 22222...}"])
def test_argument_given_by_name_is_no_default(kwargs):
    new, old = record({"tol": "4"}, args="[]", kwargs=kwargs), known({"tol": "3"}, args="[]")
    assert changes(new, old, place=("/lab/study.py", 7)) == ["argument tol 3 -> 4"]


def test_parameter_that_takes_what_is_left_has_no_default():
    then, now = ({"x": "3", "more": text} for text in ("{'a': 1, 'b': 2}", "{'a': 1}"))
    new, old = record(now, args="[3]", kwargs=now["more"]), known(then, args="[3]", kwargs=then["more"])
    assert changes(new, old) == ["argument more {'a': 1, 'b': 2} -> {'a': 1}"]


def test_default_beside_an_argument_given_by_name_is_named_as_one():
    then, now = ({"x": "3", "y": "1", "tol": tol} for tol in "45")
    new, old = record(now, args="[3]", kwargs="{'y': 1}"), known(then, args="[3]", kwargs="{'y': 1}")
    assert changes(new, old) == ["default tol 4 -> 5"]


OLD, NEW = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (f"[1, 2] #{OLD}", f"[1, 3] #{NEW}", "argument x [1, 2] -> [1, 3]"),
        (f"<ndarray> #{NEW}", f"<ndarray> #{NEW[:-1]}c", "argument x changed (<ndarray>)"),
    ],
)
def test_argument_recorded_without_a_manifest_is_named_by_its_text(before, after, line):
    assert changes(record({"x": after}), known({"x": before})) == [line]


def test_argument_of_both_a_text_and_a_manifest_is_named_by_its_text():
    manifest = Manifest('{"x":["list of 2",{"[0]":"1","[1]":"3"}]}')
    found = changes(record({"x": f"[1, 3] #{NEW}"}, manifest=manifest), known({"x": f"[1, 2] #{OLD}"}))
    assert found == ["argument x [1, 2] -> [1, 3]"]


def test_argument_of_two_manifests_is_named_by_its_leaves():
    manifest = Manifest(f'"@{NEW}"', ((NEW, '{"x":["list of 2",{"[0]":"1","[1]":"3"}]}'),))
    trees = {"x": ["list of 2", {"[0]": "1", "[1]": "2"}]}
    found = changes(record({"x": f"[1, 3] #{NEW}"}, manifest=manifest), known({"x": f"[1, 2] #{OLD}"}), trees=trees)
    assert found == ["argument x[1] 2 -> 3"]


def test_argument_that_is_a_step_is_among_the_upstreams():
    upstreams = (
        {"a": ("x", "1"), "b": ("y", "1"), "c": ("z", "1")},
        {"a": ("x", "2"), "b": ("y", "1"), "d": ("z", "1")},
    )
    found = changes(record({"x": "TMP for d"}), known({"x": "TMP for c"}), upstreams=upstreams)
    assert found == ["upstream at z: c -> d", "upstream a changed (x)"]


def test_value_that_is_a_step_now_is_named_once():
    upstreams = ({"b": ("y", "1")}, {"a": ("x", "1"), "b": ("y", "1"), "c": ("y", "1")})
    found = changes(record({"x": "TMP for a"}), known({"x": "3"}), upstreams=upstreams)
    assert found == ["argument x 3 -> TMP for a", "upstream c came to y"]


@pytest.mark.parametrize(
    ("then", "now", "line"),
    [
        (" -> ['a']", " -> ['b']", "upstream at x: up['a'] -> up['b']"),
        ("", " -> ['b']", "upstream at x: up -> up['b']"),
    ],
)
def test_another_part_of_the_same_upstream_is_named_as_one(then, now, line):
    upstreams = ({"up": (f"x{then}", "1")}, {"up": (f"x{now}", "1")})
    assert changes(record(), known(), upstreams=upstreams) == [line]


def test_upstream_that_changed_and_is_picked_from_elsewhere_is_named_twice():
    upstreams = ({"up": ("x -> ['a']", "1")}, {"up": ("x -> ['b']", "2")})
    found = changes(record(), known(), upstreams=upstreams)
    assert found == ["upstream at x: up['a'] -> up['b']", "upstream up changed (x)"]


def test_changed_codec_and_settings():
    found = changes(record(codec="numpy", settings={"version": "2"}), known(settings={"cache": False}))
    assert found == ["codec pickle -> numpy", "cache= False -> not given", "version= not given -> '2'"]


def test_changed_constant_is_named_with_its_line():
    functions = {}
    for constant in (3, 4):
        exec(compile(f"\n\ndef alpha(x):\n    return x + {constant}\n", "study.py", "exec"), functions)
        functions[constant] = record_of(functions["alpha"])
    (line,) = changes(record(), known(), identities=(functions[3], functions[4]))
    assert "3 -> 4" in line
    assert "study.py:4" in line


def test_change_of_code_without_recorded_parts_is_named_by_its_place():
    (line,) = changes(record(), known(), identities=(identity(b"f"), identity(b"g")))
    assert line.startswith("code ")
    assert line.endswith("alpha (study.py:12)")


def test_change_that_left_no_trace_is_said_to_be_one():
    assert changes(record(), known()) == ["something that is not recorded in detail"]


def cause(text, kind="constant"):
    return Cause(kind, text, "name")


def test_long_lists_of_upstreams_are_cut():
    upstreams = ({}, {f"u{n:02d}": ("parts[]", "1") for n in range(15)})
    (line,) = changes(record(), known(), upstreams=upstreams)
    assert line == "upstream u00, u01, u02, u03 and 11 more came to parts[]"


def test_message_names_four_changed_upstreams_and_counts_the_rest():
    causes = [cause(f"upstream u{n} changed (x)", "upstream") for n in range(6)]
    text = conflict_message("/cache", {"beta": causes}, (1, 0.0), False)
    assert "upstream u3 changed (x); and 2 more upstreams" in text
    assert "revise=[" not in text


def test_message_says_what_it_costs_and_every_way_on():
    text = conflict_message("/cache", {"beta": [cause("constant 3 -> 4"), cause("codec a -> b")]}, (7, 12.345), False)
    assert text.splitlines()[:3] == [
        "1 step(s) at /cache have results and would change their meaning:",
        "  beta: constant 3 -> 4; codec a -> b",
        "Nothing was written. 7 step(s) would run again (12.35 s when they last ran).",
    ]
    assert "another location" in text
    assert "revise=['beta'], revise=True or EZPYP_REVISE=1" in text
    assert "sweep" not in text


def test_message_offers_a_sweep_where_only_arguments_differ():
    changes = {"beta": [cause("argument x 3 -> 4", "argument")]}
    assert "function.map([...])" in conflict_message("/cache", changes, (1, 0.0), True)


def test_message_lists_ten_and_counts_the_rest():
    text = conflict_message("/cache", {f"s{n}": [cause("x")] for n in range(13)}, (13, 0.001), False)
    assert "13 step(s) at" in text
    assert "  s9: x" in text
    assert "  s10: x" not in text
    assert "  and 3 more" in text
    assert "under 0.01 s" in text


def recorded(python, key, **more):
    return Recorded("alpha", key, "pickle", {}, {}, {}, python, more.get("upstream", {}))


def test_another_python_is_named_once():
    old, new = recorded("cpython-311", "1"), recorded("cpython-312", "2")
    (found,) = causes_of(old, new, (), lambda digest: None)
    assert (found.kind, found.old, found.new) == ("python", "cpython-311", "cpython-312")
    assert found.text == "Python cpython-311 -> cpython-312"
    assert causes_of(old, new, (found,), lambda digest: None) == [found]


def in_order(names, key, slot="x[]"):
    upstream = {slot: {name: Upstream(0, name, name) for name in names}}
    parts = {f"[{place}]": f"TMP for {name}" for place, name in enumerate(names)}
    trees = {"x": [f"list of {len(names)}", parts]}
    return Recorded("alpha", key, "pickle", {"x": f"[...] #{key * 16}"}, trees, {}, "", upstream)


def test_steps_in_another_order_are_named_once():
    (found,) = causes_of(in_order("abc", "1"), in_order("cba", "2"), (), lambda digest: None)
    assert found.kind == "dependency"
    assert found.text == "another order of the steps at x[]: a, b, c -> c, b, a"


def test_step_that_stands_twice_elsewhere_than_before_is_named_as_an_argument():
    found = [cause.text for cause in causes_of(in_order("aab", "1"), in_order("abb", "2"), (), lambda digest: None)]
    assert found == ["argument x[1] TMP for a -> TMP for b"]


@pytest.mark.parametrize("slot", ["x{}", "depends_on[]"])
def test_order_that_means_nothing_is_no_change(slot):
    upstream = [{slot: {name: Upstream(0, name, name) for name in names}} for names in ("ab", "ba")]
    old, new = (recorded("", key, upstream=each) for key, each in zip("12", upstream, strict=True))
    (found,) = causes_of(old, new, (), lambda digest: None)
    assert found.kind == "unknown"
