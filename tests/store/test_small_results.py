"""A small result is compared with its digest before anything unpickles it."""

import pickle

import pytest
from xxhash import xxh3_128_digest

from ezpyp.errors import DamagedResultError
from ezpyp.store.results import check_payload


def test_a_sound_payload_passes() -> None:
    data = pickle.dumps(5)
    check_payload("alpha", data, xxh3_128_digest(data), len(data))


def test_a_payload_that_is_another_valid_pickle_is_refused() -> None:
    stored, found = pickle.dumps(5), pickle.dumps(6)
    with pytest.raises(DamagedResultError, match="alpha"):
        check_payload("alpha", found, xxh3_128_digest(stored), len(stored))
