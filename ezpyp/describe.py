"""Short text of a value for people, without running any of the user's code."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, ModuleType

# Names whose values are never written down: only their digests are.

SECRET = "<secret>"
"""What stands in the place of such a value."""

_WORDS = ("token", "secret", "password", "passwd", "apikey", "privatekey", "accesskey", "credential", "bearer")
# Shorter ones are a secret only by themselves: an author is none.
_WHOLE = frozenset({"pwd", "auth", "authorization", "passphrase"})
_SEPARATORS = re.compile(r"[\s_.\-]+")
# In a command line: --token=abc, password=abc, "Authorization: Bearer abc"; ?token=abc&, {"token": "abc"}; user:abc@.
_WHOLE_WORD = re.compile(r"([\w.+\-]+)(\s*[=:]\s*)(.+)", re.DOTALL)
_INSIDE = re.compile(r"""([\w.\-]+)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&}]+)""")
_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")


def is_secret(name: object) -> bool:
    """Tell whether a parameter, a global, an attribute or a key of a dictionary looks like a secret.

    Args:
        name: The name; of a tuple each part counts, bytes count as their text.

    Example:
        >>> [name for name in ("GITHUB_TOKEN", "api-key", "tokenizer", "lr", 3) if is_secret(name)]
        ['GITHUB_TOKEN', 'api-key', 'tokenizer']
        >>> is_secret(b"accessKey"), is_secret(("me", "pwd")), is_secret("author")
        (True, True, False)
    """
    # The words are looked for in any spelling: a tokenizer hidden is a smaller loss than a token shown.
    if type(name) is tuple:
        return any(map(is_secret, name))
    if type(name) is bytes:
        return _looks_secret(name.decode("latin-1"))
    return type(name) is str and _looks_secret(name)


def without_secrets(words: Sequence[str]) -> list[str]:
    """The words of a command line as they may be written down.

    Args:
        words: As in ``sys.argv``. A secret that no word names cannot be told from other words.

    Example:
        >>> without_secrets(["train.py", "--token=abc", "--password", "abc", "lr=3", "https://me:abc@host"])
        ['train.py', '--token=<secret>', '--password', '<secret>', 'lr=3', 'https://me:<secret>@host']
    """
    shown, follows = [], False
    for word in words:
        is_option = word.startswith("-")
        shown.append(SECRET if follows and not is_option else _shown(word))
        follows = is_option and "=" not in word and is_secret(word)
    return shown


def _shown(word: str) -> str:
    whole = _WHOLE_WORD.fullmatch(word)
    if whole and is_secret(whole[1]):
        return f"{whole[1]}{whole[2]}{SECRET}"
    inside = _INSIDE.sub(lambda found: f"{found[1]}{found[2]}{SECRET}" if is_secret(found[1]) else found[0], word)
    return without_password(inside)


def without_password(text: str) -> str:
    """A text with the passwords of its URLs hidden.

    Example:
        >>> without_password("https://me:abc@host/x"), without_password("me:abc@host")
        ('https://me:<secret>@host/x', 'me:abc@host')
    """
    return _IN_URL.sub(rf"\1{SECRET}@", text) if "://" in text else text


@lru_cache(maxsize=4096)
def _looks_secret(name: str) -> bool:
    words = _SEPARATORS.split(name.lower())
    plain = "".join(words)
    return any(word in plain for word in _WORDS) or not _WHOLE.isdisjoint(words)


# The mark that stands where an upstream result will be put.


@dataclass(frozen=True, slots=True)
class Hole:
    """Stands in an argument where an upstream result will be put.

    Args:
        index: Position in the step's list of upstream slots; from 0.
        path: Typed path of the part that is picked, outermost first; default: the whole result.

    Example:
        >>> Hole(0, (("item", "mean"),))
        Hole(index=0, path=(('item', 'mean'),))
    """

    index: int
    path: tuple[tuple[str, object], ...] = ()


_NUMBERS = frozenset({int, float, bool, type(None), complex})
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}
_NAMED = (FunctionType, BuiltinFunctionType, type)
_DEPTH = 6
# Characters beyond those that are shown in which a URL's password may end.
_URL_ROOM = 256
# str() refuses integers of more than 4,300 digits, and is slow long before that.
_BIG = 1 << 2000


def describe(value: object, limit: int = 60) -> str:
    """Return a short text of ``value`` on one line: always the same for the same value, never an error.

    Args:
        value: Anything.
        limit: Most characters to return; longer texts end in "...".

    Returns:
        Plain numbers, strings and small containers as Python writes them; for other objects the type and, for arrays,
        the shape. No method of the user's runs, and what stands under a key like "password" is not shown.

    Example:
        >>> describe({"rate": 0.1, "steps": [1, 2, 3]})
        "{'rate': 0.1, 'steps': [1, 2, 3]}"
        >>> describe(list(range(100)), 20)
        '[0, 1, 2, 3, 4, 5...'
    """
    kind = type(value)
    if kind is int:
        text = repr(value) if -_BIG < value < _BIG else f"<int of {value.bit_length()} bits>"  # type: ignore[operator,attr-defined]  # an int
    elif kind in _NUMBERS:
        text = repr(value)
    else:
        text = _text(value, limit + 1, _DEPTH)
    return text if len(text) <= limit else text[: max(limit - 3, 0)] + "..."


def _text(value: object, room: int, depth: int) -> str:
    kind = type(value)
    if kind in _NUMBERS:
        return describe(value, max(room, 40))
    if kind is str:
        return repr(without_password(value[: room + _URL_ROOM])[:room])  # type: ignore[index]  # a string
    if kind is bytes:
        return repr(value[:room])  # type: ignore[index]  # bytes
    if kind in _BRACKETS or kind is dict:
        return _container(value, room, depth) if depth and room > 0 else "..."
    if kind is Hole:
        return f"<upstream {value.index}>"  # type: ignore[attr-defined]  # a Hole
    return _object(value, kind)


def _container(value: object, room: int, depth: int) -> str:
    if isinstance(value, dict):
        pieces = [
            f"{_text(key, room, depth - 1)}: {SECRET if is_secret(key) else _text(value[key], room, depth - 1)}"
            for key in _first(value, room)
        ]
        return "{" + ", ".join(pieces) + "}"
    opening, closing = _BRACKETS[type(value)]
    parts = [_text(part, room, depth - 1) for part in _first(value, room)]
    if isinstance(value, set | frozenset):
        parts.sort()
        if not parts:
            return f"{type(value).__name__}()"
    if type(value) is tuple and len(parts) == 1:
        return f"({parts[0]},)"
    return opening + ", ".join(parts) + closing


def _first(parts: object, room: int) -> list[object]:
    # Each part takes three characters at least ("0, "): more of them than fit are not looked at.
    most = room // 3 + 2
    if isinstance(parts, set | frozenset):
        return list(parts) if len(parts) <= 10 * most else []
    return [part for part, _ in zip(parts, range(most), strict=False)]  # type: ignore[call-overload]  # a collection


def _object(value: object, kind: type) -> str:
    label = _attribute(value, kind, "__ezpyp_label__")
    if isinstance(label, str):
        return label
    if isinstance(value, _NAMED):
        return f"<{getattr(value, '__qualname__', type.__name__)}>"
    if isinstance(value, ModuleType):
        return f"<module {value.__dict__.get('__name__')}>"
    if kind.__module__.partition(".")[0] == "numpy":
        return _numpy(value, kind)
    if kind.__module__.startswith("pathlib"):
        return repr(str(value))
    return f"<{kind.__qualname__}>"


def _attribute(value: object, kind: type, name: str) -> object:
    """Read an attribute that ezpyp itself puts on objects, without waking the user's ``__getattr__``."""
    if not any(name in base.__dict__ for base in kind.__mro__):
        return None
    try:
        return getattr(value, name)
    except Exception:  # noqa: BLE001  # a property of a half-made object
        return None


def _numpy(value: object, kind: type) -> str:
    shape = getattr(value, "shape", None)
    if shape == () and hasattr(value, "item") and kind.__name__ != "ndarray":
        item = value.item()
        return describe(item) if type(item) in _NUMBERS or type(item) in (str, bytes) else f"<{kind.__name__}>"
    if kind.__name__.endswith("DType") and getattr(value, "fields", 0) is None:
        return f"dtype({value.str!r})"  # type: ignore[attr-defined]  # a dtype
    if shape is not None and hasattr(value, "dtype"):
        return f"<{kind.__name__} {value.dtype} {shape}>"
    return f"<{kind.__name__}>"


def plain(text: str | None) -> str:
    """An argument's text without the digest that may stand beside it.

    Example:
        >>> plain("[1, 2, 3...] #91d9490aff3114e0")
        '[1, 2, 3...]'
    """
    if text is None:
        return ""
    before, mark, digest = text.rpartition(" #")
    return before if mark and len(digest) in (12, 16) and set(digest) <= set("0123456789abcdef") else text
