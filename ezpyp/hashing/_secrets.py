"""Names whose values are never written down: only their digests are."""

from functools import lru_cache

SECRET = "<secret>"
"""What stands in the place of such a value."""

_WORDS = ("token", "secret", "password", "passwd", "api_key", "apikey", "credential")


def is_secret(name: object) -> bool:
    """Tell whether a parameter, a global, an attribute or a key of a dictionary looks like a secret.

    Args:
        name: The name; what is no text is none.

    Example:
        >>> [name for name in ("GITHUB_TOKEN", "api-key", "tokenizer", "lr", 3) if is_secret(name)]
        ['GITHUB_TOKEN', 'api-key', 'tokenizer']
    """
    # The words are looked for in any spelling: a tokenizer hidden is a smaller loss than a token shown.
    return type(name) is str and _looks_secret(name)


@lru_cache(maxsize=4096)
def _looks_secret(name: str) -> bool:
    plain = name.lower().replace("-", "_")
    return any(word in plain for word in _WORDS)
