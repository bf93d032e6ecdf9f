"""Run the command in this process, and name the caches that most questions are put to."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ezpyp.inspect.__main__ import cli
from tests.inspect import build


@dataclass(frozen=True)
class Answer:
    """What the command printed."""

    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Ask:
    """``ask(cache, "steps", "--status", "failed")``; an exception that escapes fails the test."""

    def __call__(self, cache: Path, *words: str, code: int = 0) -> Answer:
        result = CliRunner().invoke(cli, [str(cache), *words], prog_name="python -m ezpyp.inspect")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return Answer(result.stdout, result.stderr)

    def json(self, cache: Path, *words: str, code: int = 0) -> Any:
        return json.loads(self(cache, *words, "--format", "json", code=code).out)

    def names(self, cache: Path, *words: str) -> list[str]:
        """Names of steps."""
        return [row["name"] for row in self.json(cache, "steps", *words)]


@pytest.fixture
def ask() -> Ask:
    return Ask()


@pytest.fixture(autouse=True)
def _own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


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


def copy_of(kind: str):
    @pytest.fixture(name=kind)
    def copied(built: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(built / kind, tmp_path / kind))

    return copied


finished, failed, declared, killed = map(copy_of, MAKERS)


@pytest.fixture(scope="session")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which beta fails and gamma is skipped, so that every view has rows."""
    return build.run(tmp_path_factory.mktemp("failing"), build.FAILING)
