"""What is cached and what would run, from hand-made results."""

import pytest

from ezpyp.execution.plan import Findings, found_results, plan_of, token_of
from ezpyp.store.rows import KnownResult
from tests.graph.programs import Study

NEW, OTHER = "no result under its key", "an upstream has another value than when it ran"


class Shelf:
    """Results of alpha -> beta -> gamma, as a run would have left them; the options are alpha's."""

    def __init__(self, program=None, **options):
        if program is None:
            study = Study()
            study.function("gamma")(study.function("beta")(study.function("alpha", **options)(1)))
            program = study.freeze()
        self.program = program
        self.known = {}

    def put(self, position, value="value", *, id_=None, digested=True, input_key=None):
        """Store a result that was computed from what stands on the shelf now."""
        key = self.program.keys[position]
        if input_key is None and self.program.upstreams(position):
            input_key = self.program.input_key(position, self._token)
        digest = value.encode().ljust(16)
        result = KnownResult(id_ or len(self.known) + 1, key, input_key, digest if digested else None, digest, 4, ".s")
        self.known[key] = result
        return self

    def _token(self, up):
        result = self.known[self.program.keys[up]]
        return token_of(result, cached=self.program.steps[up].function.options.cache, id_=result.id)

    def full(self, **first):
        """All three have results; the options are those of the first."""
        return self.put(0, **first).put(1).put(2)

    def without(self, position):
        del self.known[self.program.keys[position]]
        return self

    def plan(self):
        return plan_of(self.program, Findings(self.known, found_results(self.program, self.known), {}, True))


FIRST = "run maybe maybe"
CASES = {
    "a fresh cache": (lambda: Shelf(), FIRST, NEW),
    "a complete run": (lambda: Shelf().full(), "cached cached cached", ""),
    "what is missing runs": (lambda: Shelf().put(0).put(1), "cached cached run", NEW),
    "a result without its upstream's": (lambda: Shelf().full().without(0), FIRST, NEW),
    "another value upstream": (lambda: Shelf().full(value="old").put(0, "new"), "cached run maybe", OTHER),
    "the same value anew": (lambda: Shelf().full().put(0, id_=99), "cached cached cached", ""),
    "no value digest, the same bytes": (
        lambda: Shelf().full(digested=False).put(0, id_=99, digested=False), "cached cached cached", "",
    ),
    "no value digest, other bytes": (
        lambda: Shelf().full(digested=False).put(0, "other", digested=False), "cached run maybe", OTHER,
    ),
    "cache=False": (lambda: Shelf(cache=False).full(), FIRST, "cache=False"),
    "a wrong input key": (lambda: Shelf().put(0).put(1, input_key=b"?" * 16), "cached run maybe", OTHER),
}  # fmt: skip


@pytest.mark.parametrize(("shelf", "actions", "reason"), CASES.values(), ids=CASES)
def test_what_would_run_and_why(shelf, actions, reason):
    steps = shelf().plan().steps

    assert [step.action for step in steps] == actions.split()
    assert {step.reason for step in steps if step.action == "run"} == ({reason} - {""})
    for step, upstream in zip(steps[1:], ("alpha", "beta"), strict=True):
        assert step.action != "maybe" or step.reason == f"depends on what {upstream} will give"


def test_results_are_told_apart_by_value_digest_or_else_by_key_and_bytes():
    result = KnownResult(1, b"k" * 16, None, b"v" * 16, b"d" * 16, 4, ".s")
    same = [result._replace(id=2), result._replace(key=b"K" * 16), result._replace(digest=b"D" * 16)]
    assert {token_of(r, cached=c, id_=r.id) for r in [result, *same] for c in (True, False)} == {b"v" * 16}
    opaque = result._replace(value_digest=None)
    others = [opaque, opaque._replace(key=b"K" * 16), opaque._replace(digest=b"D" * 16)]
    assert len({token_of(r, cached=True, id_=1) for r in others}) == 3
    assert token_of(opaque, cached=True, id_=1) == token_of(opaque, cached=True, id_=2)
    # Another file may lie behind the same path: every result of a step with cache=False is new.
    assert token_of(opaque, cached=False, id_=1) != token_of(opaque, cached=False, id_=2)


def test_depends_on_counts_by_key_never_by_value():
    study = Study()
    first = study.function("first")(1)
    study.function("second", depends_on=[first])(1)
    shelf = Shelf(study.freeze()).put(0, "old").put(1).put(0, "new")
    assert [step.action for step in shelf.plan().steps] == ["cached", "cached"]
    assert [step.action for step in shelf.without(0).plan().steps] == ["run", "maybe"]


def test_plan_counts_and_lists():
    plan = Shelf().put(0).plan()
    assert str(plan).splitlines()[0] == "3 steps: 1 cached, 1 to run, 1 decided on the way"
    assert [step.name for step in plan.cached] == ["alpha"]
    assert [(step.name, step.phase) for step in plan.to_run] == [("beta", 1), ("gamma", 2)]


def test_reason_names_one_upstream_and_counts_the_rest():
    study = Study()
    study.function("total")(list(study.function("alpha").map(range(2))))
    assert Shelf(study.freeze()).plan().steps[-1].reason == "depends on what alpha[x=0] and 1 more will give"
