"""How numbers, times and foreign text look on one line."""

import re
import shlex
from datetime import datetime

# Control characters could clear a terminal or forge a line; so could bidirectional overrides. Lone surrogates
# cannot be written at all.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_BLOCK = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "surrogatepass").decode()


def one_line(text: str) -> str:
    r"""Text with everything visible on one line.

    Example:
        >>> one_line("a\nb\x1b[2J")
        'a\\nb\\x1b[2J'
    """
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escaped, text)


def block(text: str) -> str:
    r"""Text of several lines, without control characters but line ends and tabs.

    Example:
        >>> block("a\n\tb\x1b[2J")
        'a\n\tb\\x1b[2J'
    """
    return _UNSAFE_IN_BLOCK.sub(_escaped, text)


def duration(seconds: float | None) -> str:
    """Seconds in the unit that suits them.

    Example:
        >>> [duration(s) for s in (None, 0.0000123, 0.0123, 1.5, 75, 4000, 90000)]
        ['-', '12 us', '12.3 ms', '1.50 s', '1 min 15 s', '1 h 06 min', '1 d 01 h']
    """
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    for upper, whole, big, small in ((3600, 60, "min", "s"), (86400, 3600, "h", "min")):
        if seconds < upper:
            rest = int(seconds % whole * 60 / whole)
            return f"{int(seconds // whole)} {big} {rest:0{1 if small == 's' else 2}d} {small}"
    return f"{int(seconds // 86400)} d {int(seconds % 86400 // 3600):02d} h"


def size(count: int | None) -> str:
    """Bytes in the unit that suits them.

    Example:
        >>> [size(n) for n in (None, 5, 1023, 2048, 5_000_000)]
        ['-', '5 B', '1023 B', '2.0 KiB', '4.8 MiB']
    """
    if count is None:
        return "-"
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} PiB"


def moment(unix_s: float | None) -> str:
    """A time in the reader's own zone, to the second; ``-`` for none."""
    return "-" if unix_s is None else datetime.fromtimestamp(unix_s).isoformat(" ", "seconds")


def count(number: int, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> count(1, "step"), count(1200, "step")
        ('1 step', '1200 steps')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def typed(name: str) -> str:
    r"""A name as it can be typed or pasted on a command line, where a verb finds it again.

    Example:
        >>> typed("fit[x=1]"), typed("--help"), typed("a\x1bb")
        ("'fit[x=1]'", '-- --help', "'a\\x1bb'")
    """
    return f"{'-- ' if name.startswith('-') else ''}{shlex.quote(one_line(name))}"
