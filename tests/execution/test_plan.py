"""What is cached and what would run, from hand-made results."""

import pytest

from ezpyp.execution.plan import found_results, plan_of, token_of
from ezpyp.store.rows import KnownResult
from tests.graph.programs import Study


class Shelf:
    """Results of a program, as a run would have left them."""

    def __init__(self, program):
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

    def actions(self):
        found = found_results(self.program, self.known)
        return [step.action for step in plan_of(self.program, self.known, found).steps]

    def reasons(self):
        found = found_results(self.program, self.known)
        return [step.reason for step in plan_of(self.program, self.known, found).steps]


def chain(**options):
    """alpha -> beta -> gamma; the options are alpha's."""
    study = Study()
    alpha = study.function("alpha", **options)(1)
    study.function("gamma")(study.function("beta")(alpha))
    return Shelf(study.freeze())


def test_nothing_is_known_of_a_fresh_cache():
    shelf = chain()
    assert shelf.actions() == ["run", "maybe", "maybe"]
    assert shelf.reasons() == [
        "no result under its key",
        "depends on what alpha will give",
        "depends on what beta will give",
    ]


def test_everything_is_cached_after_a_complete_run():
    shelf = chain().put(0).put(1).put(2)
    assert shelf.actions() == ["cached"] * 3
    assert shelf.reasons() == [""] * 3


def test_only_what_is_missing_runs():
    assert chain().put(0).put(1).actions() == ["cached", "cached", "run"]


def test_result_without_its_upstreams_result_is_decided_on_the_way():
    shelf = chain().put(0).put(1).put(2)
    del shelf.known[shelf.program.keys[0]]
    assert shelf.actions() == ["run", "maybe", "maybe"]


def test_result_computed_from_another_value_runs_again():
    shelf = chain().put(0, "old").put(1).put(2)
    shelf.put(0, "new")
    assert shelf.actions() == ["cached", "run", "maybe"]
    assert shelf.reasons()[1] == "an upstream has another value than when it ran"


def test_upstream_computed_anew_with_the_same_value_changes_nothing():
    shelf = chain().put(0).put(1).put(2)
    shelf.put(0, id_=99)
    assert shelf.actions() == ["cached"] * 3


def test_value_without_a_digest_counts_by_its_bytes():
    shelf = chain().put(0, digested=False).put(1).put(2)
    shelf.put(0, id_=99, digested=False)
    assert shelf.actions() == ["cached"] * 3
    shelf.put(0, "other", id_=99, digested=False)
    assert shelf.actions()[1] == "run"


def test_uncached_step_runs_always_and_what_needs_it_is_decided_on_the_way():
    shelf = chain(cache=False).put(0).put(1).put(2)
    assert shelf.actions() == ["run", "maybe", "maybe"]
    assert shelf.reasons()[0] == "cache=False"


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
    shelf = Shelf(study.freeze()).put(0, "old").put(1)
    assert shelf.put(0, "new").actions() == ["cached", "cached"]
    del shelf.known[shelf.program.keys[0]]
    assert shelf.actions() == ["run", "maybe"]


def test_result_with_a_wrong_input_key_runs_again():
    assert chain().put(0).put(1, input_key=b"?" * 16).actions()[1] == "run"


def test_plan_counts_and_lists():
    shelf = chain().put(0)
    plan = plan_of(shelf.program, shelf.known, found_results(shelf.program, shelf.known))
    assert str(plan).splitlines()[0] == "3 steps: 1 cached, 1 to run, 1 decided on the way"
    assert [step.name for step in plan.cached] == ["alpha"]
    assert [(step.name, step.phase) for step in plan.to_run] == [("beta", 1), ("gamma", 2)]


@pytest.mark.parametrize(("count", "text"), [(2, "depends on what alpha[x=0] and 1 more will give")])
def test_reason_names_one_upstream_and_counts_the_rest(count, text):
    study = Study()
    study.function("total")(list(study.function("alpha").map(range(count))))
    assert Shelf(study.freeze()).reasons()[-1] == text
