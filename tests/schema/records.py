"""Hand-made records: what is declared, and what a location has promised."""

from collections.abc import Mapping, Sequence

from ezpyp.schema.rule import Promises, Verdict, judge
from ezpyp.store.rows import Edge, KnownStep, StepRecord

Upstreams = Sequence[tuple[str, str]]
"""Name and slot of each upstream."""


def record(name: str, key: str = "", *, edges: Sequence[tuple[int, str]] = (), shape: str | None = None) -> StepRecord:
    """A step as declared; an edge is the position of the upstream and the slot."""
    found = tuple((up, "order" if slot == "depends_on[]" else "value", slot) for up, slot in edges)
    shaped = None if shape is None else shape.encode()
    return StepRecord(name, (key or name).encode(), b"f", "pickle", 0, "[]", "{}", "{}", None, shaped, found)


class History:
    """A location's promises under construction."""

    def __init__(self) -> None:
        self.steps: list[KnownStep] = []
        self.edges: dict[int, list[Edge]] = {}
        self.bound: set[int] = set()
        self.current: set[int] = set()
        self.foreign: set[int] = set()

    def add(
        self,
        name: str,
        key: str = "",
        *,
        edges: Upstreams = (),
        shape: str | None = None,
        bound: bool = True,
        current: bool = True,
        foreign: bool = False,
    ) -> "History":
        """Add a step: with a result or not, in the newest revision or not, of another Python or not."""
        id_ = len(self.steps) + 1
        shaped = None if shape is None else shape.encode()
        self.steps.append(KnownStep(id_, name, (key or name).encode(), 1, "pickle", 0, "[]", "{}", "{}", None, shaped))
        newest = {step.name: step.id for step in self.steps}
        self.edges[id_] = [Edge(id_, newest[up], "value", slot) for up, slot in edges]
        for is_in, ids in ((bound, self.bound), (current, self.current), (foreign, self.foreign)):
            if is_in:
                ids.add(id_)
        return self

    def judge(self, *records: StepRecord) -> Mapping[str, list[str]]:
        """The names that the rule puts under each heading, empty headings left out."""
        by_name: dict[str, list[KnownStep]] = {}
        for step in self.steps:
            by_name.setdefault(step.name, []).append(step)
        names = {step.id: step.name for step in self.steps}
        promises = Promises(
            by_name,
            self.bound,
            self.current,
            lambda step: step.id not in self.foreign,
            self.edges.__getitem__,
            names.__getitem__,
        )
        return _headings(judge(records, promises), records)


def _headings(verdict: Verdict, records: Sequence[StepRecord]) -> Mapping[str, list[str]]:
    positions = {
        "conflicts": [conflict.position for conflict in verdict.conflicts],
        "new": verdict.new,
        "repaired": verdict.repaired,
        "grown": verdict.grown,
        "returned": verdict.returned,
    }
    return {heading: [records[p].name for p in found] for heading, found in positions.items() if found}
