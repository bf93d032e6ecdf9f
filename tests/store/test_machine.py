"""Record, damage, read, move and run again, in any order: every value is right or an error, and a rerun mends it."""

import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path

from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from ezpyp import Pipeline, open_cache
from ezpyp.errors import DamagedResultError
from ezpyp.inspect.__main__ import cli
from tests.acceptance.tools import Bodies, query, ran, spoil
from tests.store.objects.tools import append, empty, flip, garbage, into_folder, truncate

SIZES = {"small": 10, "large": 20_000, "mapped": 1_200_000}
FILE_DAMAGES = (flip, truncate, empty, append, garbage, Path.unlink, into_folder)
ROW_DAMAGES = ("payload", "digest", "checksum", "codec", "size", "suffix")


def value(n: int, size: int) -> bytes:
    """What a step gives; its body notes that it ran."""
    ran(n)
    return bytes([n]) * size


class Store(RuleBasedStateMachine):
    """A location beside what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.location = self.folder / "cache"
        self.bodies = Bodies(self.folder / "trace")
        os.environ["TRACE_FILE"] = str(self.bodies.path)
        self.values: dict[str, bytes] = {}
        self.stored: set[str] = set()
        self.damaged: set[str] = set()
        self.noticed: set[str] = set()

    def teardown(self) -> None:
        """Whatever was done: the damage is seen, mended by the next run, and nothing runs after that."""
        if self.values:
            self.run()
            self.read_all()
            self.run()
            assert not self.damaged
            self.run()
            assert self.bodies.take() == []
            self.read_all()
        shutil.rmtree(self.folder)

    @rule(size=st.sampled_from(sorted(SIZES)))
    def declare(self, size: str) -> None:
        """One more step."""
        n = len(self.values)
        self.values[f"step {n}"] = bytes([n]) * SIZES[size]

    @precondition(lambda self: self.values)
    @rule()
    def run(self) -> None:
        """The script runs again; every pipeline object is a new one."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline = Pipeline(self.location, "machine")
            for n, (name, content) in enumerate(self.values.items()):
                pipeline.step(value, name=name)(n, len(content))
            pipeline.execute(output="none", check=True)
        names = list(self.values)
        done = [names[int(word)] for word in self.bodies.take()]
        assert len(done) == len(set(done))
        # What nobody has met may be damaged still: it is found when somebody asks for it.
        assert set(names) - self.stored | self.noticed <= set(done) <= set(names) - self.stored | self.damaged
        self.stored = set(names)
        self.damaged -= set(done)
        self.noticed.clear()

    @precondition(lambda self: self.stored)
    @rule()
    def read_all(self) -> None:
        """Each value is what was stored, or the damage is named and marked."""
        cache = open_cache(self.location)
        for name in sorted(self.stored):
            try:
                found: object = cache.get_result(name)
            except DamagedResultError as error:
                found = str(error)
            if name in self.damaged:
                assert "run the pipeline again" in str(found)
                self.noticed.add(name)
            else:
                assert found == self.values[name]

    @precondition(lambda self: self.stored - self.damaged)
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """A bad disk: bytes of an object, or of a row."""
        name = data.draw(st.sampled_from(sorted(self.stored - self.damaged)))
        ((result, digest, suffix, is_file),) = query(
            self.location,
            "SELECT r.id, lower(hex(r.digest)), r.suffix, r.payload IS NULL FROM current_steps c"
            " JOIN results r ON r.id = c.result_id WHERE c.name = ?",
            name,
        )
        if is_file and data.draw(st.booleans()):
            path = self.location / "objects" / str(digest)[:2] / (str(digest)[2:] + str(suffix))
            data.draw(st.sampled_from(FILE_DAMAGES))(path)
        else:
            column = data.draw(st.sampled_from(ROW_DAMAGES[bool(is_file) :]))
            spoil(self.location, column, result=int(str(result)))
        self.damaged.add(name)

    @precondition(lambda self: self.stored)
    @rule()
    def verify(self) -> None:
        """All damage is found, and nothing else."""
        done = CliRunner().invoke(cli, [str(self.location), "verify", "--format", "json"])
        found = {row["name"] for row in json.loads(done.stdout) if row["what"] == "result" and not row["known"]}
        assert found == self.damaged
        assert done.exit_code == bool(self.damaged)

    @precondition(lambda self: self.stored)
    @rule()
    def move(self) -> None:
        """The location gets another name."""
        self.location = self.location.rename(self.folder / f"{self.location.name}+")


Store.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    phases=set(Phase) - {Phase.explain},  # it takes minutes here
    suppress_health_check=list(HealthCheck),
)
TestStore = Store.TestCase
