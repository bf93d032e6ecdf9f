"""The bytes of results, checked against their digests; never unpickled."""

from pathlib import Path

from xxhash import xxh3_128_digest

from ezpyp.errors import DamagedResultError
from ezpyp.inspect._reader import Reader
from ezpyp.store import ObjectStore


def content(reader: Reader, result: int) -> tuple[memoryview, str]:
    """The bytes of a result, and how the name of a file of that codec ends.

    Raises:
        DamagedResultError: They are missing, or not those that were stored.
    """
    digest, suffix, size, payload = reader.must(
        "SELECT o.digest, o.suffix, o.size, o.payload FROM results r"
        " JOIN results o ON o.id = coalesce(r.origin, r.id) WHERE r.id = ?",
        [result],
    )
    if payload is None:
        return content_of_object(reader.location, digest, suffix, size), suffix
    check(digest, size, payload)
    return memoryview(payload), suffix


def content_of_object(location: Path, digest: bytes, suffix: str, size: int) -> memoryview:
    """The bytes of a file under ``objects``."""
    # Trusted, since the bytes are only looked at; what refuses untrusted folders is loading.
    return ObjectStore(location, trust=True).open(digest, suffix, size, verify=True)


def check(digest: bytes, size: int, payload: bytes) -> None:
    """Refuse bytes of the index that are not those that were stored."""
    if len(payload) != size:
        reason = f"{len(payload)} bytes instead of {size}"
    elif xxh3_128_digest(payload) != digest:
        reason = "its bytes have another digest"
    else:
        return
    raise DamagedResultError(f"the result {digest.hex()} in the index is damaged: {reason}", digest=digest.hex())
