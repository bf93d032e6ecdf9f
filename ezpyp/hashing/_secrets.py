"""Names whose values are never written down: only their digests are."""

import re
from functools import lru_cache

SECRET = "<secret>"
"""What stands in the place of such a value."""

_WORDS = ("token", "secret", "password", "passwd", "apikey", "privatekey", "accesskey", "credential", "bearer")
# Shorter ones are a secret only by themselves: an author is none.
_WHOLE = frozenset({"pwd", "auth", "authorization", "passphrase"})
_SEPARATORS = re.compile(r"[\s_.\-]+")


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


@lru_cache(maxsize=4096)
def _looks_secret(name: str) -> bool:
    words = _SEPARATORS.split(name.lower())
    plain = "".join(words)
    return any(word in plain for word in _WORDS) or not _WHOLE.isdisjoint(words)
