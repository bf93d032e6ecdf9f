"""What storing and loading costs: a large array beside np.save, many small steps in files and bytes.

Ratios are taken side by side in one run: on a busy machine compare them, not the milliseconds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

import ezpyp
from ezpyp.store.codecs.encoded import Encoded, decode_result, encode_result
from ezpyp.store.objects import ObjectStore

MIB = 1024 * 1024


def main(argv: Sequence[str]) -> int:
    """Print a line for each measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks store", description=__doc__)
    parser.add_argument("--mib", type=int, default=256, help="size of the array (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100_000, help="small steps (default: %(default)s)")
    parser.add_argument("--files", type=int, default=1_000, help="results of 100 kB (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="take the best of so many (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="measure here (default: the system's temporary folder)")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        if options.peak:
            _store_and_load(Path(name), options.mib)
            return 0
        _large(Path(name), options.mib, options.repeat)
        _memory(options.mib, options.folder)
        _many(Path(name), "small steps", options.steps, 0)
        _many(Path(name), "results of 100 kB", options.files, 100_000)
    return 0


def _large(folder: Path, mib: int, repeat: int) -> None:
    array = np.arange(mib * MIB // 8, dtype="f8")
    stores = iter(range(1000))

    def store() -> None:
        ObjectStore(folder / str(next(stores))).publish(encode_result(array, "numpy"))

    def save() -> None:
        np.save(folder / f"{next(stores)}.npy", array)

    for number in range(2 * repeat):
        (folder / str(number)).mkdir()
    # In turn, so that both meet the same disk.
    stored, saved = zip(*[(_ms(store), _ms(save)) for _ in range(repeat)], strict=True)
    ratio = min(stored) / min(saved)
    print(f"store {mib} MiB          {min(stored):8.1f} ms, np.save {min(saved):.1f} ms: {ratio:.2f} of it")
    encoded = encode_result(array, "numpy")
    objects = ObjectStore(folder / "0")
    for verify, told in ((False, "not verified"), (True, "verified")):
        times = [_ms(partial(_touch, objects, encoded, verify)) for _ in range(repeat)]
        print(f"load, touch one page   {min(times):8.1f} ms, {told}")


def _touch(objects: ObjectStore, encoded: Encoded, verify: bool) -> None:
    data = objects.open(encoded.digest, encoded.suffix, encoded.size, verify=verify)
    array = decode_result(data, encoded.codec, encoded.version)
    assert isinstance(array, np.ndarray)
    array[0] += 1


def _ms(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def _memory(mib: int, folder: Path | None) -> None:
    """In a process of its own: the peak of this one is known already."""
    place = [] if folder is None else ["--folder", str(folder)]
    command = [sys.executable, "-m", "benchmarks", "store", "--peak", "--mib", str(mib), *place]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


def _store_and_load(folder: Path, mib: int) -> None:
    _touch_small(folder)  # what is imported on the way is no matter of the array
    before = _peak_mib()
    array = np.ones(mib * MIB // 8)
    encoded = encode_result(array, "numpy")
    objects = ObjectStore(folder)
    objects.publish(encoded)
    stored = (_peak_mib() - before) / mib
    del array
    encoded.pieces = ()
    _touch(objects, encoded, True)
    print(
        f"peak memory            {stored:8.2f} of the array to store, {(_peak_mib() - before) / mib:.2f} with loading"
    )


def _touch_small(folder: Path) -> None:
    encoded = encode_result(np.zeros(MIB), "numpy")
    objects = ObjectStore(folder)
    objects.publish(encoded)
    _touch(objects, encoded, True)


def _peak_mib() -> float:
    # Not ru_maxrss, which a new process takes over from the one that started it.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def _many(folder: Path, what: str, count: int, size: int) -> None:
    location = folder / what
    pipeline = ezpyp.Pipeline(location, "many")

    def result(x: int) -> object:
        return os.urandom(size) if size else 2 * x

    pipeline.step(result).map(range(count))
    seconds = pipeline.execute(output="none", check=True).seconds
    files = [path for path in location.rglob("*") if path.is_file()]
    sizes = {path.name: path.stat().st_size / 1e6 for path in files if path.parent == location}
    exports = sum(size for name, size in sizes.items() if name.startswith("pipeline."))
    print(
        f"{count} {what}: {len(files)} files; index {sizes['ezpyp.sqlite']:.1f} MB, "
        f"exports for people {exports:.1f} MB; {seconds / count * 1e6:.0f} us each"
    )
