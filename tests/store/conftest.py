"""The tests of the store run on the file system of the machine, or with ``EZPYP_TEST_FILE_SYSTEM=network``."""

import os

import pytest

from .network import Network


@pytest.fixture(autouse=True)
def _file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated network file system, where that was asked for."""
    kind = os.environ.get("EZPYP_TEST_FILE_SYSTEM", "local")
    assert kind in ("local", "network"), "EZPYP_TEST_FILE_SYSTEM is local or network"
    if kind == "network":
        Network(monkeypatch)
