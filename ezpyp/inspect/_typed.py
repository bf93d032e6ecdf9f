"""Names as they are typed on a command line."""

import shlex

from ezpyp.inspect._text import one_line


def typed(name: str) -> str:
    r"""A name as it can be typed or pasted on a command line, where a verb finds it again.

    Example:
        >>> typed("fit[x=1]"), typed("--help"), typed("a\x1bb")
        ("'fit[x=1]'", '-- --help', "'a\\x1bb'")
    """
    return f"{'-- ' if name.startswith('-') else ''}{shlex.quote(one_line(name))}"
