"""The schema's rule, clause by clause, on hand-made records."""

import pytest

from ezpyp.schema.rule import Promises, Verdict, judge

from .records import History, record

SWEEP = ["a", "b", "c"]


def total(*members, slot="parts[]", key="total", start=0, shape="shape"):
    """A record that reduces the steps declared before it; members are their positions."""
    return record("total", key, edges=[(start + n, slot) for n in members], shape=shape)


def swept(members=SWEEP, slot="parts[]", **more):
    """A location where a reduce over some steps has a result."""
    history = History()
    for name in members:
        history.add(name)
    return history.add("total", edges=[(name, slot) for name in members], shape="shape", **more)


def test_unchanged_step_is_no_news():
    assert History().add("alpha").judge(record("alpha")) == {}


def test_new_name_is_no_conflict():
    assert History().add("alpha").judge(record("alpha"), record("beta")) == {"new": ["beta"]}


def test_name_left_out_is_no_conflict():
    assert History().add("alpha").add("beta").judge(record("alpha")) == {}


def test_name_with_a_result_keeps_its_meaning():
    assert History().add("alpha", "old").judge(record("alpha", "new")) == {"conflicts": ["alpha"]}


def test_name_left_out_earlier_still_keeps_its_meaning():
    history = History().add("alpha", "old", current=False)
    assert history.judge(record("alpha", "new")) == {"conflicts": ["alpha"]}


def test_name_that_never_gave_a_result_may_change():
    history = History().add("alpha", "one", bound=False).add("alpha", "two", bound=False)
    assert history.judge(record("alpha", "three")) == {"repaired": ["alpha"]}


def test_name_bound_once_stays_bound_though_a_later_meaning_never_gave_a_result():
    history = History().add("alpha", "one", current=False).add("alpha", "two", bound=False)
    assert history.judge(record("alpha", "three")) == {"conflicts": ["alpha"]}


def test_undone_edit_returns_to_an_earlier_revision():
    history = History().add("alpha", "one", current=False).add("alpha", "two")
    assert history.judge(record("alpha", "one")) == {"returned": ["alpha"]}


def test_pair_of_name_and_key_returns_also_where_it_never_gave_a_result():
    history = History().add("alpha", "one", bound=False, current=False).add("alpha", "two")
    assert history.judge(record("alpha", "one")) == {"returned": ["alpha"]}


def test_promise_of_another_python_does_not_bind():
    history = History().add("alpha", "old", foreign=True)
    assert history.judge(record("alpha", "new")) == {"repaired": ["alpha"]}
    assert history.add("alpha", "mine").judge(record("alpha", "new")) == {"conflicts": ["alpha"]}


def test_conflict_names_the_meaning_that_the_newest_revision_has():
    history = History().add("alpha", "one").add("alpha", "two", current=False)
    by_name = {"alpha": history.steps}
    promises = Promises(by_name, {1, 2}, {1}, lambda step: True, history.edges.__getitem__, str)
    (conflict,) = judge([record("alpha", "three")], promises).conflicts
    assert conflict.old.key == b"one"


@pytest.mark.parametrize("slot", ["parts[]", "parts{}", "parts{'k'}", "x['k'][]", "depends_on[]"])
def test_reduce_may_grow_and_shrink(slot):
    steps = [record(name) for name in [*SWEEP, "d"]]
    grown = swept(slot=slot).judge(*steps, total(0, 1, 2, 3, slot=slot, key="grown"))
    assert grown == {"new": ["d"], "grown": ["total"]}
    shrunk = swept(slot=slot).judge(*steps[:2], total(0, 1, slot=slot, key="shrunk"))
    assert shrunk == {"grown": ["total"]}


def test_member_may_be_added_anywhere():
    steps = [record(name) for name in [*SWEEP, "d"]]
    for members in ([3, 0, 1, 2], [0, 3, 1, 2], [0, 1, 2, 3], [0, 3, 2]):
        assert swept().judge(*steps, total(*members, key="grown"))["grown"] == ["total"]


def test_members_that_stayed_keep_their_order():
    steps = [record(name) for name in [*SWEEP, "d"]]
    assert swept().judge(*steps, total(1, 0, 2, 3, key="turned"))["conflicts"] == ["total"]


def test_members_of_a_set_have_no_order_to_keep():
    steps = [record(name) for name in [*SWEEP, "d"]]
    found = swept(slot="parts{}").judge(*steps, total(2, 3, 0, 1, slot="parts{}", key="grown"))
    assert found["grown"] == ["total"]


def test_at_least_one_member_stays():
    steps = [record("d"), record("e")]
    assert swept().judge(*steps, total(0, 1, key="others"))["conflicts"] == ["total"]


def test_collection_that_is_emptied_or_filled_for_the_first_time_is_no_growth():
    assert swept().judge(total(key="empty"))["conflicts"] == ["total"]
    steps = [record(name) for name in SWEEP]
    history = swept([])
    assert history.judge(*steps, total(0, key="filled"))["conflicts"] == ["total"]


def test_growth_with_another_shape_is_a_conflict():
    steps = [record(name) for name in [*SWEEP, "d"]]
    for shape in ("other", None):
        assert swept().judge(*steps, total(0, 1, 2, 3, key="grown", shape=shape))["conflicts"] == ["total"]


def test_member_that_stayed_and_changed_its_meaning_is_no_growth():
    history = swept()
    steps = [record("a", "edited"), *(record(name) for name in ["b", "c", "d"])]
    assert history.judge(*steps, total(0, 1, 2, 3, key="grown")) == {"new": ["d"], "conflicts": ["a", "total"]}


def test_bare_argument_may_not_be_exchanged():
    history = History().add("a").add("b").add("total", edges=[("a", "x")], shape="shape")
    found = history.judge(record("a"), record("b"), total(1, slot="x", key="exchanged"))
    assert found == {"conflicts": ["total"]}


def test_members_may_not_move_from_one_collection_to_another():
    history = History().add("a").add("b").add("c")
    history.add("total", edges=[("a", "x[]"), ("b", "x[]"), ("c", "y[]")], shape="shape")
    edges = [(0, "x[]"), (1, "y[]"), (2, "y[]")]
    steps = [record(name) for name in SWEEP]
    # Each collection has a member that stayed, in order: this is growth of one and shrinking of the other.
    assert history.judge(*steps, record("total", "moved", edges=edges, shape="shape")) == {"grown": ["total"]}
    edges = [(0, "x[]"), (1, "x[]"), (2, "z[]")]
    assert history.judge(*steps, record("total", "moved", edges=edges, shape="shape")) == {"conflicts": ["total"]}


def test_value_of_a_dictionary_may_not_change_its_key():
    history = swept(slot="parts{'k'}")
    steps = [record(name) for name in SWEEP]
    assert history.judge(*steps, total(0, 1, 2, slot="parts{'other'}", key="renamed"))["conflicts"] == ["total"]


def test_what_lies_below_a_grown_step_grows_for_that_reason_alone():
    history = swept().add("report", edges=[("total", "x")], shape="bare")
    steps = [*(record(name) for name in [*SWEEP, "d"]), total(0, 1, 2, 3, key="grown")]
    below = record("report", "new", edges=[(4, "x")], shape="bare")
    assert history.judge(*steps, below) == {"new": ["d"], "grown": ["total", "report"]}
    edited = record("report", "new", edges=[(4, "x")], shape="edited")
    assert history.judge(*steps, edited)["conflicts"] == ["report"]


def test_what_lies_below_a_conflict_is_one_too():
    history = History().add("alpha", "old").add("beta", edges=[("alpha", "x")], shape="bare")
    found = history.judge(record("alpha", "new"), record("beta", "new", edges=[(0, "x")], shape="bare"))
    assert found == {"conflicts": ["alpha", "beta"]}


def test_note_of_a_revision_counts_what_it_does():
    verdict = Verdict(new=[1, 2], repaired=[3], grown=[4], returned=[5])
    assert verdict.note(2, ["beta"]) == "2 new, 1 mended, 1 grown, 1 as in an earlier revision, 1 revised, 2 left out"
    assert Verdict().note(0, []) == "no step"
