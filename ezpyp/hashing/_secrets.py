"""Names whose values are never written down: only their digests are."""

import re
from collections.abc import Sequence
from functools import lru_cache

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
    return _IN_URL.sub(rf"\1{SECRET}@", inside)


@lru_cache(maxsize=4096)
def _looks_secret(name: str) -> bool:
    words = _SEPARATORS.split(name.lower())
    plain = "".join(words)
    return any(word in plain for word in _WORDS) or not _WHOLE.isdisjoint(words)
