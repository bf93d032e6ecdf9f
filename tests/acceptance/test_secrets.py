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
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EZPYP_")}
    environment |= {"PYTHONPATH": str(ROOT), "SECRETS": " ".join(secrets)}
    (folder / "study.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "study.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
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


def test_no_secret_stands_anywhere_in_a_location(location):
    found = {
        (where, secret) for where, data in everything(location) for secret in SECRETS
        for spelled in spellings(secret) if spelled in data
    }  # fmt: skip
    assert not found


def test_prefixes_of_secrets_do_not_either(location):
    assert not [where for where, data in everything(location) if b"hunter" in data or b"hunter".hex().encode() in data]


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
    assert "argument token changed (a secret, known by its digest only)" in said
    assert "argument config['passwd'] changed (a secret, known by its digest only)" in said
    assert "argument client.credential (Client) changed (a secret" in said
    assert "argument options['my_secret'] changed (a secret" in said
    assert "gopher" not in said
    assert "hunter" not in said
