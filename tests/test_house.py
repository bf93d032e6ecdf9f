"""The house itself: its size, its layers, what an import loads, comments and docstrings."""

import ast
import importlib
import io
import re
import runpy
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import ezpyp
from tests.inspect import build

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ezpyp"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (*"version errors describe hashing explain store steps graph schema execution pipeline inspect".split(), "")
"""From the ground up; a layer imports from itself and from below. The empty name is ``ezpyp/__init__.py``."""

HEAVY = {"numpy", "mpi4py", "click", "rich", "sqlite_utils", "pandas", "sklearn", "matplotlib", "pytest"}

BANNER = re.compile(r"#\W*([-=#*~_─═])\1{3,}")


def module_name(path: Path) -> str:
    """``ezpyp.store.objects`` of its file; a folder's name for its ``__init__.py``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> int:
    """The number of the layer that a module stands in."""
    return LAYERS.index(module.split(".")[1] if "." in module else "")


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions and for types alone."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                submodule = f"{module}.{alias.name}"
                yield submodule if submodule in MODULES else module


TREES = {path: ast.parse(path.read_text()) for path in FILES}
MODULES = {module_name(path): path for path in FILES}
IMPORTS = {module: sorted(set(imported(path))) for module, path in MODULES.items()}


def test_the_picture_of_the_house_is_current() -> None:
    space = runpy.run_path(str(ROOT / "docs" / "pictures" / "architecture.py"))

    assert tuple(reversed(space["ROOMS"])) == LAYERS[1:-1]
    assert space["PICTURE"].read_text(encoding="utf-8") == space["drawn"]()


def line_count(path: Path) -> int:
    return path.read_text().count("\n")


def loaded_by(code: str, *arguments: str) -> set[str]:
    """Names of the modules, and of the packages they lie in, in a fresh process after `code`."""
    printing = f"{code}\nimport sys\nprint('LOADED', *sys.modules)"
    command = [sys.executable, "-c", printing, *arguments]
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


def test_the_package_fits_one_head() -> None:
    assert len(FILES) <= 130
    assert sum(map(line_count, FILES)) <= 25_900


def test_the_tests_fit_one_head_too() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "tests").rglob("*.txt")]
    assert sum(map(line_count, files)) <= 24_000


def test_no_folder_is_crowded() -> None:
    crowded = {str(folder): count for folder, count in Counter(path.parent for path in FILES).items() if count > 14}

    assert not crowded


def test_no_small_module_serves_one_other() -> None:
    importers = Counter(name for module, names in IMPORTS.items() for name in names if name != module)
    lonely = [
        module
        for module, path in MODULES.items()
        if line_count(path) < 60 and importers[module] <= 1 and not path.name.startswith("__") and module != VERSION
    ]

    assert not lonely


VERSION = "ezpyp.version"  # the build reads it from a file of its own


def test_no_two_classes_share_a_name() -> None:
    classes = Counter(node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))

    assert not [name for name, count in classes.items() if count > 1]


def test_no_import_goes_upward() -> None:
    upward = [
        f"{module} imports {name}"
        for module, names in IMPORTS.items()
        for name in names
        if name in MODULES and layer(name) > layer(module)
    ]

    assert not upward


def test_no_cycle_of_modules() -> None:
    # Imports for types count as well: two modules that need each other's types are one idea.
    try:
        TopologicalSorter({module: {*names} & {*MODULES} for module, names in IMPORTS.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_inspect_knows_neither_execution_nor_the_face() -> None:
    above = (LAYERS.index("execution"), LAYERS.index("pipeline"), LAYERS.index(""))
    inspect = LAYERS.index("inspect")
    known = [name for module, names in IMPORTS.items() if layer(module) == inspect for name in names if name in MODULES]

    assert known
    assert not [name for name in known if layer(name) in above]


def test_one_module_alone_imports_mpi4py() -> None:
    importers = {module for module, names in IMPORTS.items() if any(name.split(".")[0] == "mpi4py" for name in names)}

    assert importers == {"ezpyp.execution.mpi.transport"}


def test_importing_ezpyp_loads_nothing_heavy() -> None:
    assert not loaded_by("import ezpyp") & HEAVY


def test_a_serial_run_loads_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys, ezpyp
pipeline = ezpyp.Pipeline(sys.argv[1], "toy")
step = pipeline.step(lambda x: x, name="same")(1)
pipeline.execute()
assert step.get_result() == 1
"""

    assert not loaded_by(code, str(tmp_path / "cache")) & HEAVY


def test_inspect_steps_loads_click_and_rich_alone(tmp_path: Path) -> None:
    location = str(tmp_path / "cache")
    loaded_by("import sys, ezpyp\nezpyp.Pipeline(sys.argv[1], 'toy').execute()", location)

    code = """
import runpy, sys
sys.argv = ["ezpyp.inspect", sys.argv[1], "steps"]
try:
    runpy.run_module("ezpyp.inspect", run_name="__main__", alter_sys=True)
except SystemExit as done:
    assert not done.code, done.code
"""

    assert loaded_by(code, location) & HEAVY <= {"click", "rich"}


LOOKING = """
import contextlib, io, sys
import ezpyp.inspect.__main__ as command
for words in (["steps"], ["runs"], ["graph"], ["du"], ["log", "gamma"], []):
    sys.argv[2:] = words
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        command.main()
    assert out.getvalue(), words
"""


def test_who_looks_at_a_cache_loads_neither_what_hashes_nor_what_writes(tmp_path: Path) -> None:
    folder = build.finished(tmp_path / "cache").close()

    heavy = {"ezpyp.hashing", "ezpyp.steps", "ezpyp.store.index", "ezpyp.store.codecs", "pickle", "tempfile"}
    assert heavy.isdisjoint(loaded_by(LOOKING, str(folder)))


def test_no_banner_comments() -> None:
    banners = [
        f"{path}:{token.start[0]}"
        for path in [*FILES, *sorted((ROOT / "tests").rglob("*.py"))]
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        if token.type == tokenize.COMMENT and BANNER.match(token.string)
    ]

    assert not banners


def test_the_banner_rule_sees_banners() -> None:
    assert BANNER.match("# ---- reading ----")
    assert not BANNER.match("# --strict is mypy's")


def public_names() -> list[tuple[str, str]]:
    modules = [importlib.import_module(face) for face in ("ezpyp", "ezpyp.steps", "ezpyp.errors", "ezpyp.hashing")]
    return [(module.__name__, name) for module in modules for name in listed(module)]


def listed(module: ModuleType) -> list[str]:
    """A module's ``__all__``, else what it defines itself."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return list(getattr(module, "__all__", [name for name in own if not name.startswith("_")]))


@pytest.mark.parametrize(("module", "name"), public_names())
def test_every_public_name_has_a_docstring_with_an_example(module: str, name: str) -> None:
    value = getattr(importlib.import_module(module), name)
    if name == "__version__":  # a constant
        return

    assert (value.__doc__ or "").strip()
    # Errors differ by name and sentence, and the root of their tree shows the use.
    assert has_example(value) or (isinstance(value, type) and issubclass(value, Exception))


def has_example(value: object) -> bool:
    """Whether a docstring of the object, or of one of its methods, shows a use."""
    return any(">>>" in (part.__doc__ or "") for part in [value, *getattr(value, "__dict__", {}).values()])


def test_faces_list_what_type_checkers_are_told() -> None:
    promised = [
        (node.module, alias.name)
        for block in TREES[PACKAGE / "__init__.py"].body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]

    assert promised
    for home, name in promised:
        assert name in ezpyp.__all__
        assert getattr(ezpyp, name) is getattr(importlib.import_module(str(home)), name)
    with pytest.raises(AttributeError, match="module 'ezpyp' has no attribute 'nonsense'"):
        _ = ezpyp.nonsense
