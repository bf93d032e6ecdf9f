"""Whether a library is loaded when a key is made depends on what ran before: only what was changed in it may count."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = {
    "__init__.py": "from .parts import tidy as neat, tidy\nlimit = 5\nratio: float = 0.5\nstarted = limit * 2\n",
    "parts.py": "from functools import singledispatch\ndef tidy(x): return x\ndef rough(x): return -x\ndepth = 3\n"
    "class Box:\n    def open(self): return 1\n@singledispatch\ndef shown(x): return 'x'\n",
}
BODIES = {
    "import": "    import lib\n    return lib.tidy(x)",
    "import as": "    import lib.parts as parts\n    return parts.tidy(x)",
    "from import": "    from lib.parts import rough\n    return rough(x)",
    "import of a part": "    import lib.parts\n    return lib.parts.rough(x)",
    "number": "    import lib\n    return lib.limit * x, lib.ratio",
    "number that is worked out": "    import lib\n    return lib.started",
    "number of a part": "    import lib.parts\n    return lib.parts.depth",
    "class": "    from lib.parts import Box\n    return Box().open()",
    "registry": "    from lib.parts import shown\n    return shown(x)",
    "standard library": "    import colorsys\n    return colorsys.rgb_to_hls(x, x, x)",
    "name that is not there": "    import lib\n    return lib.nothing(x)",
}
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
{before}
def step(x):
{body}
{after}
from ezpyp.hashing.code.identity import function_identity
print(function_identity(step).digest.hex())
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library, by the folder that it is installed in."""
    folder = tmp_path_factory.mktemp("environment") / "site-packages"
    (folder / "lib").mkdir(parents=True)
    for name, text in LIBRARY.items():
        (folder / "lib" / name).write_text(text)
    return folder


def key(library: Path, body: str, *, before: str = "", after: str = "") -> str:
    """Digest of a step in a fresh process."""
    script = library.parent / "script.py"
    script.write_text(SCRIPT.format(folder=str(library), before=before, body=body, after=after))
    answer = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "3"}
    )
    return answer.stdout.strip()


@pytest.mark.parametrize("name", BODIES)
def test_library_that_was_loaded_before_gives_the_same_key(library: Path, name: str) -> None:
    loaded = {key(library, BODIES[name], after=after) for after in ("", "import lib", "import lib.parts, colorsys")}

    assert len(loaded) == 1


def test_part_of_a_library_that_was_loaded_before_gives_the_same_key(library: Path) -> None:
    (library / "bare").mkdir(exist_ok=True)
    (library / "bare" / "__init__.py").write_text("")
    (library / "bare" / "inner.py").write_text("def f(x): return x\nlevel = 2\n")
    body = "    return bare.inner.f(bare.inner.level)"
    seen = {key(library, body, before="import bare", after=after) for after in ("", "import bare.inner")}
    changed = key(library, body, before="import bare", after="import bare.inner\nbare.inner.f = lambda x: x + 1")

    assert len(seen) == 1
    assert changed not in seen


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("import", "lib.tidy = lambda x: x + 1"),
        ("import", "lib.tidy = lib.parts.rough"),
        ("import", "import colorsys\nlib.tidy = colorsys.rgb_to_hls"),
        ("import as", "lib.parts.tidy = lambda x: x + 1"),
        ("from import", "lib.parts.rough = lib.parts.tidy"),
        ("import of a part", "lib.parts.rough = lambda x: x + 1"),
        ("class", "lib.parts.Box.open = lambda self: 2"),
        ("class", "class Box(lib.parts.Box): pass\nlib.parts.Box = Box"),
        ("registry", "@lib.parts.shown.register\ndef _(x: int): return 'int'"),
        ("name that is not there", "lib.nothing = abs\nlib.nothing = lambda x: x"),
    ],
)
def test_what_the_script_changed_in_a_library_counts(library: Path, name: str, change: str) -> None:
    plain = key(library, BODIES[name])
    changed = key(library, BODIES[name], after=f"import lib\nimport lib.parts\n{change}")

    assert changed != plain
