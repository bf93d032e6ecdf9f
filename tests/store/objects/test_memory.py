"""Storing and loading take the memory of one array."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.objects.tools import ROOT

PEAK = """
import sys
from multiprocessing.synchronize import Event
from pathlib import Path
import numpy as np
from ezpyp.store.codecs.encoded import encode_result, decode_result
from ezpyp.store.objects import ObjectStore
from tests.memory import peak_bytes as peak

location, codec, what, size = Path(sys.argv[1]), sys.argv[2], sys.argv[3], 64 * 1024 * 1024
store = ObjectStore(location)
store.publish(encode_result(np.ones(1_000_000), codec))
if what == "store":
    array = np.ones(size // 8)
    before = peak() - size
    encoded = encode_result(array if codec == "numpy" else {"x": array}, codec)
    store.publish(encoded)
    print(encoded.digest.hex(), encoded.suffix, encoded.size)
else:
    digest, suffix, number = sys.argv[4:]
    before = peak()
    value = decode_result(store.open(bytes.fromhex(digest), suffix, int(number)), codec, 1)
    array = value if codec == "numpy" else value["x"]
    assert array.sum() == size // 8
print((peak() - before) / size)
"""


@pytest.mark.parametrize("codec", ["numpy", "pickle"])
def test_storing_and_loading_take_the_memory_of_one_array(codec: str, tmp_path: Path) -> None:
    def run(*arguments: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(tmp_path), codec, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    *facts, stored = run("store")
    (loaded,) = run("load", *facts)

    assert float(stored) <= 1.1
    assert float(loaded) <= 1.1
