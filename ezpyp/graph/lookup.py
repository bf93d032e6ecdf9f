"""Which step a person means by a name: the one rule that the face and ``ezpyp.inspect`` share.

A name is taken exactly first, then as a function's name with ``PARAM=VALUE``, then as a glob in which
brackets are literal, then as a prefix. The first of these that fits anything decides; several that fit are
an error.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from ezpyp.errors import UnknownStepError

LISTED = 10
# difflib costs about 10 us a name: a sweep of 100,000 steps must not make a typing error cost a second.
COMPARED = 2_000

ParamsOf = Callable[[str], Mapping[str, str]]
# An argument that is another step, perhaps a part of its result: what stands in the brackets of that one's name.
HANDED_DOWN = re.compile(r"TMP for [^\[]*\[(.*?)\](?=$|\[)", re.DOTALL)


def find_names(
    wanted: str,
    names: Collection[str],
    params: Mapping[str, str] | None = None,
    params_of: ParamsOf | None = None,
) -> str:
    """The one name among ``names`` that ``wanted`` means.

    An exact hit costs one membership test, so hand over a set or a dict where there are many names.

    Args:
        wanted: A step's name, its function's name, a glob or a prefix.
        names: The names there are.
        params: Parameter -> text of its value; the step must have them all, itself or in what its name or its
            upstreams' names say. Text is compared as it stands, then without quotes and as a number (``1e-3``
            finds ``0.001``).
        params_of: Name -> parameters of that step, as text; by default what stands in the name's brackets.

    Returns:
        One element of ``names``.

    Raises:
        UnknownStepError: Nothing fits, or more than one; it holds ``name`` and up to ten ``candidates``.

    Example:
        >>> names = {"alpha[x=1]", "alpha[x=2]", "gamma"}
        >>> find_names("gamma", names), find_names("alpha", names, {"x": "2"}), find_names("*[x=1]", names)
        ('gamma', 'alpha[x=2]', 'alpha[x=1]')
        >>> find_names("gama", names)
        Traceback (most recent call last):
        ...
        ezpyp.errors.UnknownStepError: there is no step 'gama'; did you mean 'gamma'?
    """
    params = params or {}
    if not params and wanted in names:
        return wanted
    spelled = _spelled(wanted, params)
    if params and spelled in names:
        return spelled
    candidates = _meant(wanted, names)
    if params:
        candidates = _with_params(candidates, params, params_of or params_in_name)
    if len(candidates) == 1:
        return candidates[0]
    raise _several(spelled, candidates) if candidates else _none(wanted, names, params)


def glob_names(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that a glob fits, in order: ``*`` is anything, ``?`` one character, brackets are literal.

    Example:
        >>> glob_names("al*[x=?]", ["alpha[x=1]", "alpha[x=10]", "beta[x=1]"])
        ['alpha[x=1]']
    """
    fits = re.compile(glob_regex(pattern), re.DOTALL).fullmatch
    return [name for name in names if fits(name)]


def glob_regex(pattern: str) -> str:
    r"""The regular expression of a glob whose brackets are literal.

    Example:
        >>> print(glob_regex("a*[x=?]"))
        a.*\[x=.\]
    """
    # fnmatch would read alpha[x=3] as "alpha and one character of x, =, 3".
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def params_in_name(name: str) -> dict[str, str]:
    """The parameters that stand in a name's brackets.

    Example:
        >>> params_in_name("fit[model=ridge,grid=(1, 2),seed=3]")
        {'model': 'ridge', 'grid': '(1, 2)', 'seed': '3'}
        >>> params_in_name("fit")
        {}
    """
    return _params_in_label(name.partition("[")[2].removesuffix("]"))


def _params_in_label(label: str) -> dict[str, str]:
    # A comma parts two parameters only where another "word=" follows: values hold commas of their own.
    parts = re.split(r",(?=[^\W\d]\w*=)", label)
    return {param: value for param, equals, value in (part.partition("=") for part in parts) if equals}


def _base(name: str) -> str:
    return name.partition("[")[0]


def _spelled(wanted: str, params: Mapping[str, str]) -> str:
    """The name that a call with exactly these parameters has."""
    inside = ",".join(f"{param}={value}" for param, value in params.items())
    return f"{wanted}[{inside}]" if inside else wanted


def _meant(wanted: str, names: Collection[str]) -> list[str]:
    """The names of the first reading that fits any."""
    by_function = [name for name in names if name == wanted or name.startswith(wanted + "[")]
    if by_function:
        return by_function
    if "*" in wanted or "?" in wanted:
        return glob_names(wanted, names)
    return [name for name in names if name.startswith(wanted)]


def _with_params(names: Sequence[str], params: Mapping[str, str], params_of: ParamsOf) -> list[str]:
    """The names whose steps have the parameters: of their own and letter by letter go first."""
    own = {name: [params_of(name)] for name in names}
    return _fitting(own, params) or _fitting(
        {name: [had, *_handed_down(name, had)] for name, (had,) in own.items()}, params
    )


def _fitting(having: Mapping[str, Sequence[Mapping[str, str]]], params: Mapping[str, str]) -> list[str]:
    for same in (str.__eq__, _is_same_value):
        if fitting := [name for name, sources in having.items() if _has_all(params, sources, same)]:
            return fitting
    return []


def _handed_down(name: str, had: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """What a step has from its upstreams: a label goes down into its name, or stands in the names of those."""
    yield params_in_name(name)
    for text in had.values():
        if upstream := HANDED_DOWN.match(text):
            yield _params_in_label(upstream[1])


def _has_all(params: Mapping[str, str], sources: Sequence[Mapping[str, str]], same: Callable[[str, str], bool]) -> bool:
    return all(
        any(param in source and same(source[param], asked) for source in sources) for param, asked in params.items()
    )


def _is_same_value(had: str, asked: str) -> bool:
    had, asked = _unquoted(had), _unquoted(asked)
    if had == asked:
        return True
    if had[:1] in ("(", "[", "{"):
        # Names have (1,2) where the record has (1, 2).
        return had.replace(" ", "") == asked.replace(" ", "")
    try:
        return float(had) == float(asked)
    except ValueError:
        return False


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _several(wanted: str, candidates: Sequence[str]) -> UnknownStepError:
    listed = tuple(candidates[:LISTED])
    more = len(candidates) - len(listed)
    return UnknownStepError(
        f"{wanted!r} fits {len(candidates)} steps: {', '.join(listed)}{f' and {more} more' if more else ''}; "
        "give the whole name, or enough PARAM=VALUE",
        name=wanted,
        candidates=listed,
    )


def _none(wanted: str, names: Collection[str], params: Mapping[str, str]) -> UnknownStepError:
    named = [name for name in names if _base(name) == wanted]
    close = tuple(named[:LISTED]) or tuple(_close(wanted, names))
    what = f"there is no step {_spelled(wanted, params)!r}"
    if named:
        message = f"{what}; {wanted!r} has {len(named)}: {', '.join(close)}{', ...' if len(named) > LISTED else ''}"
    elif close:
        message = f"{what}; did you mean {' or '.join(map(repr, close))}?"
    else:
        close = tuple(sorted({_base(name) for name in names})[:LISTED])
        message = f"{what}; there are {', '.join(close)}" if close else f"{what}; there are no steps at all"
    return UnknownStepError(message, name=wanted, candidates=close)


def _close(wanted: str, names: Collection[str]) -> list[str]:
    """Names like the one asked for: by function first, since a sweep has one and thousands of names."""
    from difflib import get_close_matches  # 5 ms at import, needed only for this error

    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(_base(name), []).append(name)
    functions = get_close_matches(_base(wanted), list(families)[:COMPARED], n=3)
    members = [name for function in functions for name in families[function]]
    if len(members) <= len(functions):
        return members
    return get_close_matches(wanted, members[:COMPARED], n=3, cutoff=0.5) or members[:3]
