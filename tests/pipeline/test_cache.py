"""What is no path is told so, whoever asks for a cache."""

import pytest

import ezpyp
from ezpyp.errors import OptionError


@pytest.mark.parametrize("location", [123, None, b"cache", "", ["cache"]])
@pytest.mark.parametrize("ask", [ezpyp.open_cache, lambda location: ezpyp.Pipeline(location, "study")])
def test_what_is_no_path_is_told_so(ask, location):
    with pytest.raises(OptionError, match=r"location (must be the path of a folder|is empty)"):
        ask(location)
