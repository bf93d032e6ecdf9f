"""Damage a small cache, one byte or one file at a time, and check that no wrong value ever comes back.

By hand: ``python -m tests.acceptance.flipping --count 2000 --seed 1``. Each trial takes a fresh copy of one small
cache, spoils it, asks for every result, runs the script again, and asks once more. Right is: the value that was
stored, or an error of ezpyp's own; and after the rerun every value, or an error that says what to do.
"""

import argparse
import gc
import random
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ezpyp
from ezpyp import Pipeline, open_cache
from ezpyp.errors import EzpypError

VALUES: dict[str, object] = {
    "alpha[x=1]": 1,
    "alpha[x=2]": "two",
    "alpha[x=3]": [3.5, None],
    "large": [b"large" * 5_000],
    "beta": 3,
    "listed": {"k": [1, 2]},
    "gamma": [b"large" * 5_000, 3],
}


def execute(location: Path) -> Pipeline:
    """Run the script whose cache is damaged."""
    pipeline = Pipeline(location, "flips")

    @ezpyp.as_pickle_step(pipeline)
    def alpha(x: int) -> object:
        return {1: 1, 2: "two", 3: [3.5, None]}[x]

    @ezpyp.as_pickle_step(pipeline)
    def large() -> object:
        return [b"large" * 5_000]

    @ezpyp.as_cloudpickle_step(pipeline)
    def beta(parts: list[object]) -> object:
        return len(parts)

    @ezpyp.as_step(pipeline, codec="json")
    def listed() -> object:
        return {"k": [1, 2]}

    @ezpyp.as_pickle_step(pipeline)
    def gamma(first: list[bytes], second: int) -> object:
        return [first[0], second]

    gamma(large(), beta(list(alpha.map([1, 2, 3]))))
    listed()
    pipeline.execute(output="none")
    return pipeline


@dataclass(frozen=True, slots=True)
class Spoil:
    """One damage: which file of the cache, and what is done to it."""

    file: str
    what: str
    offset: int = 0
    mask: int = 0

    def __call__(self, location: Path) -> None:
        """Do it."""
        path = location / self.file
        path.chmod(0o644)
        data = bytearray(path.read_bytes())
        if self.what == "flip":
            data[self.offset] ^= self.mask
            path.write_bytes(data)
            return
        path.unlink()
        if self.what == "folder":
            path.mkdir()
        elif self.what != "delete":
            path.write_bytes(data[: len(data) // 2] if self.what == "truncate" else b"")

    def __str__(self) -> str:
        return f"{self.what} {self.file}" + (f" byte {self.offset} ^ {self.mask:#04x}" if self.what == "flip" else "")


def asked(ask: Callable[..., object], *, complete: bool) -> Iterator[str]:
    """Ask for every result; say which are wrong, or raise what is no error of ezpyp; or any, if they must be there.

    By name, and by parameters: those that are one bit away from what was declared must find nothing.
    """
    questions: list[tuple[str, dict[str, int]]] = [(name, {}) for name in VALUES]
    questions += [("alpha", {"x": x}) for x in range(10)]
    for name, params in questions:
        label = "".join([name, *(f"[{key}={value}]" for key, value in params.items())])
        try:
            found = ask(name, **params)
        except EzpypError as error:
            if complete and label in VALUES and ".recover" not in str(error):
                yield f"{label} after the rerun: {type(error).__name__}: {error}"
        except Exception as error:
            yield f"{label}: {type(error).__name__}: {error}"
        else:
            value = VALUES.get(label, EzpypError)
            if found != value or type(found) is not type(value):
                yield f"{label}: a wrong value: {found!r:.60}"


def trial(template: Path, folder: Path, spoil: Spoil) -> list[str]:
    """Say what went wrong when a copy of a cache was spoilt."""
    location = folder / "cache"
    shutil.rmtree(location, ignore_errors=True)
    shutil.copytree(template, location)
    spoil(location)
    problems: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems += _read(location)
        problems += _rerun(location)
    gc.collect()  # connections that an error left open
    return [f"{spoil}: {problem}" for problem in problems]


def _read(location: Path) -> list[str]:
    try:
        cache = open_cache(location)
    except EzpypError:
        return []
    except Exception as error:
        return [f"open_cache: {type(error).__name__}: {error}"]
    return list(asked(cache.get_result, complete=False))


def _rerun(location: Path) -> list[str]:
    for _ in range(3):
        try:
            pipeline = execute(location)
        except EzpypError as error:
            problems = [f"the rerun: {type(error).__name__}: {error}"]
            if re.search(r"run( the pipeline)? again(?! once)", str(error)):
                continue  # it asks for nothing else, so that has to help
            # What else to do stands in the message; here it has to say anything at all.
            return [] if len(str(error)) > 40 else problems
        except Exception as error:
            return [f"the rerun: {type(error).__name__}: {error}"]
        # A damaged result that nobody needed is found by asking for it: the next run mends it.
        problems = list(asked(pipeline.get_result, complete=True))
        if not problems or any("wrong value" in problem for problem in problems):
            return problems
    return [f"three reruns did not mend it: {problems}"]


def template_in(folder: Path) -> Path:
    """A whole cache, to be copied."""
    execute(folder / "template")
    gc.collect()
    return folder / "template"


def files_of(template: Path) -> list[str]:
    """Every file of a cache."""
    return sorted(str(path.relative_to(template)) for path in template.rglob("*") if path.is_file())


def flips(template: Path, count: int, seed: int) -> Iterator[Spoil]:
    """Random flips: half of them in the index, the others in the objects."""
    draw = random.Random(seed)
    files = [name for name in files_of(template) if not name.startswith("pipeline.")]
    objects = [name for name in files if name.startswith("objects")]
    for number in range(count):
        name = "ezpyp.sqlite" if number % 2 else draw.choice(objects)
        data = (template / name).read_bytes()
        # Most of an index's pages are empty: three of four flips are where something is written.
        offset = draw.randrange(len(data))
        while number % 4 and data[offset] == 0:
            offset = draw.randrange(len(data))
        yield Spoil(name, "flip", offset, 1 << draw.randrange(8))


def whole_files(template: Path) -> Iterator[Spoil]:
    """Every file truncated, emptied, deleted, replaced by a folder."""
    for name in files_of(template):
        for what in ("truncate", "empty", "delete", "folder"):
            yield Spoil(name, what)


def main() -> int:
    """Run trials and print what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        template = template_in(Path(name))
        bad = 0
        for spoil in [*whole_files(template), *flips(template, options.count, options.seed)]:
            problems = trial(template, Path(name), spoil)
            bad += bool(problems)
            for problem in problems:
                print(problem, flush=True)
    print(f"{bad} of {options.count} flips, and of every file spoilt as a whole, went wrong")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
