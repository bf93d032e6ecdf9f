"""Folders that import on demand give what type checkers are told, and spare those who only look at a cache the rest."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).absolute().parents[1]


@pytest.mark.parametrize("folder", ["ezpyp"])
def test_a_name_leads_where_type_checkers_think_it_does(folder):
    package = import_module(folder)
    promised = list(imports_for_type_checkers(Path(package.__file__ or "")))

    assert promised
    for home, name in promised:
        assert name in package.__all__
        assert getattr(package, name) is getattr(import_module(home), name)
    with pytest.raises(AttributeError, match=f"module '{folder}' has no attribute 'nonsense'"):
        _ = package.nonsense


def imports_for_type_checkers(file: Path):
    for block in ast.parse(file.read_text()).body:
        if isinstance(block, ast.If):
            for statement in block.body:
                assert isinstance(statement, ast.ImportFrom)
                yield from ((statement.module, name.asname or name.name) for name in statement.names)


LOADED = """
import contextlib, io, sys
import ezpyp.inspect.cli as command
for words in (["steps"], ["runs"], ["graph"], ["du"], ["log", "gamma"], []):
    sys.argv[2:] = words
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        command.main()
    assert out.getvalue(), words
print(*sys.modules)
"""


def test_who_looks_at_a_cache_loads_neither_what_hashes_nor_what_writes(tmp_path):
    from tests.inspect import build

    folder = build.finished(tmp_path / "cache").close()

    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )

    heavy = {"ezpyp.hashing", "ezpyp.steps", "ezpyp.store.index", "ezpyp.store.codecs", "pickle", "tempfile"}
    assert heavy.isdisjoint(done.stdout.split())
