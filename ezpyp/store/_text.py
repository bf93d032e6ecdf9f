"""Text that SQLite can take."""


def storable(text: str) -> str:
    r"""Text without lone surrogates, which file names that are no UTF-8 bring into messages.

    Example:
        >>> storable("caf\udce9.txt")
        'caf\\\\udce9.txt'
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
