"""``track``, ``no_track`` and ``track_versions``: what the user says of packages, in real fresh processes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ezpyp import Pipeline, as_cloudpickle_step, as_numpy_step, as_pickle_step, as_step
from ezpyp.errors import OptionError

from .tools import Bodies, edit, launch, query, traced

SCRIPT = """
import sys
import fakelib, helper
from ezpyp import Pipeline, as_pickle_step

pipeline = Pipeline(sys.argv[0] + ".cache", "study"{settings})

@as_pickle_step(pipeline{options})
def alpha(x):
    return fakelib.twice(x)

@as_pickle_step(pipeline)
def beta(x):
    return helper.thrice(x)

alpha(1), beta(1)
pipeline.execute()
"""
OBJECTS = """
import sys
import fakelib, helper
from ezpyp import Pipeline

pipeline = Pipeline(sys.argv[0] + ".cache", "study"{settings})

@pipeline.step
def alpha():
    return {made}.Model()

@pipeline.step
def beta(model):
    return model.predict()

@pipeline.step
def gamma(models):
    return models[0].predict()

beta(alpha()), gamma([{made}.Model()])
pipeline.execute()
"""
MODEL = """
class Model:
    def predict(self):
        return 1
"""
LIBRARY = "def twice(x):\n    return x + x\n"
HELPER = "def thrice(x):\n    return 3 * x\n"


class Place:
    """A script, a module of the user's beside it, and an installed library, with its version."""

    def __init__(self, folder: Path, bodies: Bodies) -> None:
        self.folder, self.bodies = folder, bodies
        self.site = folder / "lib" / "site-packages"
        self.install("1.0")
        self.write(folder / "helper.py", HELPER)

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def install(self, version: str, library: str = LIBRARY) -> None:
        """Install a distribution called fake-library, which is imported as fakelib."""
        self.write(self.site / "fakelib" / "__init__.py", library)
        for old in self.site.glob("*.dist-info"):
            shutil.rmtree(old)
        info = self.site / f"fake_library-{version}.dist-info"
        self.write(info / "METADATA", f"Metadata-Version: 2.1\nName: fake-library\nVersion: {version}\n")
        self.write(info / "RECORD", f"fakelib/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")

    def start(self, settings: str = "", options: str = "", text: str = SCRIPT) -> subprocess.CompletedProcess[str]:
        script = self.folder / "script.py"
        self.write(script, text.format(settings=settings, options=options))
        environment = traced(self.bodies.path, EZPYP_REVISE="1", PYTHONDONTWRITEBYTECODE="1")
        environment["PYTHONPATH"] += f":{self.site}"
        return launch(script, env=environment)

    def run(self, settings: str = "", options: str = "", text: str = SCRIPT) -> list[str]:
        """The bodies that ran."""
        ended = self.start(settings, options, text)
        assert ended.returncode == 0, ended.stderr
        return self.bodies.take()


@pytest.fixture
def place(tmp_path: Path, bodies: Bodies) -> Place:
    return Place(tmp_path, bodies)


def test_a_library_counts_by_name_unless_told_otherwise(place: Place) -> None:
    assert place.run() == ["alpha", "beta"]
    place.install("2.0", edit(LIBRARY, ("x + x", "2 * x")))

    assert place.run() == []


@pytest.mark.parametrize("name", ["fakelib", "fake-library"])
def test_a_tracked_version_counts_in_the_step(place: Place, name: str) -> None:
    options = f", track_versions=({name!r},)"
    assert place.run(options=options) == ["alpha", "beta"]
    assert place.run(options=options) == []
    place.install("2.0")

    assert place.run(options=options) == ["alpha"]


def test_a_tracked_version_of_a_step_counts_also_where_its_code_does_not_lead_there(place: Place) -> None:
    text = edit(SCRIPT, ("fakelib.twice(x)", "x"))
    assert place.run(options=", track_versions='fakelib'", text=text) == ["alpha", "beta"]
    place.install("2.0")

    assert place.run(options=", track_versions='fakelib'", text=text) == ["alpha"]


@pytest.mark.parametrize("name", ["fakelib", "fake-library"])
def test_a_version_tracked_by_the_pipeline_counts_where_code_leads_to_the_library(place: Place, name: str) -> None:
    settings = f", track_versions=({name!r},)"
    assert place.run(settings) == ["alpha", "beta"]
    assert place.run(settings) == []
    place.install("2.0")

    assert place.run(settings) == ["alpha"]


def test_content_tracked_by_the_pipeline_counts(place: Place) -> None:
    settings = ", track=('fakelib',)"
    assert place.run(settings) == ["alpha", "beta"]
    place.install("2.0")
    assert place.run(settings) == []
    place.install("2.0", edit(LIBRARY, ("x + x", "2 * x")))

    assert place.run(settings) == ["alpha"]


def test_what_the_pipeline_does_not_track_does_not_count(place: Place) -> None:
    settings = ", no_track=('helper',)"
    assert place.run(settings) == ["alpha", "beta"]
    place.write(place.folder / "helper.py", edit(HELPER, ("3 * x", "x * 3")))
    assert place.run(settings) == []

    assert place.run() == ["beta"]


def test_a_step_s_own_options_add_to_the_pipeline_s(place: Place) -> None:
    settings, options = ", track=('fakelib',)", ", track_versions=('fakelib',)"
    place.run(settings, options)
    place.install("2.0")
    assert place.run(settings, options) == ["alpha"]
    place.install("2.0", edit(LIBRARY, ("x + x", "2 * x")))

    assert place.run(settings, options) == ["alpha"]


def test_a_step_s_own_options_win_where_they_say_the_opposite(place: Place) -> None:
    settings, options = ", no_track=('fakelib',)", ", track=('fakelib',)"
    place.run(settings, options)
    place.install("1.0", edit(LIBRARY, ("x + x", "2 * x")))

    assert place.run(settings, options) == ["alpha"]


@pytest.mark.parametrize("track", ["track", "track_versions"])
def test_an_object_of_a_tracked_library_counts_as_argument_and_as_result(place: Place, track: str) -> None:
    text = OBJECTS.replace("{made}", "fakelib")
    settings = f", {track}='fakelib'"
    place.install("1.0", LIBRARY + MODEL)
    assert place.run(settings, text=text) == ["alpha", "gamma", "beta"]
    assert place.run(settings, text=text) == []
    place.install("2.0", LIBRARY + edit(MODEL, ("return 1", "return 2")))

    assert place.run(settings, text=text) == ["alpha", "gamma", "beta"]


def test_an_object_of_an_untracked_class_counts_by_its_state(place: Place) -> None:
    text = OBJECTS.replace("{made}", "helper")
    for model in (MODEL, edit(MODEL, ("return 1", "return 2"))):
        place.write(place.folder / "helper.py", model)
        place.run(", no_track='helper'", text=text)
    assert place.run(", no_track='helper'", text=text) == []

    assert place.run(text=text) == ["alpha", "gamma", "beta"]
    place.write(place.folder / "helper.py", MODEL)
    assert place.run(text=text) == ["alpha", "gamma", "beta"]


def test_one_string_is_one_name(place: Place) -> None:
    place.run(", track_versions='fakelib'")
    assert place.run(", track_versions=('fakelib',)") == []

    assert place.run(options=", track='fakelib'") == ["alpha"]
    assert place.run(options=", track=['fakelib']") == []


def test_a_version_that_changed_is_named_in_the_conflict(place: Place) -> None:
    place.run(", track_versions='fakelib'")
    place.install("2.0")
    environment = traced(place.bodies.path)
    environment["PYTHONPATH"] += f":{place.site}"

    ended = launch(place.folder / "script.py", env=environment)

    assert ended.returncode != 0
    assert "SchemaConflictError" in ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("  alpha: ")]
    assert "fakelib" in line
    assert "1.0 -> 2.0" in line


@pytest.mark.parametrize("option", ["track", "no_track", "track_versions"])
@pytest.mark.parametrize("decorator", [as_step, as_pickle_step, as_cloudpickle_step, as_numpy_step, Pipeline.step])
def test_a_package_that_is_not_installed_is_refused_at_the_decorator(
    location: Path, option: str, decorator: object
) -> None:
    with pytest.raises(OptionError, match="'nummpy'"):
        decorator(Pipeline(location, "study"), **{option: "nummpy"})  # type: ignore[operator]  # one of five


@pytest.mark.parametrize("option", ["track", "no_track", "track_versions"])
@pytest.mark.parametrize(
    ("value", "message"), [("nummpy", "'nummpy'"), (("nummpy",), "'nummpy'"), (3, "takes names, not 3"), ([3], "names")]
)
def test_a_package_that_is_not_installed_is_refused_by_the_pipeline(
    location: Path, option: str, value: object, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Pipeline(location, "study", **{option: value})  # type: ignore[arg-type]  # wrong on purpose
    assert not location.exists()


def test_the_settings_of_a_pipeline_are_not_recorded_for_steps_that_they_do_not_touch(place: Place) -> None:
    place.run()

    assert place.run(", track_versions='fakelib', track='helper', no_track='json'") == ["alpha"]
    assert query(place.folder / "script.py.cache", "SELECT count(*) FROM results WHERE origin IS NULL") == [(3,)]
