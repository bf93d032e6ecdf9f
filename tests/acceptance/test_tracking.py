"""``track``, ``no_track`` and ``track_versions``: what the user says of packages, which each process imports anew."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from ezpyp import Pipeline, as_cloudpickle_step, as_numpy_step, as_pickle_step, as_step
from ezpyp.errors import OptionError

from .forks import Ended, run_scripts
from .tools import edit, query

HEAD = """
import os, sys
from pathlib import Path
sys.dont_write_bytecode = True
FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER / "lib" / "site-packages")]
import fakelib, helper
from ezpyp import Pipeline
from tests.acceptance.tools import ran

pipeline = Pipeline(FOLDER / "cache", "study", {settings})
"""
SCRIPT = (
    HEAD
    + """
@pipeline.step({options})
def alpha(x):
    ran("alpha")
    return fakelib.twice(x)

@pipeline.step
def beta(x):
    ran("beta")
    return helper.thrice(x)

alpha(1), beta(1)
pipeline.execute()
"""
)
OBJECTS = (
    HEAD
    + """
@pipeline.step
def alpha():
    ran("alpha")
    return MADE.Model()

@pipeline.step
def beta(model):
    ran("beta")
    return model.predict()

@pipeline.step
def gamma(models):
    ran("gamma")
    return models[0].predict()

beta(alpha()), gamma([MADE.Model()])
pipeline.execute()
"""
)
LIBRARY = """
def twice(x):
    return x + x

class Model:
    def predict(self):
        return 1
"""
HELPER = """
def thrice(x):
    return 3 * x

class Model:
    def predict(self):
        return 1
"""
LIBRARY_2 = edit(LIBRARY, ("x + x", "2 * x"))
LIBRARY_MODEL_2 = edit(LIBRARY, ("return 1", "return 2"))
HELPER_2 = edit(HELPER, ("3 * x", "x * 3"))
HELPER_MODEL_2 = edit(HELPER, ("return 1", "return 2"))
THEIR_OBJECTS = OBJECTS.replace("MADE", "fakelib")
YOUR_OBJECTS = OBJECTS.replace("MADE", "helper")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the bodies that must run; the options; the installed library and the user's module at that time."""

    ran: str
    settings: str = ""
    options: str = ""
    text: str = SCRIPT
    version: str = "1.0"
    installed: str = LIBRARY
    helper: str = HELPER
    refused: str = ""

    def prepare(self, folder: Path) -> Path:
        """Write the script, a module of the user's beside it, and an installed library; give the script's path."""
        site = folder / "lib" / "site-packages"
        shutil.rmtree(site, ignore_errors=True)
        info = site / f"fake_library-{self.version}.dist-info"
        beginning = "import os\ndel os.environ['EZPYP_REVISE']\n" if self.refused else ""
        files = {
            folder / "script.py": beginning + self.text.format(settings=self.settings, options=self.options),
            folder / "helper.py": self.helper,
            site / "fakelib" / "__init__.py": self.installed,
            info / "METADATA": f"Metadata-Version: 2.1\nName: fake-library\nVersion: {self.version}\n",
            info / "RECORD": f"fakelib/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n",
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder / "script.py"


def runs(*changes: dict[str, str], **same: str) -> list[Run]:
    """Runs one after the other, with what they have in common."""
    return [Run(**same | change) for change in changes]


ALL, ALL_OBJECTS = {"ran": "alpha beta"}, {"ran": "alpha gamma beta"}
SCENARIOS = {
    "a library counts by name unless told otherwise": runs(ALL, {"ran": "", "version": "2.0", "installed": LIBRARY_2}),
    **{
        f"a version tracked by the {where} as {name} counts where code leads to the library": runs(
            ALL, {"ran": ""}, {"ran": "alpha", "version": "2.0"}, **{option: f"track_versions=({name!r},)"}
        )
        for name in ("fakelib", "fake-library")
        for where, option in (("step", "options"), ("pipeline", "settings"))
    },
    "a version tracked by a step counts also where its code does not lead there": runs(
        ALL,
        {"ran": "alpha", "version": "2.0"},
        options="track_versions='fakelib'",
        text=edit(SCRIPT, ("fakelib.twice(x)", "x")),
    ),
    "content tracked by the pipeline counts": runs(
        ALL,
        {"ran": "", "version": "2.0"},
        {"ran": "alpha", "version": "2.0", "installed": LIBRARY_2},
        settings="track=('fakelib',)",
    ),
    "what the pipeline does not track does not count": [
        *runs(ALL, {"ran": "", "helper": HELPER_2}, settings="no_track=('helper',)"),
        Run("beta", helper=HELPER_2),
    ],
    "a step's own options add to the pipeline's": runs(
        ALL,
        {"ran": "alpha", "version": "2.0"},
        {"ran": "alpha", "version": "2.0", "installed": LIBRARY_2},
        settings="track=('fakelib',)",
        options="track_versions=('fakelib',)",
    ),
    "a step's own options win where they say the opposite": runs(
        ALL, {"ran": "alpha", "installed": LIBRARY_2}, settings="no_track=('fakelib',)", options="track=('fakelib',)"
    ),
    **{
        f"an object of a library tracked by {track} counts as argument and as result": runs(
            ALL_OBJECTS,
            {"ran": ""},
            ALL_OBJECTS | {"version": "2.0", "installed": LIBRARY_MODEL_2},
            settings=f"{track}='fakelib'",
            text=THEIR_OBJECTS,
        )
        for track in ("track", "track_versions")
    },
    "an object of an untracked class counts by its state": runs(
        ALL_OBJECTS | {"settings": "no_track='helper'"},
        {"ran": "", "settings": "no_track='helper'", "helper": HELPER_MODEL_2},
        {"ran": "", "settings": "no_track='helper'", "helper": HELPER_MODEL_2},
        ALL_OBJECTS | {"helper": HELPER_MODEL_2},
        ALL_OBJECTS,
        text=YOUR_OBJECTS,
    ),
    "one string is one name": runs(
        ALL | {"settings": "track_versions='fakelib'"},
        {"ran": "", "settings": "track_versions=('fakelib',)"},
        {"ran": "alpha", "options": "track='fakelib'"},
        {"ran": "", "options": "track=['fakelib']"},
    ),
    "a version that changed is named in the conflict": runs(
        ALL,
        {"ran": "", "version": "2.0", "refused": r"SchemaConflictError[^\0]*\n  alpha: .*fakelib.* 1\.0 -> 2\.0"},
        settings="track_versions='fakelib'",
    ),
    "settings are not recorded for steps that they do not touch": runs(
        ALL, {"ran": "alpha", "settings": "track_versions='fakelib', track='helper', no_track='json'"}
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture(scope="module")
def ended(folder: Path) -> dict[str, list[Ended]]:
    """What became of each run of each scenario: first the first runs of all, then the second ones, and so on."""
    found: dict[str, list[Ended]] = {name: [] for name in SCENARIOS}
    for turn in range(max(map(len, SCENARIOS.values()))):
        names = [name for name, scenario in SCENARIOS.items() if turn < len(scenario)]
        scripts = [SCENARIOS[name][turn].prepare(folder / str(list(SCENARIOS).index(name))) for name in names]
        for name, one in zip(names, run_scripts(scripts, seed=turn), strict=True):
            found[name].append(one)
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_runs_what_the_options_say(ended: dict[str, list[Ended]], name: str) -> None:
    for run, one in zip(SCENARIOS[name], ended[name], strict=True):
        assert one.code == bool(run.refused), one.output
        assert re.search(run.refused, one.output), one.output
    assert [one.words for one in ended[name]] == [run.ran.split() for run in SCENARIOS[name]]


def test_settings_are_not_recorded_for_steps_that_they_do_not_touch(ended: object, folder: Path) -> None:
    number = list(SCENARIOS).index("settings are not recorded for steps that they do not touch")

    assert query(folder / str(number) / "cache", "SELECT count(*) FROM results WHERE origin IS NULL") == [(3,)]


@pytest.mark.parametrize("option", ["track", "no_track", "track_versions"])
def test_a_package_that_is_not_installed_is_refused_at_once(location: Path, option: str) -> None:
    pipeline = Pipeline(location, "study")
    for decorator in (as_step, as_pickle_step, as_cloudpickle_step, as_numpy_step, Pipeline.step):
        with pytest.raises(OptionError, match="'nummpy'"):
            decorator(pipeline, **{option: "nummpy"})  # type: ignore[operator]  # one of five
    for value, message in (
        ("nummpy", "'nummpy'"),
        (("nummpy",), "'nummpy'"),
        (3, "takes names, not 3"),
        ([3], "names"),
    ):
        with pytest.raises(OptionError, match=message):
            Pipeline(location, "study", **{option: value})  # type: ignore[arg-type]  # wrong on purpose
    assert not location.exists()
