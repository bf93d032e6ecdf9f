"""Text that SQLite can take."""


def storable(text: str) -> str:
    r"""Text without lone surrogates, which file names that are no UTF-8 bring into messages.

    Example:
        >>> print(storable("caf" + chr(0xDCE9)))
        caf\udce9
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
