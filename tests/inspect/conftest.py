"""Run the command in this process, and name the caches that most questions are put to."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from ezpyp.inspect.cli import cli
from tests.inspect import build


@dataclass(frozen=True)
class Answer:
    """What the command said, and with which exit code it ended."""

    out: str
    err: str
    code: int

    @property
    def rows(self) -> list[dict[str, object]]:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Ask = Callable[..., Answer]


@pytest.fixture
def ask() -> Ask:
    """``ask(cache, "steps", "--status", "failed")``; an exception that escapes fails the test."""

    def ask(cache: Path, *words: str, code: int = 0) -> Answer:
        result = CliRunner().invoke(cli, [str(cache), *words], prog_name="python -m ezpyp.inspect")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return Answer(result.stdout, result.stderr, result.exit_code)

    return ask


MAKERS = {
    "finished": build.finished,
    "failed": build.failed,
    "declared": build.declared,
    "killed": lambda folder: build.running(folder, build.dead_owner()),
}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of each kind, built once; tests get copies."""
    folder = tmp_path_factory.mktemp("built")
    for kind, make in MAKERS.items():
        make(folder / kind).close()
    return folder


@pytest.fixture
def finished(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "finished", tmp_path / "finished"))


@pytest.fixture
def failed(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "failed", tmp_path / "failed"))


@pytest.fixture
def declared(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "declared", tmp_path / "declared"))


@pytest.fixture
def killed(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "killed", tmp_path / "killed"))
