"""Whether somebody else could have written what would be unpickled."""

import os
import shlex
import stat
from pathlib import Path

from ezpyp.errors import UntrustedCacheError

_GUARDED = ("", "objects", "ezpyp.sqlite", "ezpyp.sqlite-wal", "ezpyp.sqlite-journal")


def check_trust(location: Path, *, trust: bool = False) -> None:
    """Refuse a location whose pickles somebody else could have written: loading one runs its code.

    Fine is what belongs to this user or to root (who can do anything anyway), and what a group may write. The
    folders above do not matter: whoever replaces the location owns the new one.

    Args:
        location: The folder of a cache; one that does not exist is fine.
        trust: Whether the user says that it is to be trusted.

    Raises:
        UntrustedCacheError: Folder, objects or index belong to somebody else, or can be written by everybody.

    Example:
        >>> check_trust(Path("my_cache"))
    """
    for name in _GUARDED:
        path = location / name
        try:
            status = path.stat()
        except OSError:
            continue
        check_owner(str(path), status, location, trust=trust)


def check_owner(path: str, status: os.stat_result, location: Path, *, trust: bool = False) -> None:
    """The same for one file or folder inside the location, by what the system tells of it.

    Raises:
        UntrustedCacheError: It belongs to somebody else, or can be written by everybody.
    """
    # A sticky folder too: everybody may put a file into it, though not replace one.
    is_open = bool(status.st_mode & stat.S_IWOTH)
    if status.st_uid in (os.geteuid(), 0) and not is_open:
        return
    if trust or os.environ.get("EZPYP_TRUST") == "1" or is_trusted(location):
        return
    who = f"can be written by everybody (mode {stat.S_IMODE(status.st_mode):o})" if is_open else _owner(status.st_uid)
    raise UntrustedCacheError(
        f"{path} {who}: loading a result would run whatever code was put there. If you trust everybody who "
        f"could have written it, say so once with: {trust_command(location)}   "
        "(for one run: EZPYP_TRUST=1, or trust=True)",
        path=path,
        location=str(location),
    )


def trust_command(location: Path) -> str:
    """The command that trusts a location for good."""
    return f"python -m ezpyp.inspect {shlex.quote(str(location))} trust"


def _owner(uid: int) -> str:
    import pwd

    try:
        return f"belongs to {pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"belongs to uid {uid}"


def trust_for_good(location: Path) -> Path:
    """Remember, in a file of this user's, that a location is to be trusted under its present owner.

    Returns:
        The file.

    Raises:
        OSError: There is no such location, or the file cannot be written.
        ValueError: The location's name holds a line break.
    """
    entry = _entry(location)
    if "\n" in entry:
        raise ValueError(f"a location whose name holds a line break cannot be listed: {entry!r}")
    path = _list_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    entries = _entries()
    if entry not in entries:
        new = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        new.write_text("".join(f"{line}\n" for line in [*entries, entry]), errors="surrogateescape")
        new.replace(path)
    return path


def is_trusted(location: Path) -> bool:
    """Whether the location is on this user's list, and still its owner's of then."""
    try:
        return _entry(location) in _entries()
    except OSError:
        return False


def _entry(location: Path) -> str:
    # With the owner: a name in a shared folder may be somebody else's tomorrow.
    real = location.resolve(strict=True)
    return f"{real.stat().st_uid} {real}"


def _entries() -> list[str]:
    path = _list_path()
    try:
        # A list that somebody else wrote says nothing about what this user trusts.
        if path.stat().st_uid != os.geteuid():
            return []
        return path.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []


def _list_path() -> Path:
    """Where the XDG base directory specification puts it."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(config, "ezpyp", "trusted")
