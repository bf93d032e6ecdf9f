"""Versions of packages count where they are asked for, and only there."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ezpyp.errors import OptionError
from ezpyp.explain.function_diff import difference
from ezpyp.explain.record import FunctionRecord, record_of
from ezpyp.hashing.code import packages

ROOT = Path(__file__).resolve().parents[2]


def mean(values):
    return np.mean(values)


def double(value):
    return 2 * value


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages: give it a distribution, its version and the names that it installs."""

    def install(distribution, version, *names, dunder=None):
        info = tmp_path / f"{distribution.replace('-', '_')}-1.dist-info"
        if version is not None:
            info.mkdir(exist_ok=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
            (info / "top_level.txt").write_text("\n".join(names) + "\n")
        for name in names:
            (tmp_path / f"{name}.py").write_text("" if dunder is None else f"__version__ = {dunder!r}\n")
        forget()

    monkeypatch.syspath_prepend(str(tmp_path))
    yield install
    forget()
    for name in [name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


def forget():
    for known in (packages.version_of, packages.import_names, packages._distributions):
        known.cache_clear()


def digest(function, **options):
    return record_of(function, **options).digest


def test_tracked_version_is_in_the_digest(site):
    site("colours", "1.0", "colours")
    before = record_of(double, track_versions=("colours",))
    site("colours", "1.1", "colours")
    after = record_of(double, track_versions=("colours",))

    assert before.digest != after.digest != digest(double)
    assert FunctionRecord.from_json(after.to_json()) == after
    assert [str(change) for change in difference(before, after)] == ["version of colours 1.0 -> 1.1"]
    assert [str(change) for change in difference(record_of(double), after)] == ["version of colours is new: 1.1"]


def test_version_that_is_not_tracked_is_not_in_the_digest(monkeypatch):
    before = record_of(mean)
    monkeypatch.setattr(np, "__version__", "9.9")

    assert record_of(mean).digest == before.digest


def test_version_counts_where_the_code_leads_to_the_library():
    options = {"versions_where_used": ("numpy",)}

    assert digest(mean, **options) == digest(mean, track_versions=("numpy",))
    assert digest(double, **options) == digest(double)


ARRAYS = {"one": [np.arange(3)]}


@pytest.mark.parametrize(
    "function",
    [
        lambda: np.pi,
        lambda: ARRAYS,
        lambda: mean([1]),
        lambda sin=np.sin: partial_of(sin),
        lambda: np.no_such_name,
    ],
    ids=["constant", "array in a global", "helper", "ufunc in a closure", "name that is not loaded"],
)
def test_every_way_to_a_library_is_seen(function):
    assert digest(function, versions_where_used=("numpy",)) != digest(function)


def partial_of(function):
    return UFUNCS["cos"](function)


UFUNCS = {"cos": np.cos}


def test_version_is_found_where_import_and_distribution_have_two_names(site):
    site("scikit-colours", "2.5", "skcolours")

    assert packages.version_of("skcolours") == "2.5"
    assert packages.version_of("scikit-colours") == "2.5"
    assert packages.import_names("Scikit_Colours") == {"skcolours"}
    assert packages.import_names("skcolours") == {"skcolours"}


def test_module_that_nobody_installed_says_its_version_itself(site):
    site("folder", None, "plainfolder", dunder="3.1")

    assert packages.version_of("plainfolder") == "3.1"


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("nunpy", "no such package is installed.*correct its name"),
        ("json", "part of Python, whose version is in every key"),
        ("nameless", "it has none.*track=.*version="),
    ],
)
def test_package_without_a_version_is_an_error_that_says_what_to_do(site, package, reason):
    site("folder", None, "nameless")

    for option in ("track_versions", "versions_where_used"):
        with pytest.raises(OptionError, match=f"version of '{package}' cannot be tracked: .*{reason}"):
            record_of(double, **{option: (package,)})


def test_one_text_is_no_tuple_of_packages():
    with pytest.raises(OptionError, match=r"\('numpy',\), not 'numpy'"):
        record_of(double, track_versions="numpy")


def test_nobody_pays_for_versions_who_does_not_ask():
    code = "import sys; from ezpyp.explain.record import record_of as f; f(lambda: 1); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
    )

    assert "ezpyp.hashing" in done.stdout.split(), done.stderr
    assert "importlib.metadata" not in done.stdout.split()


def test_another_python_is_named_first_and_its_bytecode_is_no_reason():
    before = record_of(double)
    [code] = [part for part in before.parts if part.kind == "code"]
    other = replace(code, digest="00", tokens=code.tokens[:2])
    edited = replace(other, tokens=(), source=code.source.replace("2 * value", "3 * value"))
    after = replace(before, digest=bytes(16), python="cpython-399")
    python = f"Python {before.python} -> cpython-399"

    for parts, lines in ((before.parts, []), ((other,), []), ((edited,), ["return 2 * value -> return 3 * value"])):
        first, *found = difference(before, replace(after, parts=parts))
        assert str(first) == python
        assert [f"{change.old} -> {change.new}" for change in found] == lines
    assert [str(change) for change in difference(before, replace(before, python="cpython-399"))] == [python]
