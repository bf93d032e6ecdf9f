"""The house itself: layers, what an import loads, comments and docstrings."""

import ast
import importlib
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import ezpyp

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ezpyp"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    "version",
    "errors",
    "describe",
    "hashing",
    "store",
    "explain",
    "steps",
    "graph",
    "schema",
    "execution",
    "pipeline",
    "inspect",
    "",
)
"""From the ground up; a layer imports from itself and from below. The empty name is ``ezpyp/__init__.py``."""

HEAVY = {"numpy", "mpi4py", "click", "rich", "sqlite_utils", "pandas", "sklearn", "matplotlib", "pytest"}

BANNER = re.compile(r"#\W*([-=#*~_─═])\1{3,}")


def module_name(path: Path) -> str:
    """``ezpyp.store.objects`` of its file; a folder's name for its ``__init__.py``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> str:
    """The room that a module stands in: the part of its name after ``ezpyp``."""
    return module.split(".")[1] if "." in module else ""


def nodes(tree: ast.AST, *, types: bool) -> Iterator[ast.AST]:
    """Every node below; without `types`, what stands under ``if TYPE_CHECKING`` is left out."""
    for node in ast.iter_child_nodes(tree):
        if not types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from nodes(node, types=types)


def imported(path: Path, *, types: bool = True) -> Iterator[str]:
    """Every module that a file imports, also inside functions."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in nodes(ast.parse(path.read_text()), types=types):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                submodule = f"{module}.{alias.name}"
                yield submodule if submodule in MODULES else module


MODULES = {module_name(path) for path in FILES}

IMPORTS = {module_name(path): sorted(set(imported(path))) for path in FILES}


def is_ours(module: str) -> bool:
    return module == "ezpyp" or module.startswith("ezpyp.")


def loaded_by(code: str, *arguments: str) -> set[str]:
    """Top-level names of the modules in a fresh process after `code`."""
    printing = f"{code}\nimport sys\nprint('LOADED', *{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", printing, *arguments],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_stands_in_a_layer(module: str) -> None:
    assert layer(module) in LAYERS


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_goes_upward(module: str) -> None:
    upward = [
        name for name in IMPORTS[module] if is_ours(name) and LAYERS.index(layer(name)) > LAYERS.index(layer(module))
    ]

    assert not upward


def test_no_cycle_of_modules() -> None:
    # Two classes of one folder may name each other in their types; layers may not, see above.
    inside = {module_name(path): {*imported(path, types=False)} & MODULES for path in FILES}

    try:
        TopologicalSorter(inside).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("module", sorted(name for name in MODULES if layer(name) == "inspect"))
def test_inspect_knows_neither_execution_nor_the_face(module: str) -> None:
    assert not [name for name in IMPORTS[module] if is_ours(name) and layer(name) in {"execution", "pipeline", ""}]


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


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=str)
def test_no_banner_comments(path: Path) -> None:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)

    assert not [token.line for token in tokens if token.type == tokenize.COMMENT and BANNER.match(token.string)]


def test_the_banner_rule_sees_banners() -> None:
    assert BANNER.match("# ---- reading ----")
    assert not BANNER.match("# --strict is mypy's")


def public_names() -> list[tuple[str, str]]:
    rooms = ("ezpyp", "ezpyp.steps", "ezpyp.errors")
    modules = [importlib.import_module(room) for room in rooms]
    return [(module.__name__, name) for module in modules for name in listed(module)]


def listed(module: ModuleType) -> list[str]:
    """A module's ``__all__``, else what it defines itself."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return list(getattr(module, "__all__", [name for name in own if not name.startswith("_")]))


def documented(value: object) -> bool:
    """Whether a docstring can be asked of it: modules, classes and functions, no constants."""
    return callable(value) or isinstance(value, ModuleType)


@pytest.mark.parametrize(("module", "name"), public_names())
def test_every_public_name_has_a_docstring_with_an_example(module: str, name: str) -> None:
    value = getattr(importlib.import_module(module), name)
    if not documented(value):
        return

    assert (value.__doc__ or "").strip()
    # Errors differ by name and sentence, and the root of their tree shows the use. What ``ezpyp.steps`` lists
    # beyond the names of ``ezpyp`` itself is for the layers above it.
    is_error = isinstance(value, type) and issubclass(value, Exception)
    assert is_error or name not in ezpyp.__all__ or has_example(value)


def has_example(value: object) -> bool:
    """Whether a docstring of the object, or of one of its methods, shows a use."""
    return any(">>>" in (part.__doc__ or "") for part in [value, *vars(value).values()])
