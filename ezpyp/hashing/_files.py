"""Whether a result names files: then their content may change although the result does not."""

import os
import sys
import time
from collections.abc import Collection
from itertools import islice

# Few names are asked for one by one; many are looked up in listings of their folders.
_FEW = 32
_LONGEST = 4096
# Reading a longer listing takes more than it saves.
_MOST = 10_000
# A folder may change again within a tick of its file system's clock.
_RACY_NS = 2_000_000_000
# Elsewhere "DATA.CSV" may name data.csv.
_NAMES_ARE_EXACT = sys.platform == "linux"


# A result that bears such a name is most likely written by the step, wherever that is.
_ENDINGS = (
    "arrow avro bam bed bz2 ckpt csv dat db feather fits gz h5 hdf hdf5 ipc jpeg jpg json jsonl log mat nc nc4 ndjson "
    "npy npz onnx orc parquet pdf pickle pkl png pt pth safetensors sqlite svg tar tif tiff toml tsv txt vtk vtu xls "
    "xlsx xml xyz xz yaml yml zarr zip zst"
)
_DATA_FILES = frozenset(_ENDINGS.split())
_LONGEST_ENDING = 12
_LONGEST_NAME = 256


class Anything:
    """Stands for texts that are not looked at one by one: any of them may name a file."""


def name_existing_files(parts: Collection[object]) -> bool:
    """Tell whether a Path is among ``parts``, or a text that names something that exists or ends as data files do.

    ``open(folder / "t.csv")`` finds what no look from the working folder does.
    """
    names: set[str] = set()
    for part in parts:
        if type(part) is not str and not isinstance(part, str | bytes):
            return True
        if 0 < len(part) < _LONGEST:
            name = part if isinstance(part, str) else os.fsdecode(part)
            if "." in name[-_LONGEST_ENDING:] and _is_data_file(name):
                return True
            names.add(name)
    listed = _HERE.names() if len(names) > 1 else None
    if listed is not None:
        if not listed.isdisjoint(names):
            return True
        names = {name for name in names if os.sep in name}
    if len(names) <= _FEW:
        return any(map(os.path.lexists, names))
    return _any_listed(names)


def _is_data_file(name: str) -> bool:
    ending = name.rpartition(".")[2]
    return ending.lower() in _DATA_FILES and len(name) < _LONGEST_NAME and not any(map(str.isspace, name))


class _Here:
    """The working folder's listing: one stat tells that it still holds, where each name would take one of its own."""

    def __init__(self) -> None:
        self._state: tuple[int, ...] = ()
        self._names: frozenset[str] | None = None

    def names(self) -> frozenset[str] | None:
        """Names in the working folder; None where it is large or was changed a moment ago."""
        if not _NAMES_ARE_EXACT:
            return None
        try:
            found = os.stat(".")
        except OSError:
            return None
        state = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
        if state != self._state:
            if time.time_ns() - max(state[2:]) < _RACY_NS:
                return None
            self._names = _short_listing()
            self._state = state
        return self._names


def _short_listing() -> frozenset[str] | None:
    try:
        with os.scandir(".") as entries:
            names = [entry.name for entry in islice(entries, _MOST + 1)]
    except OSError:
        return None
    return frozenset((*names, ".", "..")) if len(names) <= _MOST else None


_HERE = _Here()


def _any_listed(names: Collection[str]) -> bool:
    listings: dict[str, frozenset[str]] = {}
    for name in names:
        folder, last = os.path.split(name)
        if folder not in listings:
            listings[folder] = _listing(folder)
        if last in listings[folder] or (not last and os.path.lexists(name)):
            return True
    return False


def _listing(folder: str) -> frozenset[str]:
    try:
        return frozenset((*os.listdir(folder or "."), ".", ".."))
    except (OSError, ValueError):
        return frozenset()
