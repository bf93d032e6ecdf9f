"""The same program has the same keys, wherever, however and in which process it is declared."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ezpyp import Pipeline
from tests.mpi import clean_environ

PROGRAM = '''
"""A program with every kind of argument whose order a hash could leak into."""
import enum
import sys
from dataclasses import dataclass

from ezpyp import File, Pipeline, as_pickle_step

RATES = {"slow": 0.1, "fast": 2.5}
WORDS = frozenset({"alpha", "beta", "gamma", "delta"})

class Kind(enum.Enum):
    RED = "red"
    BLUE = "blue"

@dataclass(frozen=True)
class Options:
    kind: Kind
    names: frozenset

def helper(x):
    return x in {"one", "two", "three", "four"}

pipeline = Pipeline(sys.argv[1], "study")

@as_pickle_step(pipeline)
def simulate(x, options=None, names=frozenset()):
    return helper(x) or RATES["slow"] or x in WORDS

@as_pickle_step(pipeline, depends_on=[simulate(0)])
def total(parts, *more, **named):
    return len(parts)

sweep = simulate.map([1, 2, 3], names=[{"a", "b", "c"}, frozenset({"d", "e", ("f", 1)}), {"g", None, 2.5}])
options = Options(Kind.BLUE, frozenset({"x", "y", "z"}))
single = simulate("x", options=options)
total(set(sweep), {"p", "q"}, last=single[0], first={single["a"], sweep[0]})
pipeline.initialize_schema()
for step in pipeline.steps:
    print(step.name, step.key, step.phase)
'''


def test_fresh_processes_with_other_hash_seeds_agree_also_for_a_moved_script(tmp_path: Path):
    running = []
    for seed in ("0", "1", "4711"):
        folder = tmp_path / f"at {seed}"
        folder.mkdir()
        script = folder / f"script{seed}.py"
        script.write_text("\n" * int(seed == "1") + PROGRAM)
        environ = clean_environ({"PYTHONHASHSEED": seed})
        command = [sys.executable, str(script), str(folder / "cache")]
        running.append(subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True, cwd=folder))
    texts = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(set(texts)) == 1
    assert len(texts[0].splitlines()) == 6


def keys(location: Path, declare) -> list[tuple[str, str]]:
    pipeline = Pipeline(location, f"study of {location.name}")  # what does not count in a key
    declare(pipeline)
    pipeline.initialize_schema()
    return [(step.name, step.key) for step in pipeline.steps]


def alpha(x, factor=2, *, verbose=False):
    return x * factor


@pytest.mark.parametrize(
    "spelled", [lambda f: f(x=3), lambda f: f(3, 2), lambda f: f(factor=2, x=3), lambda f: f(3, verbose=False)]
)
def test_spellings_of_a_call_give_one_key(tmp_path, spelled):
    assert keys(tmp_path / "a", lambda p: spelled(p.step(alpha))) == keys(tmp_path / "b", lambda p: p.step(alpha)(3))


@pytest.mark.parametrize(
    "options",
    [{"codec": "cloudpickle"}, {"version": "2"}, {"version": ""}, {"ignore": ["verbose"]}, {"ignore": ["factor"]}],
)
def test_options_that_change_what_a_result_is_change_the_key(tmp_path, options):
    plain = keys(tmp_path / "a", lambda p: p.step(alpha)(3))
    other = keys(tmp_path / "b", lambda p: p.step(alpha, **options)(3))
    assert plain != other


def test_one_function_decorated_twice_counts_as_each_decorator_says(tmp_path):
    def declare(pipeline):
        pipeline.step(alpha)(3)
        pipeline.step(alpha, name="with numpy's version", track_versions="numpy")(3)

    (_, plain), (_, with_version) = keys(tmp_path, declare)
    assert plain != with_version


def test_option_values_do_not_run_together(tmp_path):
    found = set()
    ignoring = [{"version": "1", "ignore": ["factor"]}, {"version": "1", "ignore": ["factor", "verbose"]}]
    for n, options in enumerate([*ignoring, {"version": "1factor"}, {"version": "1"}, {"version": "-"}, {}]):
        found |= set(keys(tmp_path / str(n), lambda p, given=options: p.step(alpha, **given)(3)))
    assert len(found) == 6


def test_cache_option_and_name_leave_the_key_alone(tmp_path):
    (_, plain), (_, uncached), (_, named) = (
        keys(tmp_path / str(n), lambda p, given=options: p.step(alpha, **given)(3))[0]
        for n, options in enumerate([{}, {"cache": False}, {"name": "other"}])
    )
    assert plain == uncached == named


def test_keys_are_known_without_the_environment_of_the_first_run(tmp_path, monkeypatch):
    first = keys(tmp_path / "a", lambda p: p.step(alpha)(3))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "NEW_VARIABLE", "1")
    assert keys(tmp_path / "b", lambda p: p.step(alpha)(3)) == first


def test_python_that_compiled_the_code_counts(tmp_path, monkeypatch):
    here = keys(tmp_path / "a", lambda p: p.step(alpha)(3))
    other = SimpleNamespace(implementation=SimpleNamespace(cache_tag="cpython-399"))
    monkeypatch.setattr("ezpyp.pipeline.freeze.sys", other)
    assert keys(tmp_path / "b", lambda p: p.step(alpha)(3)) != here


def test_version_of_the_codec_counts(tmp_path, monkeypatch):
    here = keys(tmp_path / "a", lambda p: p.step(alpha)(3))
    later = SimpleNamespace(name="pickle", version=99)
    monkeypatch.setattr("ezpyp.pipeline.freeze.get_codec", lambda name: later)
    assert keys(tmp_path / "b", lambda p: p.step(alpha)(3)) != here
