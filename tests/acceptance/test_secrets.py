"""Names that look like secrets: their values stand nowhere in a location, be it plain or compressed."""

import base64
import os
import re
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import pytest

import ezpyp

ROOT = Path(ezpyp.__file__).parent.parent
SECRETS = [f"hunter{number}xyzzy" for number in range(1, 10)]

SCRIPT = """
import os

from ezpyp import Pipeline, as_step

pipeline = Pipeline("cache", "study")
# As users do it: the secret comes from outside, and stands in no source.
one, two, three, four, five, six, seven, eight, nine = os.environ["SECRETS"].split()
API_TOKEN = five
SETTINGS = {"db": {"password": six, "host": "db"}}


class Client:
    def __init__(self, credential, url):
        self.credential, self.url = credential, url


class Defaults:
    secret = seven


@as_step(pipeline)
def fetch(url, token, retries=3):
    return len(token)

@as_step(pipeline)
def load(config, client, *rest, **options):
    return len(API_TOKEN) + len(SETTINGS["db"]["password"]) + len(Defaults.secret)

@as_step(pipeline)
def many(api_key, x=1):
    return x

@as_step(pipeline)
def after(password, value):
    return value

fetch("here", one)
fetched = load({"user": "me", "passwd": two, "deep": [{"apikey": two}]}, Client(three, "db"), 1, my_secret=four)
many.map([eight, eight + "z"], x=[1, 2])
after(nine.encode(), value=fetched)
pipeline.execute(output="none")
"""


def run(folder, *secrets, code=0):
    return launched(folder, SCRIPT, code=code, SECRETS=" ".join(secrets))


def launched(folder, script, *words, code=0, **more):
    """What a script printed that ended with this code."""
    (folder / "study.py").write_text(script)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EZPYP_")}
    done = subprocess.run(
        [sys.executable, "study.py", *words], cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)} | more,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def everything(location):
    """Every byte of a location, and what its compressed columns hold."""
    for path in location.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f"SELECT * FROM {table}"):
                yield from ((table, _unpacked(value)) for value in row if isinstance(value, bytes))


def _unpacked(value):
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def spellings(secret):
    return [secret.encode(), secret.encode().hex().encode(), base64.b64encode(secret.encode())]


@pytest.fixture(scope="module")
def location(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets")
    run(folder, *SECRETS)
    return folder / "cache"


def test_no_secret_and_no_beginning_of_one_stands_anywhere_in_a_location(location):
    parts = [b"hunter", b"hunter".hex().encode(), *(text for secret in SECRETS for text in spellings(secret))]
    assert not [(where, part) for where, data in everything(location) for part in parts if part in data]


def test_what_is_no_secret_stands_there(location):
    data = b"".join(data for _, data in everything(location))
    assert all(text in data for text in (b"here", b"'user'", b"<secret> #"))


def test_secret_in_a_steps_name_is_a_digest(location):
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM steps WHERE name LIKE 'many%'")]
    assert len(names) == 2
    assert all(re.fullmatch(r"many\[api_key=[0-9a-f]{8}(,x=2)?\]", name) for name in names)


def test_step_is_found_by_its_secret_all_the_same(location):
    cache = ezpyp.open_cache(location)
    assert cache.get_result("many", api_key=SECRETS[7]) == 1
    assert cache.get_result("many", api_key=SECRETS[7] + "z") == 2
    with pytest.raises(ezpyp.errors.UnknownStepError, match="many") as caught:
        cache.get_result("many", api_key="hunter0")
    assert "<secret>" in str(caught.value)


def test_conflict_and_why_say_that_a_secret_changed_and_not_which(tmp_path):
    run(tmp_path, *SECRETS)
    others = [secret.replace("hunter", "gopher") for secret in SECRETS]
    said = run(tmp_path, *others, code=1)
    assert "argument token changed (<secret>)" in said
    assert "argument config['passwd'] changed (<secret>)" in said
    assert "argument client.credential changed (<secret>)" in said
    assert "argument options['my_secret'] changed (<secret>)" in said
    assert "gopher" not in said
    assert "hunter" not in said
    assert "global SETTINGS['db']['password'] (study.py:10) changed (<secret>)" in said


MIXED = """
import sys
from ezpyp import File, Pipeline, as_step

pipeline = Pipeline("cache", "mixed")
TOKEN = sys.argv[1]
CONFIG = {"token": sys.argv[1], "lr": float(sys.argv[2])}
DATA = File("data.txt")


@as_step(pipeline)
def use(file):
    return len(CONFIG["token"]) * CONFIG["lr"], TOKEN, open(DATA).read(), len(sys.argv)

use(File("data.txt"))
pipeline.execute(output="none")
"""
PASSED = ("t0psecret1", "t0psecret2", "t0psecret3", "t0psecret4")


def mixed(folder, *words, code=0):
    words = [*words, f"--api-token={PASSED[0]}", "--password", PASSED[1], "-q", f"db_password={PASSED[2]}"]
    return launched(folder, MIXED, *words, f"postgres://me:{PASSED[3]}@host/db", "--tokens", "--lr=3", code=code)


def test_a_changed_secret_is_told_beside_another_change(tmp_path):
    (tmp_path / "data.txt").write_text("one")
    mixed(tmp_path, "abc", "0.1")
    (tmp_path / "data.txt").write_text("two")

    said = mixed(tmp_path, "abd", "0.2", code=1)

    for cause in (
        "global CONFIG['token'] (study.py:7) changed (<secret>)",
        "global CONFIG['lr'] (study.py:7) 0.1 -> 0.2",
        "global TOKEN (study.py:6) changed (<secret>)",
        "global DATA (study.py:8) changed (<File> 'data.txt')",
        "argument file changed (<File> 'data.txt')",
    ):
        assert cause in said
    unchanged = mixed(tmp_path, "abc", "0.2", code=1)
    assert "CONFIG['lr']" in unchanged
    assert "(a secret" not in unchanged


def test_no_secret_of_the_command_line_stands_anywhere_in_a_location(tmp_path):
    (tmp_path / "data.txt").write_text("one")
    mixed(tmp_path, "abc", "0.1")
    location = tmp_path / "cache"

    data = [(where, data) for where, data in everything(location)]

    assert not [where for where, data in data for secret in PASSED for text in spellings(secret) if text in data]
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
        ((command,),) = connection.execute("SELECT command FROM runs").fetchall()
    assert "study.py abc 0.1 --api-token=<secret> --password <secret> -q db_password=<secret>" in command
    assert command.endswith(" postgres://me:<secret>@host/db --tokens --lr=3")
